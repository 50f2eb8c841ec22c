"""Two verbs on one workspace at the same time leave what they leave one after the other.

Either may be refused, by name, and is then run again. The undisturbed orders are run once each. A
training that begins anew is gone for a while, so the other may also come between. A page shows the
moment at which it was made: it must be that of an order once it is made again.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from ensemble.manifest import digest_json
from tests.crash.forks import Ended, Forks, Run
from tests.crash.ordeal import find_fault
from tests.crash.verbs import ASIDE, STEPS, Prepared, differing, digest_artefacts, restore_state

PAIRED = (
    "folds --force --seed 5",
    "explore --photographs 4",
    "damage --shown 2",
    "oof",
    f"oof import mate --oof ROOT/{ASIDE}/train_gt --test ROOT/{ASIDE}/test_target",
    "train --fold 0 --member small --restart",
    "train --fold 1 --member small --restart",
    "train --fold all --stage restoration",
    "blend --trials 20",
    "blend --trials 22 --force-tuned",
    "submit --force",
    "submit --name second",
    "report --photographs 3",
    "history --name submission --public 0.6",
    "predict ROOT/data/test_input --out ROOT/out --colorizer gray --force",
    "init --force",
    "status",
)
"""Commands; all begin where everything is made but some archives."""
BEGUN_ANEW = {words: words.split()[2] for words in PAIRED if "--restart" in words}
"""The fold whose training a command removes first."""
SHOWS, PAGE = "report --photographs 3", "report.html"
"""Makes a page, and nothing else."""
TIMES = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d|"[^"]*" class="number">[^<]*</td></tr>')
"""On the page: when a zip was made, and in the last cell of a row how long a training took."""
LAST_STEP = "predict"
"""Of `STEPS`: the state before it, without the archives of the fill and what is decoded."""


def prepare_state(prepared: list[Prepared], folder: Path) -> Path:
    """The state that all pairs begin in."""
    (found,) = (one for one in prepared if one.step.name == LAST_STEP)
    state = folder / "all-made"
    shutil.copytree(found.before, state)
    shutil.rmtree(state / "oof/restoration/telea")
    shutil.rmtree(state / "cache")
    return state


def steps_until_state() -> tuple[object, ...]:
    """The steps that lead there, with the one that names it."""
    names = [step.name for step in STEPS]
    return STEPS[: names.index(LAST_STEP) + 1]


@dataclass
class Pairs:
    """Runs pairs, and remembers what each order does.

    Attributes:
        forks: Where commands run.
        state: What each begins in.
        folder: For copies of workspaces.
    """

    forks: Forks
    state: Path
    folder: Path
    _after: dict[str, tuple[Path, float]] = field(default_factory=dict)
    _orders: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The workspace in which commands run: always the same, for they print it."""
        return self.folder / "work"

    def run_pair(self, first: str, second: str, seed: int) -> tuple[str, str]:
        """Run both at once.

        Returns:
            How many were refused, as text; and what is wrong, empty if nothing is.
        """
        order = self._order(first, second)
        draw = random.Random(f"{first}|{second}|{seed}")
        late, longest = draw.randrange(2), min(self._alone(one)[1] for one in (first, second))
        restore_state(self.root, self.state)
        delays = [draw.uniform(0, longest) if number == late else 0.0 for number in range(2)]
        runs = [self._run(*one) for one in zip((first, second), delays, strict=True)]
        ended = self.forks.run(*runs)
        if fault := next(filter(None, map(find_fault, ended)), ""):
            return "", fault
        refused = [run for run, one in zip(runs, ended, strict=True) if one.status]
        said = " | ".join(one.text.strip()[-300:] for one in ended if one.status)
        for _ in range(2):  # what needs the other first is right after it
            if differing(self._digest(), order):
                for run in refused:
                    self.forks.run(Run(run.root, run.words))
        outcome = f"{len(refused)} refused"
        litter = [str(path.relative_to(self.root)) for path in self.root.rglob(".*.part")]
        if litter:
            return outcome, f"left behind: {litter}"
        fault = self._compare(first, second)
        return outcome, f"{fault}; {said}" if fault else ""

    def _compare(self, first: str, second: str) -> str:
        """What differs from every order; empty if nothing does from one."""
        found = self._digest()
        if found == self._order(first, second):
            return ""
        met = self.folder / "met"
        restore_state(met, self.root)  # for the orders are made in its place
        both = ((first, second), (second, first))
        orders = [self._order(*one) for one in both]
        if found not in orders:
            orders += [self._between(*one) for one in both if one[0] in BEGUN_ANEW]
        if found not in orders and SHOWS in (first, second):
            restore_state(self.root, met)
            self._run_alone(SHOWS)
            found = self._digest()
        if found in orders:
            return ""
        return f"differs from each order in {[differing(found, one) for one in orders]}"

    def _between(self, anew: str, other: str) -> dict[str, str]:
        """What is left if a command comes when a training that begins anew is gone."""
        if (anew, f"between {other}") not in self._orders:
            restore_state(self.root, self.state)
            shutil.rmtree(self.root / f"checkpoints/restoration/small/fold-{BEGUN_ANEW[anew]}")
            self._run_alone(other)
            self._run_alone(anew)
            self._orders[anew, f"between {other}"] = self._digest()
        return self._orders[anew, f"between {other}"]

    def _order(self, first: str, second: str) -> dict[str, str]:
        if (first, second) not in self._orders:
            restore_state(self.root, self._alone(first)[0])
            self._run_alone(second)
            self._orders[first, second] = self._digest()
        return self._orders[first, second]

    def _alone(self, words: str) -> tuple[Path, float]:
        if words not in self._after:
            restore_state(self.root, self.state)
            begun = time.monotonic()
            ended = self._run_alone(words)
            assert ended.status == 0, ended.text
            kept = self.folder / f"after-{len(self._after)}"
            seconds = time.monotonic() - begun
            shutil.copytree(self.root, kept)
            self._after[words] = kept, seconds
        return self._after[words]

    def _digest(self) -> dict[str, str]:
        """Digests of the artefacts, without trials: two searches that share a study are not one.

        Nor is their number told: each begins the last one where the other has not ended it. A page
        counts without its times.
        """
        found = digest_artefacts(self.root)
        found.pop("oof/study.log", None)
        scores = self.root / "oof/scores.json"
        if scores.exists():
            content = json.loads(scores.read_text())
            for stage in content["stages"].values():
                del stage["trials"]["done"]
            found["oof/scores.json"] = digest_json(content)
        if PAGE in found:
            found[PAGE] = digest_json(TIMES.sub("", (self.root / PAGE).read_text()))
        return found

    def _run(self, words: str, after: float = 0.0) -> Run:
        return Run(str(self.root), words.replace("ROOT", str(self.root)), after=after)

    def _run_alone(self, words: str) -> Ended:
        return self.forks.run(self._run(words))[0]
