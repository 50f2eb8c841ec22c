"""A step that is killed, or told that the disk is full, at one of its points; then run again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.crash.disturb import KILL
from tests.crash.forks import Ended, Forks
from tests.crash.verbs import Prepared, differing, digest_artefacts, restore_state, run_again

NAME, FILE = re.compile(r"`[^`]+`"), re.compile(r"`[^`]*/[^`]*`")
"""What a message must hold: a name, such as that of a member; or a path."""


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        ended: `killed`, `refused` (status 1 or 2, one line), `done`, or `missed`: threads made it
            pass fewer points this time.
        fault: What is wrong about it; empty if nothing is.
    """

    ended: str
    fault: str = ""


def try_point(forks: Forks, prepared: Prepared, root: Path, fault: str, at: int) -> Outcome:
    """Disturb a step at a point, run it again, and compare with the undisturbed one."""
    restore_state(root, prepared.before)
    (ended,) = forks.run(prepared.step.run(root, fault, at))
    missed = ended.status == 0 and len(ended.points) <= at
    if not missed and ended.killed != (fault == KILL):
        return Outcome("other", f"status {ended.status}: {ended.text[-2000:]}")
    done = "missed" if missed else "done"
    name = "killed" if ended.killed else "refused" if ended.status else done
    if not ended.killed and (wrong := find_fault(ended, due=FILE)):
        return Outcome(name, wrong)
    again = run_again(forks, prepared.step, root)
    if again.status:
        return Outcome(name, f"again: {again.text[-3000:]}")
    apart = differing(digest_artefacts(root), prepared.after)
    if apart:
        return Outcome(name, f"differ from an undisturbed run: {', '.join(apart)}")
    litter = [str(path.relative_to(root)) for path in root.rglob(".*.part")]
    return Outcome(name, f"left behind: {', '.join(litter)}" if litter else "")


def find_fault(ended: Ended, due: re.Pattern[str] = NAME) -> str:
    """What is wrong about how a command ended that was not killed; empty if nothing is."""
    if ended.status not in (0, 1, 2) or "Traceback" in ended.text:
        return f"status {ended.status}: {ended.text[-3000:]}"
    if ended.status and not due.search(ended.text):
        return f"refused, but nothing is named: {ended.text}"
    return ""
