"""A finished training: what it was made from, whether that is still so, and its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ensemble.config import RUNTIME_KEYS, Config
from ensemble.damage import FILL_VERSION
from ensemble.errors import EnsembleError, MissingArtefactError, StaleArtefactError
from ensemble.manifest import (
    MANIFEST,
    Manifest,
    differing,
    digest_file,
    digest_json,
    digest_sample,
    read_manifest,
    require_same,
    tell_other_file,
)
from ensemble.members import Member
from ensemble.project import Project
from ensemble.vocabulary import FULL, Fold, Stage

WEIGHTS, METRICS, LAST = "weights.safetensors", "metrics.csv", "last.ckpt"
"""Files of a training: what predicts, a row an epoch, and the state to go on from."""


def learning_settings(config: Config, stage: Stage, name: str) -> dict[str, Any]:
    """Every setting that decides what a member learns, nested as in ens.toml.

    Its [[member]] table counts only in what it sets in their place: the network has a digest of
    its own. The keys that only decide how fast it learns are not in it, nor is the number of
    epochs: a training can be extended.
    """
    content = config.of_member(stage, name).model_dump(mode="json")
    stage_settings = {key: value for key, value in content[stage].items() if key != "members"}
    learning = {k: v for k, v in content["training"].items() if k not in RUNTIME_KEYS}
    shared = {key: content[key] for key in ("seed", "data", "normalization")}
    return {**shared, "stage": stage_settings, "training": learning}


def checkpoint_digests(project: Project, member: Member, fold: Fold) -> dict[str, str]:
    """The digests that the manifest of a training must carry."""
    digests = {
        **project.digests,
        "fold": str(fold),
        "member": member.digest(),
        "settings": digest_json(learning_settings(project.config, member.stage, member.name)),
    }
    if member.stage == "restoration" and _reads_fill(member):
        digests["fill"] = str(FILL_VERSION)
    if fold == FULL:
        del digests["folds"]
        digests["number of epochs"] = str(full_epochs(project, member))
    return digests


def _reads_fill(member: Member) -> bool:
    """Whether it is a fill, or a network that was shown one."""
    if member.kind == "trained":
        return bool(member.fills)
    return member.kind == "fixed" and not member.file


def full_epochs(project: Project, member: Member) -> int:
    """Epochs of a training on all photographs: the mean of its folds' best ones, rounded.

    With `average_last` the weights of a fold are those of its last epochs, and all of its epochs
    count.

    Raises:
        MissingArtefactError: No fold has finished.
        StaleArtefactError: A fold that has finished was made from something else.
    """
    folds = finished_folds(project, member)
    if not folds:
        raise MissingArtefactError(
            f"{member.stage} `{member.name}` learns from all photographs for as many epochs as its "
            "folds' best ones, but none of its folds has finished; first run "
            f"`{training_command(member.stage, member.name, 'all')}`"
        )
    averaged = project.config.of_member(member.stage, member.name).training.average_last
    key = "epochs" if averaged else "best_epoch"
    counts = [int(read_checkpoint(project, member, fold).facts[key]) for fold in folds]
    return int(sum(counts) / len(counts) + 0.5)


def training_command(stage: str, member: str, folds: object, *, restart: bool = False) -> str:
    """What to type to train some folds of a member, or all photographs."""
    command = f"ens train --stage {stage} --member {member} --fold {folds}"
    return f"{command} --restart" if restart else command


def read_checkpoint(project: Project, member: Member, fold: Fold) -> Manifest:
    """The manifest of a finished training, if it was made from the present things.

    Of its weights the size and a sample are compared; `checked_weights` reads all of them.

    Raises:
        MissingArtefactError: The training has not finished, or its weights are gone.
        StaleArtefactError: It was made from something else, of another fold for example; or its
            manifest is damaged, or its weights are others.
    """
    folder = project.folder(member, fold)
    path, weights = folder / MANIFEST, folder / WEIGHTS
    command = training_command(member.stage, member.name, fold)
    mend = _mend(project, member, fold)
    manifest = read_manifest(
        path, "checkpoint", remedy=mend if path.exists() else f"run `{command}`"
    )
    require_same(
        manifest.made_from,
        checkpoint_digests(project, member, fold),
        name=f"the {member.stage} network `{member.name}` in `{folder}`",
        remedy=f"run `{command} --restart`, or undo the change",
    )
    if not weights.is_file():
        raise MissingArtefactError(f"`{weights}` is not there; {mend}")
    if digest_sample(weights) != manifest.facts["weights_sample"]:
        raise other_weights(project, member, fold)
    return manifest


def checked_weights(project: Project, member: Member, fold: Fold) -> Path:
    """The weights file of a finished training, if it is the one that its manifest was written for.

    Raises:
        MissingArtefactError: See `read_checkpoint`.
        StaleArtefactError: See there.
    """
    noted = read_checkpoint(project, member, fold).facts["weights"]
    path = project.folder(member, fold) / WEIGHTS
    if digest_file(path) != noted:
        raise other_weights(project, member, fold)
    return path


def must_restart(project: Project, member: Member, fold: Fold) -> bool:
    """Whether a training that `read_checkpoint` refuses has to begin anew.

    Else `ens train` writes weights and manifest again, from what it keeps to go on.
    """
    folder = project.folder(member, fold)
    try:
        made_from = read_manifest(folder / MANIFEST, "checkpoint").made_from
        changed = differing(made_from, checkpoint_digests(project, member, fold))
    except EnsembleError:
        changed = []
    return bool(changed) or not (folder / LAST).is_file()


def _mend(project: Project, member: Member, fold: Fold) -> str:
    """What to do about a damaged training."""
    anew = not (project.folder(member, fold) / LAST).is_file()
    command = training_command(member.stage, member.name, fold, restart=anew)
    return f"put the file back, or run `{command}`"


def other_weights(project: Project, member: Member, fold: Fold) -> StaleArtefactError:
    """The error that the weights of a training are others than its manifest was written for."""
    folder = project.folder(member, fold)
    told = tell_other_file(folder / WEIGHTS, folder / MANIFEST)
    return StaleArtefactError(f"{told}; {_mend(project, member, fold)}")


def finished_folds(project: Project, member: Member) -> tuple[int, ...]:
    """The folds whose predictions a member can give: trained, fixed, or imported."""
    every = range(project.folds.n_folds)
    if member.kind == "fixed":
        return tuple(every)
    where = project.archive_folder if member.kind == "external" else project.folder
    return tuple(fold for fold in every if (where(member, fold) / MANIFEST).exists())
