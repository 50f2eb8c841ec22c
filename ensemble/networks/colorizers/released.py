"""The released weights of the colorizers: downloaded once, checked, and then loaded.

They are pickles, so the content is checked against the hash in the file's name before it is
read, and it is read with `weights_only=True`, which runs no code.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ensemble.errors import ConfigError, WeightsError, unknown_name
from ensemble.manifest import digest_file
from ensemble.networks.colorizers.download import download
from ensemble.networks.colorizers.eccv16 import Eccv16
from ensemble.networks.colorizers.siggraph17 import Siggraph17
from ensemble.networks.weights import fill
from ensemble.workspace import atomic_path

HOST = "https://colorizers.s3.us-east-2.amazonaws.com"


@dataclass(frozen=True)
class Release:
    """A released colorizer.

    Attributes:
        file: The file's name; before its suffix stand the first 8 hex digits of its SHA-256.
        network: Makes the network it fits.
    """

    file: str
    network: Callable[[], nn.Module]

    @property
    def url(self) -> str:
        """Where the file is published."""
        return f"{HOST}/{self.file}"

    @property
    def sha256_start(self) -> str:
        """The hex digits its SHA-256 must begin with."""
        return Path(self.file).stem.rpartition("-")[2]


RELEASES: Mapping[str, Release] = MappingProxyType(
    {
        "eccv16": Release("colorization_release_v2-9b330a0b.pth", Eccv16),
        "siggraph17": Release("siggraph17-df00044c.pth", Siggraph17),
    }
)


def cached_weights(name: str) -> Path:
    """Where a colorizer's weights are kept: torch's hub folder, below `TORCH_HOME`."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _release(name).file


def install_weights(name: str, file: Path) -> Path:
    """Copy a file the user has into the cache, if it is the genuine one, and return its place.

    Raises:
        WeightsError: It is missing, or its SHA-256 is not the released file's.
    """
    check_genuine(name, file)
    place = cached_weights(name)
    with atomic_path(place) as temporary:
        shutil.copyfile(file, temporary)
    return place


def find_weights(name: str) -> Path:
    """The genuine weights in the cache, downloaded with a progress bar if they are not there.

    Raises:
        WeightsError: They cannot be downloaded (said within seconds), or are not genuine.
    """
    place = cached_weights(name)
    if not place.exists():
        remedy = f"give a copy of the file with `--weights {place.name}`, or put it at `{place}`"
        download(
            _release(name).url,
            place,
            what=f"weights of {name}",
            remedy=remedy,
            check=lambda file: check_genuine(name, file),
        )
    check_genuine(name, place)
    return place


def check_genuine(name: str, file: Path) -> None:
    """Raise WeightsError unless the file's SHA-256 begins as the released file's does."""
    expected = _release(name).sha256_start
    if not file.is_file():
        raise WeightsError(f"`{file}`, given as the weights of {name}, is not there")
    digest = digest_file(file)
    if not digest.startswith(expected):
        raise WeightsError(
            f"the SHA-256 of {name}'s weights must begin with {expected}, but that of `{file}` "
            f"begins with {digest[:8]}: it is not the released file, or not all of it; delete it "
            f"and get it again from {_release(name).url}"
        )


def load_released(name: str, *, file: Path | None = None) -> nn.Module:
    """A released colorizer with its weights, in evaluation mode.

    Args:
        name: `eccv16` or `siggraph17`.
        file: Its weights; None finds them in the cache, or downloads them.

    Raises:
        WeightsError: The weights cannot be had, are not genuine, or do not fit.
    """
    if file is None:
        file = find_weights(name)
    else:
        check_genuine(name, file)
    network = _release(name).network()
    counters = {
        key: value for key, value in network.state_dict().items() if key.endswith("_tracked")
    }
    fill(network, {**counters, **_read(file)}, source=f"`{file}`")
    return network.eval()


def _read(file: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise WeightsError(f"`{file}` holds no state dict that is safe to load: {error}") from error
    return dict(state)


def _release(name: str) -> Release:
    if name not in RELEASES:
        raise ConfigError(unknown_name("released colorizer", name, RELEASES))
    return RELEASES[name]
