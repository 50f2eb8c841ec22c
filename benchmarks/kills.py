"""Every verb killed, or told that the disk is full, at each of its points; then run again.

    python benchmarks/kills.py --work WORK [--fault kill,ENOSPC,EIO,EDQUOT] [--every 1]
                               [--steps train,blend] [--sites] [--seconds 600]

A point is whatever changes the workspace: a file opened to write, a raw write, a flush, a rename, a
removal, a folder made (see `tests/crash/disturb.py`). After each, the same command runs again, and
every file must be that of an undisturbed run, but those that hold times; nothing may be left
behind. ENOSPC and EDQUOT stay from their point on, EIO comes once; each must end in one line that
names a file, or change nothing. --sites takes the first and the last point of each kind only, and
--every K each K-th of them. WORK is best a memory disk, such as /dev/shm/kills: flushing is slow.
What is done is noted in WORK/done.json, and not done again: --seconds ends a run early.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.crash.disturb import FREEING, KILL, LASTING, find_sites
from tests.crash.forks import Forks
from tests.crash.ordeal import try_point
from tests.crash.verbs import STEPS, Prepared, prepare


def choose(prepared: Prepared, fault: str, *, sites: bool, every: int) -> list[int]:
    """The points of a step to try."""
    points = prepared.points
    chosen = find_sites(points) if sites else range(len(points))
    takes_room = [n for n in chosen if fault not in LASTING or points[n][0] not in FREEING]
    return takes_room[::every]


class Campaign:
    """What has been tried, noted in a file.

    Args:
        work: Where; what an earlier campaign noted there counts.
        end: On the clock of `time.monotonic`: nothing is begun after it.
    """

    def __init__(self, work: Path, end: float) -> None:
        self.chain, self.end, self._noted = work / "chain", end, work / "done.json"
        self.done = json.loads(self._noted.read_text()) if self._noted.exists() else {}
        shutil.rmtree(self.chain, ignore_errors=True)
        (self.chain / "said").mkdir(parents=True)

    def try_points(self, forks: Forks, chosen: list[tuple[Prepared, str, int]]) -> None:
        """Disturb steps at these points, but those that are noted; print what is wrong."""
        for one, fault, at in chosen:
            key = f"{one.step.name}|{fault}|{at}"
            if key not in self.done and time.monotonic() < self.end:
                outcome = try_point(forks, one, self.chain / "work", fault, at)
                self.done[key] = outcome.ended, outcome.fault
                self._noted.write_text(json.dumps(self.done))
                if outcome.fault:
                    print(f"{key} {one.points[at]}: {outcome.fault}", flush=True)

    def report(self, prepared: list[Prepared]) -> None:
        """Print a line a step and fault: how its points ended, and how many of them wrong."""
        for one in prepared:
            line = f"{one.step.name}: {len(one.points)} points, {len(find_sites(one.points))} sites"
            for fault in sorted({key.split("|")[1] for key in self.done}):
                head = f"{one.step.name}|{fault}|"
                ended = [value for key, value in self.done.items() if key.startswith(head)]
                counts = Counter(name for name, _ in ended)
                line += f"; {fault} {dict(counts)}, {sum(bool(wrong) for _, wrong in ended)} wrong"
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--fault", default=KILL)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--steps", default="")
    parser.add_argument("--sites", action="store_true")
    parser.add_argument("--seconds", type=float, default=1e9)
    options = parser.parse_args()
    campaign = Campaign(options.work, time.monotonic() + options.seconds)
    wanted = options.steps.split(",") if options.steps else [step.name for step in STEPS]
    with Forks(campaign.chain / "said") as forks:
        prepared = prepare(forks, campaign.chain)
        chosen = [
            (one, fault, at)
            for one in prepared
            if one.step.name in wanted
            for fault in options.fault.split(",")
            for at in choose(one, fault, sites=options.sites, every=options.every)
        ]
        random.Random(0).shuffle(chosen)  # so that one which ends early has met every step
        campaign.try_points(forks, chosen)
        campaign.report(prepared)


if __name__ == "__main__":
    main()
