"""The released weights of the colorizers: downloaded once, checked, and then loaded.

They are pickles, so the content is checked against the hash in the file's name before it is
read, and it is read with `weights_only=True`, which runs no code.
"""

from __future__ import annotations

import http.client
import pickle
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ensemble.errors import ConfigError, WeightsError, unknown_name
from ensemble.files import atomic_path
from ensemble.manifest import digest_file
from ensemble.networks.colorizers.networks import Eccv16, Siggraph17
from ensemble.networks.weights import answers, fill

DEADLINE_S = 1.0
STALL_S = 20.0
HOST = "https://colorizers.s3.us-east-2.amazonaws.com"


class Release(NamedTuple):
    """A released colorizer: its file, which fits the network that is made.

    Before the suffix of its name stand the first 8 hex digits of its SHA-256.
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
        WeightsError: They cannot be downloaded (raised within a second if the host does not
            answer), or are not genuine.
    """
    place = cached_weights(name)
    if not place.exists():
        _download(name, place)
    check_genuine(name, place)
    return place


def _download(name: str, place: Path) -> None:
    release, what = _release(name), f"weights of {name} cannot be downloaded"
    remedy = f"give a copy of the file with `--weights {place.name}`, or put it at `{place}`"
    if not answers(release.url, deadline_s=DEADLINE_S):
        raise WeightsError(f"{what}, {release.url} does not answer; {remedy}")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _stall_timeout():
            torch.hub.download_url_to_file(release.url, str(place), release.sha256_start)
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        raise WeightsError(f"{what} from {release.url}: {error}; {remedy}") from error


@contextmanager
def _stall_timeout() -> Iterator[None]:
    """Give up a transfer that stalls; torch sets no timeout of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


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


def load_released(name: str) -> nn.Module:
    """A released colorizer with its weights, in evaluation mode.

    Raises:
        WeightsError: The weights cannot be had, are not genuine, or do not fit.
    """
    file = find_weights(name)
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
