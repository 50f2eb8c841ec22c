"""A workspace as small as can be, and every verb that writes, each from the state it needs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.data.png import read_rgb, write_png
from tests.crash.disturb import Point
from tests.crash.forks import Ended, Forks, Run
from tests.reference.small import SMALL_RESTORER

SETTINGS = (
    """
[data]
size = 48
[folds]
n_folds = 2
[restoration]
members = ["small", "telea"]
[colorization]
members = ["gray", "mate"]
[training]
encoder_weights = "none"
epochs = 2
batch_size = 4
num_workers = 0
[[member]]
name = "mate"
stage = "colorization"
arch = "external"
"""
    + SMALL_RESTORER
)
LONG_AGO = 1_600_000_000
"""When the photographs were written: new ones are not remembered by their time."""

TIMED = {
    "metrics.csv",
    "progress.json",
    "tensorboard",
    "study.log",
    "last.ckpt",
    ".ens-digests.json",
    "rows.npy",
}
"""Names of files that hold times; of the study the trials are compared."""
ASIDE = "aside"
"""A folder of the workspace for what commands read and nobody compares."""


@dataclass(frozen=True)
class Step:
    """A verb in one state of the workspace.

    Attributes:
        name: Of the step.
        words: What is typed; `ROOT` stands for the workspace.
        prepare: Makes the state of that which the step before has left.
        warms_up: Whether it has kernels or threads that steps before it have not.
    """

    name: str
    words: str
    prepare: Callable[[Path], None] = lambda root: None
    warms_up: bool = True

    def run(self, root: Path, fault: str = "", at: int = -1, after: float = 0.0) -> Run:
        """The command for a workspace."""
        return Run(str(root), self.words.replace("ROOT", str(root)), fault, at, after)


def _settle(root: Path) -> None:
    """Put the settings in place, and photographs of long ago."""
    (root / "ens.toml").write_text(SETTINGS)
    for path in (root / "data").rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    for room in ("train_gt", "test_target"):  # a teammate's predictions: the truth, its colors weak
        for path in (root / "data" / room).iterdir():
            picture = read_rgb(path).astype(np.float32)
            faded = (picture + picture.mean(axis=2, keepdims=True)) / 2
            write_png(root / ASIDE / room / path.name, faded.astype(np.uint8))


def _without_fill(root: Path) -> None:
    shutil.rmtree(root / "oof/restoration/telea")


def _keep_zip(root: Path) -> None:
    shutil.copy2(root / "submissions/submission.zip", root / ASIDE / "b.zip")


STEPS = (
    Step("init", "init --preset training-free"),
    Step("demo", "demo --size 48 --train 8 --test 2", lambda root: (root / "ens.toml").unlink()),
    Step("init --force", "init --force", warms_up=False),
    Step("folds", "folds", _settle),
    Step("explore", "explore --photographs 4"),
    Step("damage", "damage --split train --shown 4"),
    Step("oof", "oof --stage restoration"),
    Step("oof again", "oof", _without_fill),
    Step(
        "oof import",
        f"oof import mate --oof ROOT/{ASIDE}/train_gt --test ROOT/{ASIDE}/test_target",
    ),
    Step("train", "train --fold all --member small"),
    Step("train --restart", "train --fold 0 --member small --restart", warms_up=False),
    Step("train --fold full", "train --fold full --member small", warms_up=False),
    Step("blend", "blend --trials 14"),
    Step("blend more", "blend --trials 18 --force-tuned", warms_up=False),
    Step("submit", "submit"),
    Step("submit --force", "submit --force --full", _keep_zip, warms_up=False),
    Step("report", "report --photographs 3"),
    Step("history", "history --name submission --public 0.5"),
    Step("predict", "predict ROOT/data/test_input --out ROOT/out --colorizer gray"),
    Step(
        "score",
        "score --pred ROOT/submissions/submission.zip --target ROOT/data/test_target "
        "--input ROOT/data/test_input --per-image ROOT/scores.csv",
    ),
    Step("compare", f"compare submission ROOT/{ASIDE}/b.zip", warms_up=False),
    Step("oof sample", "oof sample --output ROOT/sample.csv", warms_up=False),
    Step("oof import again", f"oof import mate --oof ROOT/{ASIDE}/train_gt", warms_up=False),
    Step("folds --force", "folds --force --seed 5", warms_up=False),
    Step("demo --force", "demo --size 48 --train 9 --test 2 --force", warms_up=False),
)


@dataclass(frozen=True)
class Prepared:
    """A step with the workspace it begins in, and what it did undisturbed.

    Attributes:
        step: The step.
        before: A copy of the workspace.
        points: Those it has.
        after: Digests of what it left; see `digest_artefacts`.
    """

    step: Step
    before: Path
    points: list[Point]
    after: dict[str, str]


def prepare(forks: Forks, folder: Path, steps: tuple[Step, ...] = STEPS) -> list[Prepared]:
    """Run the steps one after the other, undisturbed, and keep the state before each."""
    root, prepared = folder / "work", []
    root.mkdir(parents=True)
    for number, step in enumerate(steps):
        step.prepare(root)
        before = folder / f"before-{number}"
        shutil.copytree(root, before, symlinks=True)
        (ended,) = forks.run(step.run(root))
        assert ended.status == 0, f"{step.words}: {ended.text}"
        prepared.append(Prepared(step, before, ended.points, digest_artefacts(root)))
    return prepared


def restore_state(root: Path, before: Path) -> None:
    """Put a workspace back into a state."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(before, root, symlinks=True)


def run_again(forks: Forks, step: Step, root: Path) -> Ended:
    """Run a command again, as a user would: with --force if that is what it asks for."""
    (ended,) = forks.run(step.run(root))
    if ended.status == 2 and "--force" in ended.text:
        (ended,) = forks.run(Run(str(root), f"{step.run(root).words} --force"))
    return ended


def digest_artefacts(root: Path) -> dict[str, str]:
    """SHA-256 of every file but locks and those that hold times; and of the study's trials."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_dir() or name.parts[0] == ASIDE or path.name.endswith(".lock"):
            continue
        if not TIMED & set(name.parts):
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    study = root / "oof/study.log"
    if study.exists():
        found["oof/study.log"] = hashlib.sha256(read_trials(study).encode()).hexdigest()
    return found


def read_trials(study: Path) -> str:
    """The finished trials of a journal, without times and workers."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(study)))
    return json.dumps(
        {
            one.study_name: [
                (trial.number, trial.state.name, sorted(trial.params.items()), trial.value)
                for trial in storage.get_all_trials(one._study_id)
            ]
            for one in storage.get_all_studies()
        },
        sort_keys=True,
    )


def differing(left: dict[str, str], right: dict[str, str]) -> list[str]:
    """Names of the files that differ, or that only one has."""
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
