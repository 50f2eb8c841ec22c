"""How far a workspace is: its members fold by fold, its recipe and its submissions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from rich.text import Text

from ensemble.checkpoint import METRICS, must_restart, read_checkpoint, training_command
from ensemble.composition.recipe import Recipe
from ensemble.data.tables import read_numbers
from ensemble.errors import EnsembleError, MissingArtefactError, StaleArtefactError
from ensemble.manifest import MANIFEST, differing
from ensemble.members import Member
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.provenance import (
    archive_digests,
    read_recipe,
    require_current_submission,
    restoration_for,
)
from ensemble.report.tables import Column, FittingTable, make_table
from ensemble.vocabulary import FULL, Fold

State = Literal["-", "started", "trained", "cached", "stale"]

_STYLES = {"-": "dim", "started": "yellow", "trained": "yellow", "cached": "green", "stale": "red"}
_CURRENT = "up to date"


class Usage(NamedTuple):
    """What a member has earned and cost.

    `score` is the mean over finished folds of the validation score that its training kept; `bytes`
    are those of its networks and predictions, `seconds` those of every fold's epochs.
    """

    score: float | None
    bytes: int
    seconds: float


class Standing(NamedTuple):
    """How far a member is: in every fold, and with its network of all photographs."""

    member: Member
    states: tuple[State, ...]
    full: State
    usage: Usage


class Status(NamedTuple):
    """How far a workspace is, with a sentence on the recipe and on each submission.

    `tuned` says whether there is a recipe that is up to date, `zipped` whether a submission of it;
    `mending` is the verb that mends finished trainings which no verb can use, if there are any.
    """

    members: list[Standing]
    tuned: bool
    zipped: bool
    lines: list[str]
    mending: str

    @property
    def untrained(self) -> set[int]:
        """The folds that a trained member has not finished."""
        return {
            fold
            for one in self.members
            for fold, state in enumerate(one.states)
            if one.member.kind == "trained" and state in ("-", "started", "stale")
        }

    @property
    def verb_to_train(self) -> str:
        """What trains the first unfinished fold, as `train --fold 0`; empty if there is none."""
        if self.mending or not self.untrained:
            return self.mending
        return f"train --fold {min(self.untrained)}"

    @property
    def next_verb(self) -> str:
        """The next command, as `blend --trials 200`."""
        if self.mending or len(self.untrained) == len(self.members[0].states):
            return self.verb_to_train
        if not self.tuned:
            return "blend --trials 200"
        return "report" if self.zipped else "submit"


def read_status(project: Project) -> Status:
    """Compare every artefact with what it was made from; no pictures are read, no whole weights."""
    folds = range(project.folds.n_folds)
    members = [
        Standing(
            member,
            tuple(member_state(project, member, fold) for fold in folds),
            _training_state(project, member, FULL),
            measure_usage(project, member),
        )
        for member in project.all_members()
    ]
    recipe, line = _read_recipe(project)
    zips = sorted(project.workspace.submissions.glob("*.zip"))
    states = [judge_submission(project, recipe, path) for path in zips]
    sent = [f"submission {path.name}: {state}" for path, state in zip(zips, states, strict=True)]
    workspace = project.workspace
    disk = ", ".join(
        f"{folder.name} {_count_bytes(folder) / 1e9:.2f} GB"
        for folder in (workspace.cache, workspace.checkpoints, workspace.oof)
        if folder.exists()
    )
    lines = [f"on the disk: {disk}"] if disk else []
    mending, told = _find_harm(project, members)
    lines += [*told, line, *(sent or ["submissions: none"])]
    return Status(members, recipe is not None, _CURRENT in states, lines, mending)


def _find_harm(project: Project, members: Sequence[Standing]) -> tuple[str, list[str]]:
    """The verb that mends the first finished trainings which cannot be used, and a line on them."""
    harmed: list[tuple[Member, int, str]] = []
    for member, states, *_ in members:
        for fold, state in enumerate(states):
            if member.kind != "trained" or state not in ("started", "stale"):
                continue
            try:
                if (project.folder(member, fold) / MANIFEST).exists():
                    read_checkpoint(project, member, fold)
            except EnsembleError as error:
                harmed.append((member, fold, str(error)))
    if not harmed:
        return "", []
    first, fold, reason = harmed[0]
    anew = {k: must_restart(project, m, k) for m, k, _ in harmed if m == first}
    folds = ",".join(str(k) for k, restart in anew.items() if restart == anew[fold])
    command = training_command(first.stage, first.name, folds, restart=anew[fold])
    count = f" (and {len(harmed) - 1} more)" if len(harmed) > 1 else ""
    line = f"{first.stage} {first.name} fold {fold} cannot be used{count}: {reason}"
    return command.removeprefix("ens "), [line]


def status_table(status: Status) -> FittingTable:
    """One row a member, one column a fold; one for networks of all photographs if there are any."""
    n_folds = len(status.members[0].states)
    shown = any(one.full != "-" for one in status.members)
    table = make_table(
        "",
        Column("stage", drop=2),
        Column("member"),
        Column("kind", drop=5),
        *(Column(f"fold {fold}") for fold in range(n_folds)),
        *([Column(FULL)] if shown else []),
        Column("score", number=True, drop=1),
        Column("hours", number=True, drop=3),
        Column("GB", number=True, drop=4),
    )
    stage = status.members[0].member.stage
    for member, states, full, usage in status.members:
        if member.stage != stage:
            table.add_section()
            stage = member.stage
        styled = [Text(state, _STYLES[state]) for state in (*states, *([full] if shown else []))]
        table.add_row(
            member.stage,
            member.name,
            member.kind,
            *styled,
            "" if usage.score is None else f"{usage.score:.4f}",
            f"{usage.seconds / 3600:.2f}" if usage.seconds else "",
            f"{usage.bytes / 1e9:.2f}" if usage.bytes else "",
        )
    return table


def measure_usage(project: Project, member: Member) -> Usage:
    """Measure what a member has earned and cost; no weights and no pictures are read."""
    folds = range(project.folds.n_folds)
    scores, seconds = [], 0.0
    for fold in (*folds, FULL):
        folder = project.folder(member, fold)
        seconds += sum(read_numbers(folder / METRICS).get("seconds", ()))
        try:
            found = read_checkpoint(project, member, fold).facts.get("val_score")
        except EnsembleError:
            continue
        if fold != FULL and found is not None:
            scores.append(float(found))
    folders = (project.folder(member, 0).parent, project.archive_folder(member, 0).parent)
    mean = sum(scores) / len(scores) if scores else None
    return Usage(mean, sum(map(_count_bytes, folders)), seconds)


def _count_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(
        entry.stat(follow_symlinks=False).st_size
        for place, _, names in os.walk(folder)
        for entry in (Path(place) / name for name in names)
        if not entry.is_symlink()
    )


def member_state(project: Project, member: Member, fold: int) -> State:
    """How far a member is with a fold.

    Returns:
        `-` nothing is there; `started`, a training can be resumed; `trained`, its predictions are
        still to be collected; `cached`, ready for `ens blend`; `stale`, made from something else
        than the present data, folds, settings or weights.
    """
    uncollected = _training_state(project, member, fold)
    if member.kind == "trained" and uncollected != "trained":
        return uncollected
    try:
        archive = Archive(project.archive_folder(member, fold))
        restoration = restoration_for(project, member, fold)
        expected = archive_digests(project, member, fold, restoration)
    except MissingArtefactError:
        return uncollected
    except EnsembleError:
        return "stale"
    if differing(archive.manifest.made_from, expected):
        return "stale"
    return uncollected if archive.missing(project.oof_sample(fold)) else "cached"


def _training_state(project: Project, member: Member, fold: Fold) -> State:
    """How far the training of a fold, or of all photographs, is; `-` for what is not trained."""
    folder = project.folder(member, fold)
    if member.kind != "trained" or not folder.exists() or not any(folder.iterdir()):
        return "-"
    try:
        read_checkpoint(project, member, fold)
    except MissingArtefactError:
        return "started"
    except StaleArtefactError:
        return "stale"
    return "trained"


def _read_recipe(project: Project) -> tuple[Recipe | None, str]:
    """The recipe if it is up to date, and a sentence on it."""
    if not project.workspace.recipe_file.exists():
        return None, "recipe: none"
    try:
        recipe = read_recipe(project)
    except EnsembleError as error:
        return None, f"recipe: stale: {error}"
    return recipe, f"recipe: tuned on fold(s) {', '.join(map(str, recipe.folds))}"


def judge_submission(project: Project, recipe: Recipe | None, path: Path) -> str:
    """Whether a zip is what `ens submit` would make now: `up to date`, or why not."""
    if recipe is None:
        return "stale: there is no recipe that is up to date"
    try:
        require_current_submission(project, recipe, path)
    except EnsembleError as error:
        return f"stale: {error}"
    return _CURRENT
