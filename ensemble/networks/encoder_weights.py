"""ImageNet weights of encoders: found in the local cache, else downloaded, else refused quickly.

smp and timm publish them as safetensors on the Hugging Face Hub. Offline, its client retries for a
long time; here the cache is read first, and then the hub has to answer in time. Only safetensors
are read: nothing is ever unpickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

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
    "the folder from a connected machine will do); or do without: `--encoder-weights none` starts "
    "from random encoders, and an empty `prior_encoder` asks none"
)


class Release(NamedTuple):
    """Where an encoder's weights are published on the hub.

    The revision is the commit that is pinned, or None for the newest; of the files that are needed
    the last is the safetensors file.
    """

    repository: str
    revision: str | None
    files: tuple[str, ...]


def release_of(member: Member) -> Release:
    """Where the first weights of a trained member's encoder are published.

    Raises:
        WeightsError: None are.
    """
    if member.arch == HISTOGRAM_ARCH or member.encoder.startswith(TIMM_PREFIX):
        return timm_release(member.encoder.removeprefix(TIMM_PREFIX))
    return smp_release(member.encoder)


def smp_release(encoder: str) -> Release:
    """Where smp publishes the ImageNet weights of one of its encoders; as `release_of`."""
    settings = smp.encoders.encoders[encoder]["pretrained_settings"].get("imagenet")
    if settings is None:
        raise _unpublished(encoder)
    return Release(settings["repo_id"], settings["revision"], ("config.json", TENSORS))


def timm_release(encoder: str) -> Release:
    """Where timm publishes the default weights of one of its networks; as `release_of`."""
    config = timm.models.get_pretrained_cfg(encoder)
    if config is None or not config.hf_hub_id or config.custom_load:
        raise _unpublished(encoder)
    repository, _, revision = config.hf_hub_id.partition("@")
    return Release(repository, revision or None, (TENSORS,))


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


def first_weights(member: Member, encoder_weights: str) -> dict[str, Any]:
    """Arguments of `smp.create_model`, or of timm's for a histogram, for the first weights.

    Args:
        member: Of kind `trained`.
        encoder_weights: `imagenet`, or `none` for random ones.

    Raises:
        WeightsError: They cannot be had; raised within a few seconds.
    """
    of_timm = member.arch == HISTOGRAM_ARCH
    if encoder_weights == "none":
        return {"pretrained": False} if of_timm else {"encoder_weights": None}
    overlay = {"pretrained_cfg_overlay": {"file": str(fetch(release_of(member)))}}
    if of_timm:
        return {"pretrained": True, **overlay}
    if member.encoder.startswith(TIMM_PREFIX):
        return {"encoder_weights": True, **overlay}
    return {"encoder_weights": "imagenet"}


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
        "another encoder; or do without: `--encoder-weights none` starts from a random one, and an "
        "empty `prior_encoder` asks none"
    )
