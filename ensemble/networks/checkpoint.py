"""A finished training on disk: what it is called, what it was made from, and reading it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ensemble.composition.recipe import Stage
from ensemble.config import RUNTIME_KEYS, Config
from ensemble.manifest import Manifest, digest_file, digest_json, read_manifest
from ensemble.networks.build import build
from ensemble.networks.member import Member
from ensemble.networks.weights import load_weights

WEIGHTS = "weights.safetensors"
MANIFEST = "manifest.json"


def learning_settings(config: Config, stage: Stage) -> dict[str, Any]:
    """Every setting that decides what a network of this stage learns, nested as in ens.toml.

    The members themselves are not in it (each has a digest of its own), nor are the keys that
    only decide how fast it learns, nor the number of epochs: a training can be extended.
    """
    content = config.model_dump(mode="json")
    stage_settings = {key: value for key, value in content[stage].items() if key != "members"}
    learning = {k: v for k, v in content["training"].items() if k not in RUNTIME_KEYS}
    shared = {key: content[key] for key in ("seed", "data", "normalisation")}
    return {**shared, "stage": stage_settings, "training": learning}


def settings_digest(config: Config, stage: Stage) -> str:
    """SHA-256 of `learning_settings`."""
    return digest_json(learning_settings(config, stage))


def checkpoint_digests(config: Config, member: Member, *, data: str, folds: str) -> dict[str, str]:
    """The digests a training's manifest must carry to be of use.

    Args:
        config: The present settings.
        member: The member trained.
        data: Digest of the competition's data.
        folds: Digest of the folds.
    """
    settings = settings_digest(config, member.stage)
    return {"data": data, "folds": folds, "member": member.digest(), "settings": settings}


def read_checkpoint(folder: Path, member: Member, made_from: dict[str, str]) -> Manifest:
    """The manifest of a finished training, if it was made from the present things.

    Raises:
        MissingArtefactError: The training has not finished.
        StaleArtefactError: It was made from something else.
    """
    name = f"the {member.stage} network `{member.name}` in `{folder}`"
    remedy = f"run `ens train --stage {member.stage} --member {member.name}`"
    manifest = read_manifest(folder / MANIFEST, remedy=remedy)
    manifest.require(made_from, name=name, remedy=f"{remedy} --restart, or undo the change")
    return manifest


def weights_digest(folder: Path) -> str:
    """SHA-256 of a finished training's weights."""
    return digest_file(folder / WEIGHTS)


def load_network(folder: Path, member: Member) -> nn.Module:
    """The trained network, in evaluation mode.

    Raises:
        WeightsError: Its weights are missing, damaged, or of another network.
    """
    network = build(member, encoder_weights="none")
    load_weights(folder / WEIGHTS, network)
    return network.eval()
