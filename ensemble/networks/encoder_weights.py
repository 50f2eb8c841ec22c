"""ImageNet weights of encoders: found in the local cache, else downloaded, else refused quickly.

smp and timm publish them as safetensors on the Hugging Face Hub. Offline, its client retries for a
long time; here the cache is read first, and then the hub has to answer in time. Only safetensors
are read: nothing is ever unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import segmentation_models_pytorch as smp
import timm
from huggingface_hub import constants

from ensemble.errors import WeightsError
from ensemble.members import HISTOGRAM_ARCH, Member
from ensemble.networks.catalogue import TIMM_PREFIX
from ensemble.networks.weights import answers

TENSORS = "model.safetensors"
REMEDY = (
    "connect to the internet; or put the file into the cache (HF_HOME names its folder; a copy of "
    "the folder from a connected machine will do); or start from random encoders with "
    "`--encoder-weights none`"
)


@dataclass(frozen=True)
class Release:
    """Where an encoder's weights are published.

    Attributes:
        repository: The repository on the hub.
        revision: The commit that is pinned, or None for the newest.
        files: What is needed from it; the last is the safetensors file.
    """

    repository: str
    revision: str | None
    files: tuple[str, ...]


def smp_release(encoder: str) -> Release:
    """Where smp publishes the ImageNet weights of one of its encoders.

    Raises:
        WeightsError: It publishes none.
    """
    settings = smp.encoders.encoders[encoder]["pretrained_settings"].get("imagenet")
    if settings is None:
        raise _unpublished(encoder)
    return Release(settings["repo_id"], settings["revision"], ("config.json", TENSORS))


def timm_release(encoder: str) -> Release:
    """Where timm publishes the default weights of one of its networks; see `smp_release`."""
    config = timm.models.get_pretrained_cfg(encoder)
    if config is None or not config.hf_hub_id or config.custom_load:
        raise _unpublished(encoder)
    repository, _, revision = config.hf_hub_id.partition("@")
    return Release(repository, revision or None, (TENSORS,))


def release_of(member: Member) -> Release:
    """Where the first weights of a trained member's encoder are published.

    Raises:
        WeightsError: None are.
    """
    if member.arch == HISTOGRAM_ARCH:
        return timm_release(member.encoder)
    return _smp_or_timm_release(member.encoder)


def _smp_or_timm_release(encoder: str) -> Release:
    """Of an encoder as smp spells it: one of timm's after `tu-`."""
    if encoder.startswith(TIMM_PREFIX):
        return timm_release(encoder.removeprefix(TIMM_PREFIX))
    return smp_release(encoder)


def is_cached(release: Release) -> bool:
    """Whether all files of a release are in the local cache."""
    return all(_cached(release, file) is not None for file in release.files)


def hub_answers() -> bool:
    """Whether the hub can be asked for what is not in the cache."""
    return not _hub_fault()


def _hub_fault() -> str:
    """Why the hub cannot be asked; empty if it can."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    return "" if answers(constants.ENDPOINT) else f"{constants.ENDPOINT} does not answer"


def smp_arguments(encoder: str, encoder_weights: str) -> dict[str, Any]:
    """Arguments of `smp.create_model` that give an encoder its first weights.

    Args:
        encoder: An encoder of smp, or of timm after `tu-`.
        encoder_weights: `imagenet` or `none`.

    Raises:
        WeightsError: They cannot be had; raised within a few seconds.
    """
    if encoder_weights == "none":
        return {"encoder_weights": None}
    file = fetch(_smp_or_timm_release(encoder))
    if not encoder.startswith(TIMM_PREFIX):
        return {"encoder_weights": "imagenet"}
    return {"encoder_weights": True, "pretrained_cfg_overlay": {"file": str(file)}}


def timm_arguments(encoder: str, encoder_weights: str) -> dict[str, Any]:
    """Arguments of `timm.create_model`, as `smp_arguments`."""
    if encoder_weights == "none":
        return {"pretrained": False}
    file = fetch(timm_release(encoder))
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}


def fetch(release: Release) -> Path:
    """Path of a release's safetensors file in the local cache, downloaded if it is not there.

    Raises:
        WeightsError: It is not in the cache, and the hub does not answer or the download fails.
    """
    paths = [_cached(release, file) for file in release.files]
    if None in paths:
        paths = _download(release)
    return Path(str(paths[-1]))


def _cached(release: Release, file: str) -> str | None:
    found = huggingface_hub.try_to_load_from_cache(
        release.repository, file, cache_dir=constants.HF_HUB_CACHE, revision=release.revision
    )
    return found if isinstance(found, str) else None


def _download(release: Release) -> list[str | None]:
    if fault := _hub_fault():
        raise _unavailable(release, fault)
    try:
        return [
            huggingface_hub.hf_hub_download(release.repository, file, revision=release.revision)
            for file in release.files
        ]
    except Exception as error:
        raise _unavailable(release, f"{constants.ENDPOINT}: {error}") from error


def _unavailable(release: Release, reason: str) -> WeightsError:
    return WeightsError(
        f"the ImageNet weights `{release.repository}` are not in the cache "
        f"`{constants.HF_HUB_CACHE}` and cannot be downloaded ({reason}); {REMEDY}"
    )


def _unpublished(encoder: str) -> WeightsError:
    return WeightsError(
        f"no ImageNet weights are published as safetensors for the encoder `{encoder}`; choose "
        "another encoder, or start from a random one with `--encoder-weights none`"
    )
