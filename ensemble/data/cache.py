"""The training photographs decoded once: uint8 in memory-mapped files, read without a copy.

Decoding a 512 px PNG takes about 15 ms, and every epoch decodes every photograph again. A file of
decoded ones costs 1 MB a photograph at 512 px (target and damaged gray) and nothing to read, for
the operating system keeps it in memory and all processes share that memory.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Rgb, luma
from ensemble.data.competition import Competition, Sample
from ensemble.errors import ConfigError, DataError, EnsembleError, LockedError
from ensemble.manifest import differing, read_manifest, write_manifest
from ensemble.workspace import atomic_path, exclusive_lock

_TARGETS, _DAMAGED, _MANIFEST = "targets.npy", "damaged.npy", "manifest.json"
_SPARE_BYTES = 64 * 2**20
_POLL_SECONDS = 0.5


class CachedPhotographs:
    """The decoded training photographs of a competition; make it with `open_cache`.

    Gives the same arrays as the competition itself; `target` without a copy, so read-only. It may
    be pickled: another process maps the same files.

    Args:
        folder: Where the files are.
        image_ids: The photographs, in the files' order.
    """

    def __init__(self, folder: Path, image_ids: tuple[str, ...]) -> None:
        self.folder = folder
        self.image_ids = image_ids
        self._rows = {image_id: row for row, image_id in enumerate(image_ids)}
        self._targets: NDArray[np.uint8] = np.load(folder / _TARGETS, mmap_mode="r")
        self._damaged: NDArray[np.uint8] = np.load(folder / _DAMAGED, mmap_mode="r")

    def __reduce__(self) -> tuple[type[CachedPhotographs], tuple[Path, tuple[str, ...]]]:
        return CachedPhotographs, (self.folder, self.image_ids)

    def target(self, image_id: str) -> Rgb:
        """The photograph, (H, W, 3) uint8, a view of the file.

        Raises:
            DataError: There is no such photograph.
        """
        return self._targets[self._row(image_id)]

    def train_sample(self, image_id: str) -> Sample:
        """The photograph, its damage and its true mask, as `Competition.train_sample`.

        These are copies, which may be written to: OpenCV refuses some read-only arrays.
        """
        row = self._row(image_id)
        target, damaged = np.array(self._targets[row]), np.array(self._damaged[row])
        return Sample(image_id, target, damaged, damaged != luma(target))

    def _row(self, image_id: str) -> int:
        if image_id not in self._rows:
            raise DataError(f"no training photograph in `{self.folder}` is called `{image_id}`")
        return self._rows[image_id]


def open_cache(
    folder: Path, competition: Competition, *, advance: Callable[[int], None] = lambda _: None
) -> CachedPhotographs:
    """Open the cache, after building it if it is missing or of other data.

    Of several processes one builds while the others wait for it.

    Args:
        folder: Where it is or will be; replaced whole.
        competition: Whose training photographs; checked by digest.
        advance: Told how many photographs are newly decoded.

    Raises:
        DataError: A photograph is not as due.
        ConfigError: There is not enough room on the disk; the message says how much is needed.
    """
    while not _is_current(folder, competition):
        try:
            with exclusive_lock(folder, what=f"decoding photographs into `{folder}`"):
                if not _is_current(folder, competition):
                    _build(folder, competition, advance)
        except LockedError:
            time.sleep(_POLL_SECONDS)
    return CachedPhotographs(folder, competition.train_ids)


def reserve_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Make a .npy file of zeros, mapped for writing, whose room on the disk is assured.

    A mapped file without that assurance kills the process when the disk fills up.

    Raises:
        OSError: There is not enough room (ENOSPC).
    """
    array: NDArray[Any] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _is_current(folder: Path, competition: Competition) -> bool:
    try:
        manifest = read_manifest(folder / _MANIFEST)
    except EnsembleError:
        return False
    return not differing(manifest.made_from, {"data": competition.digest()})


def _build(folder: Path, competition: Competition, advance: Callable[[int], None]) -> None:
    image_ids = competition.train_ids
    _require_room(folder, len(image_ids) * 4 * competition.size[0] * competition.size[1])
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        shape = (len(image_ids), *competition.size)
        targets = reserve_array(temporary / _TARGETS, (*shape, 3), np.uint8)
        damaged = reserve_array(temporary / _DAMAGED, shape, np.uint8)

        def decode(row: int) -> None:
            sample = competition.train_sample(image_ids[row])
            targets[row], damaged[row] = sample.target, sample.damaged

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(decode, range(len(image_ids))):
                advance(1)
        for array in (targets, damaged):
            array.flush()  # type: ignore[attr-defined]
        _write_manifest(temporary, competition)


def _write_manifest(folder: Path, competition: Competition) -> None:
    write_manifest(
        folder / _MANIFEST,
        kind="cache",
        made_from={"data": competition.digest()},
        seed=competition.seed,
        facts={"photographs": len(competition.train_ids), "size": list(competition.size)},
    )


def _require_room(folder: Path, needed: int) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if needed + _SPARE_BYTES > free:
        raise ConfigError(
            f"decoded photographs need {needed / 1e9:.1f} GB in `{folder}`, but only "
            f"{free / 1e9:.1f} GB are free; free some space, or set `cache = false` under "
            "[training] in ens.toml"
        )
