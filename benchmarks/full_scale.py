"""A rehearsal of the whole competition on this machine: 29,603 photographs of 512 px.

    python benchmarks/full_scale.py PHOTOS --work WORK [--count 29603] [--steps oof,blend]
                                    [--no-cache] [--kill 60] [--same-as OTHER]

PHOTOS is a folder of some hundred photographs at least. Of them photographs in the competition's
layout are made in WORK/data (see `many_photographs.py`). Then the commands of `ens` run as a user
types them, each in a process of its own. A finished step is recorded in WORK/steps.json with its
figures and not run again: the same command goes on after an interruption. The table of all finished
steps is printed last, and written to WORK/table.md.

seconds: from start to end. CPU: of the process and all its children. memory: the most that the
processes held together, sampled twice a second, without files that are mapped or cached, which the
system takes back when it needs room; in brackets with mapped files. disk: of the whole WORK but
`data`, when the step has ended. The photographs are dropped from the system's cache before `decode`
and `folds`, so both read them from the disk.

--steps runs these alone. --no-cache does without the decoded photographs. --kill SECONDS kills the
processes of each step (SIGKILL) at a random time up to SECONDS, once, and runs it again; such a
step's figures are those of both runs together. --same-as OTHER then compares what was written with
a rehearsal in OTHER that ran undisturbed: every file but those that hold times has the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.many_photographs import make_photographs
from benchmarks.measured import Figures, measure_disk, run_measured
from ensemble.cli.context import Context
from ensemble.config import Config, CustomMember
from ensemble.config_text import config_text
from ensemble.data.folds_csv import read_folds, read_groups
from ensemble.data.layout import TEST_INPUT, TEST_TARGET, TRAIN_GT, TRAIN_INPUT
from ensemble.data.png import read_gray, read_rgb
from ensemble.files import atomic_write
from ensemble.manifest import digest_file
from ensemble.parallel import map_in_order
from ensemble.presets import preset_config
from ensemble.workspace import Workspace

PHOTOGRAPHS = "photographs"
"""The step that makes them; it comes before any other where they are missing."""
SMALL = CustomMember(name="small", stage="restoration", arch="unet", encoder="mobilenet_v2")
STEPS_OF_TRAINING = 50
WITH_TIMES = frozenset(
    {"data", "cache", "steps.json", "table.md", "metrics.csv", "progress.json", "tensorboard"}
    | {"study.log"}
)
"""Names of files and folders that are not compared: the photographs, and what holds times."""


class Rehearsal:
    """The steps in one folder.

    Args:
        work: The workspace.
        size: Side of a photograph in pixels.
        cache: Whether the decoded photographs are kept.
        kill: Seconds within which each step is killed once; 0 kills none.
    """

    def __init__(self, work: Path, *, size: int, cache: bool, kill: float) -> None:
        self.workspace = Workspace(work)
        self.size, self.cache, self.kill = size, cache, kill

    def steps(self) -> dict[str, Callable[[], list[str]]]:
        """What prepares each step and returns its command, in order."""
        code = "import sys; from benchmarks.full_scale import decode; decode(sys.argv[1])"
        data = self.workspace.data
        zip_file = self.workspace.submission_file("training-free")
        score = ["--target", str(data / TEST_TARGET), "--input", str(data / TEST_INPUT)]
        train = ["train", "--fold", "0", "--stage", SMALL.stage, "--member", SMALL.name]
        return {
            "decode": lambda: self._fresh([sys.executable, "-c", code, str(data)]),
            "folds": lambda: self._fresh(self._ens("folds")),
            "oof": lambda: self._ens("oof"),
            "blend": lambda: self._ens("blend", "--trials", "200"),
            "submit": lambda: self._ens("submit", "--name", "training-free", "--force"),
            "score": lambda: self._ens("score", "--pred", str(zip_file), *score),
            "train": lambda: self._ens(*train, member=True),
            "blend small": lambda: self._ens("blend", "--trials", "200", member=True),
            "submit small": lambda: self._ens("submit", "--force", member=True),
        }

    def make_photographs(self, photos: Path, *, count: int, cut: int = 2) -> None:
        """Make what is missing of the competition; see `many_photographs.make_photographs`."""
        data = self.workspace.data
        if not (data / "groups.csv").exists():
            progress = Context(self.workspace, Config(), Console()).progress
            make_photographs(photos, data, count=count, size=self.size, cut=cut, progress=progress)

    def run(self, names: list[str]) -> None:
        """Run the steps that are not recorded yet, in order."""
        for name, prepare in self.steps().items():
            if name in names and name not in self.read():
                command = prepare()
                print(f"--- {name}: {' '.join(command[-4:])}", flush=True)
                atomic_write(self._file, json.dumps(self.read() | {name: self._measure(command)}))

    def read(self) -> dict[str, dict[str, object]]:
        """The figures of the finished steps."""
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    @property
    def _file(self) -> Path:
        return self.workspace.root / "steps.json"

    def _measure(self, command: list[str]) -> dict[str, object]:
        runs = []
        if self.kill:
            runs.append(run_measured(command, kill_after=random.uniform(0, self.kill)))
        if not runs or runs[0].killed:
            runs.append(run_measured(command))
        disk = {
            path.name: measure_disk(path)
            for path in sorted(self.workspace.root.iterdir())
            if path.is_dir() and path != self.workspace.data
        }
        whole = Figures(
            seconds=sum(run.seconds for run in runs),
            cpu=sum(run.cpu for run in runs),
            memory=max(run.memory for run in runs),
            mapped=max(run.mapped for run in runs),
            disk=disk,
            killed=sum(run.killed for run in runs),
        )
        return asdict(whole)

    def _ens(self, *arguments: str, member: bool = False) -> list[str]:
        """A command of `ens`, once its settings are written."""
        atomic_write(self.workspace.config_file, config_text(self._settings(member=member)))
        root = str(self.workspace.root)
        return [sys.executable, "-m", "ensemble.cli.app", "--root", root, *arguments]

    def _settings(self, *, member: bool) -> Config:
        """The training-free preset, with the small member beside its fixed ones if wanted."""
        config = preset_config("training-free").replace("data", size=self.size)
        config = config.replace("training", cache=self.cache)
        if not member:
            return config
        config = config.model_copy(update={"member": (SMALL,)})
        members = (*config.restoration.members, SMALL.name)
        return config.replace("restoration", members=members).replace(
            "training",
            encoder_weights="none",
            epochs=1,
            batch_size=4,
            learning_rate=1e-3,
            steps_per_epoch=STEPS_OF_TRAINING,
        )

    def _fresh(self, command: list[str]) -> list[str]:
        """The same command, once the photographs are not in the system's cache any more."""
        os.sync()
        for path in self.workspace.data.glob("*/*.png"):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return command


def decode(data: str) -> None:
    """Decode every training photograph and its input once, on all cores, as `ens` decodes them."""
    cv2.setNumThreads(1)
    targets = sorted((Path(data) / TRAIN_GT).iterdir())

    def read(path: Path) -> None:
        read_rgb(path)
        read_gray(Path(data) / TRAIN_INPUT / path.name)

    for _ in map_in_order(read, targets):
        pass


def make_table(figures: dict[str, dict[str, object]]) -> str:
    """The finished steps as a table in Markdown."""
    lines = [
        "| step | seconds | CPU seconds | memory, GB | disk after it, GB |",
        "|---|---|---|---|---|",
    ]
    for name, found in figures.items():
        one = Figures(**found)
        cells = (
            f"{name} (killed once)" if one.killed else name,
            f"{one.seconds:,.0f}",
            f"{one.cpu:,.0f}",
            f"{one.memory / 1e9:.2f} ({one.mapped / 1e9:.2f})",
            ", ".join(f"{room} {size / 1e9:.2f}" for room, size in one.disk.items() if size),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def compare_groups(workspace: Workspace) -> str:
    """How the groups that were found lie to those that the photographs were made in."""
    folds = read_folds(workspace.folds_file)
    made = read_groups(workspace.data / "groups.csv", folds.image_ids)
    where: dict[str, list[int]] = {}
    for image_id, label in zip(folds.image_ids, made, strict=True):
        where.setdefault(label, []).append(folds.fold_of[image_id])
    apart = sum(len(found) - max(map(found.count, set(found))) for found in where.values())
    n_found = len(set(folds.group_of.values()))
    return (
        f"{len(where)} groups were made, {n_found} found; {apart} of {len(made)} photographs lie "
        "in another fold than most of their group"
    )


def compare_results(workspace: Workspace, other: Workspace) -> str:
    """Which of the files that both have written are not the same, byte by byte."""
    left, right = (
        {
            path.relative_to(one.root): digest_file(path)
            for path in one.root.rglob("*")
            if path.is_file() and not WITH_TIMES & {*path.relative_to(one.root).parts}
        }
        for one in (workspace, other)
    )
    apart = sorted(
        str(path) for path in left.keys() | right.keys() if left.get(path) != right.get(path)
    )
    if apart:
        return f"{len(apart)} of {len(left)} files differ from {other.root}: {', '.join(apart)}"
    return f"all {len(left)} files are the same as in {other.root}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=29_603)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--cut", type=int, default=2)
    parser.add_argument("--steps", default="all", help="as decode,folds; or photographs")
    parser.add_argument("--no-cache", action="store_true")
    parser.add_argument("--kill", type=float, default=0.0)
    parser.add_argument("--same-as", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rehearsal = Rehearsal(
        options.work, size=options.size, cache=not options.no_cache, kill=options.kill
    )
    workspace = rehearsal.workspace
    steps = list(rehearsal.steps())
    wanted = steps if options.steps == "all" else options.steps.split(",")
    if unknown := set(wanted) - {PHOTOGRAPHS, *steps}:
        parser.error(f"--steps takes {PHOTOGRAPHS}, {', '.join(steps)}; but got {min(unknown)}")
    rehearsal.make_photographs(options.photos, count=options.count, cut=options.cut)
    rehearsal.run(wanted)
    table = make_table(rehearsal.read())
    if workspace.folds_file.exists():
        table += f"\n{compare_groups(workspace)}.\n"
    if options.same_as:
        table += f"\n{compare_results(workspace, Workspace(options.same_as))}.\n"
    atomic_write(workspace.root / "table.md", table)
    print(table)


if __name__ == "__main__":
    main()
