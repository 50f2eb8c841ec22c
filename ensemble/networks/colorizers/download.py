"""One file from the network, with a progress bar, whole and checked or not at all."""

from __future__ import annotations

import http.client
import urllib.request
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ensemble.errors import WeightsError
from ensemble.networks.reachable import answers
from ensemble.workspace import atomic_path

DEADLINE_S = 1.0
STALL_S = 20.0
CHUNK = 1 << 18


def download(
    url: str, place: Path, *, what: str, remedy: str, check: Callable[[Path], None]
) -> None:
    """Download a file.

    Args:
        url: Its address.
        place: Where it is to be; nothing appears there before it is whole and checked.
        what: What it is, for the progress bar and the messages.
        remedy: What else the user can do, for the messages.
        check: Called with the downloaded file; raises if it is not the wanted one.

    Raises:
        WeightsError: The host does not answer within a second, or the transfer fails.
    """
    if not answers(url, deadline_s=DEADLINE_S):
        raise WeightsError(f"{what} cannot be downloaded, {url} does not answer; {remedy}")
    with atomic_path(place) as temporary:
        try:
            _transfer(url, temporary, what)
        except (OSError, http.client.HTTPException) as error:
            raise WeightsError(
                f"{what} cannot be downloaded from {url}: {error}; {remedy}"
            ) from error
        check(temporary)


def _transfer(url: str, place: Path, what: str) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with (
        urllib.request.urlopen(url, timeout=STALL_S) as response,
        place.open("wb") as file,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        size = response.headers.get("Content-Length")
        task = progress.add_task(what, total=int(size) if size else None)
        while chunk := response.read(CHUNK):
            file.write(chunk)
            progress.advance(task, len(chunk))
    if size and place.stat().st_size != int(size):
        raise OSError(f"{place.stat().st_size} bytes of {size} came")
