"""The photographs of a workspace, from one place: each decoded once, and its hole located once.

The training photographs are decoded into memory-mapped files, with the true and the located mask of
each at one bit a pixel: 1.1 MB a photograph at 512 px. All processes share the mapped memory.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ensemble import damage
from ensemble.arrays import Gray, Mask, Rgb
from ensemble.data.competition import Competition, Sample
from ensemble.data.png import read_mask
from ensemble.errors import ConfigError, DataError, EnsembleError
from ensemble.manifest import (
    MANIFEST,
    differing,
    digest_file,
    digest_json,
    read_manifest,
    write_manifest,
)
from ensemble.parallel import Progress, map_in_order, silent
from ensemble.workspace import atomic_path, exclusive_lock

MASK_FOLDER = "test_masks"
KEPT = 64
"""Photographs kept in memory where there is no cache."""

_NETS = Path(damage.__file__).parent / "locate" / "locator.npz"
_NAMES = ("targets", "damaged", "lost", "located")
_SPARE_BYTES = 64 * 2**20
_FLUSH_EVERY = 256
_ZEROS_BYTES = 16 * 2**20


class Photographs:
    """The photographs of a competition. It may be pickled: another process maps the same files.

    Args:
        competition: Whose photographs.
        folder: Where decoded training photographs are kept; None to decode at each use.
    """

    def __init__(self, competition: Competition, folder: Path | None = None) -> None:
        self.competition = competition
        self.folder = folder

        @lru_cache(KEPT)
        def read(image_id: str) -> Sample:
            sample = competition.train_sample(image_id)
            for array in (sample.target, sample.damaged, sample.lost_mask):
                array.flags.writeable = False
            return sample

        @lru_cache(KEPT)
        def locate(image_id: str) -> Mask:
            drawn = drawn_mask(competition, image_id)
            return _locate_hole(self.damaged(image_id)) if drawn is None else drawn

        self._read, self._locate = read, locate

    def __reduce__(self) -> tuple[type[Photographs], tuple[Competition, Path | None]]:
        return Photographs, (self.competition, self.folder)

    def prepare(self, progress: Progress = silent) -> None:
        """Build the files, unless they are there or not wanted; the first reading does it, too.

        Of several processes one builds while the others wait; an interrupted building goes on
        where it stopped.

        Raises:
            DataError: A photograph is not as due.
            ConfigError: There is not enough room on the disk; the message says how much is needed.
        """
        if self.folder is None or _is_current(self.folder, self.competition):
            return
        with exclusive_lock(self.folder, what=f"decoding into `{self.folder}`", wait=True):
            if _is_current(self.folder, self.competition, but="locator"):
                _relocate(self.folder, self.competition, progress)
            else:
                _build(self.folder, self.competition, progress)

    def target(self, image_id: str) -> Rgb:
        """A training photograph, (H, W, 3) uint8, read-only.

        Raises:
            DataError: There is no such photograph, or its file is not as due.
        """
        if self.folder is None:
            return self._read(image_id).target
        return self._mapped["targets"][self._row(image_id)]

    def train_sample(self, image_id: str) -> Sample:
        """A training photograph, its damage and its true mask, as `Competition.train_sample`.

        The arrays are copies, which may be written to.
        """
        if self.folder is None:
            sample = self._read(image_id)
            arrays = (sample.target.copy(), sample.damaged.copy(), sample.lost_mask.copy())
            return Sample(image_id, *arrays)
        row, files = self._row(image_id), self._mapped
        target, damaged = np.array(files["targets"][row]), np.array(files["damaged"][row])
        return Sample(image_id, target, damaged, self._unpacked("lost", row))

    def damaged(self, image_id: str) -> Gray:
        """The gray with the hole of a training or test photograph, (H, W) uint8."""
        if self.competition.is_test(image_id):
            return self.competition.test_input(image_id)
        if self.folder is None:
            return self._read(image_id).damaged
        return np.array(self._mapped["damaged"][self._row(image_id)])

    def located(self, image_id: str) -> Mask:
        """The lost pixels, as far as can be known without the answer, (H, W) bool.

        Those of a test photograph are the mask drawn by hand where there is one. Validation uses
        the located hole, so that it is honest about what the locator can do.
        """
        if self.folder is None or self.competition.is_test(image_id):
            return self._locate(image_id)
        return self._unpacked("located", self._row(image_id))

    def _unpacked(self, name: str, row: int) -> Mask:
        width = self.competition.size[1]
        return np.unpackbits(self._mapped[name][row], axis=-1, count=width).astype(np.bool_)

    @cached_property
    def _mapped(self) -> dict[str, NDArray[np.uint8]]:
        self.prepare()
        assert self.folder is not None
        return {name: np.load(_file(self.folder, name), mmap_mode="r") for name in _NAMES}

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {image_id: row for row, image_id in enumerate(self.competition.train_ids)}

    def _row(self, image_id: str) -> int:
        if image_id not in self._rows:
            raise DataError(
                f"no training photograph in `{self.competition.folder}` is called `{image_id}`"
            )
        return self._rows[image_id]


def drawn_mask(competition: Competition, image_id: str) -> Mask | None:
    """The mask drawn by hand for a test photograph, (H, W) bool; None where there is none.

    Raises:
        DataError: It is unreadable, of another size, or marks nothing.
    """
    path = mask_file(competition, image_id)
    if not competition.is_test(image_id) or not path.is_file():
        return None
    mask = read_mask(path)
    if mask.shape != competition.size:
        raise DataError(
            f"`{path}` must be as large as its photograph, {competition.size}, but is {mask.shape}"
        )
    if not mask.any():
        raise DataError(f"`{path}` must be white where the photograph is lost, but is all black")
    return mask


def mask_file(competition: Competition, image_id: str) -> Path:
    """Where a mask drawn by hand for this test photograph would lie; white is lost."""
    return competition.folder / MASK_FOLDER / f"{image_id}.png"


def masks_digest(competition: Competition) -> str:
    """SHA-256 of all masks drawn by hand; changes when one is added, edited or removed."""
    paths = [mask_file(competition, image_id) for image_id in competition.test_ids]
    return digest_json({path.name: digest_file(path) for path in paths if path.is_file()})


def locator_digest() -> str:
    """SHA-256 of what decides a located mask: the locator's version and its nets."""
    return digest_json({"version": damage.LOCATOR_VERSION, "nets": digest_file(_NETS)})


def reserve_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Make a .npy file of zeros, mapped for writing, whose room on the disk is set aside.

    Without that a disk that fills up kills the process (SIGBUS) when it writes to the mapping.

    Raises:
        OSError: There is not enough room (ENOSPC); nothing is left at `path`.
    """
    array: Any = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    try:
        with path.open("r+b") as file:
            if not _allocate(file.fileno(), path.stat().st_size):
                file.seek(array.offset)
                for start in range(0, array.nbytes, _ZEROS_BYTES):
                    file.write(bytes(min(_ZEROS_BYTES, array.nbytes - start)))
    except OSError as error:
        path.unlink()
        error.filename = str(path)
        raise
    return cast(NDArray[Any], array)


def _allocate(file_number: int, size: int) -> bool:
    """Set a file's room aside; False where the system or the file system cannot, as on macOS."""
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(file_number, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        return False
    return True


def _locate_hole(damaged: Gray) -> Mask:
    # Slow to import, and commands that only look at a project locate nothing.
    from ensemble.damage.locate import locate_hole

    return locate_hole(damaged).lost_mask


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def _digests(competition: Competition) -> dict[str, str]:
    layout = ", ".join(_NAMES)
    return {"data": competition.digest(), "layout": layout, "locator": locator_digest()}


def _is_current(folder: Path, competition: Competition, *, but: str = "") -> bool:
    """Whether the files are there and of these things, `but` for one of them."""
    try:
        manifest = read_manifest(folder / MANIFEST)
    except EnsembleError:
        return False
    due = {name: digest for name, digest in _digests(competition).items() if name != but}
    there = all(_file(folder, name).is_file() for name in _NAMES)
    return there and not differing(manifest.made_from, due)


def _build(folder: Path, competition: Competition, progress: Progress) -> None:
    unfinished = folder.with_name(f".{folder.name}-unfinished")
    if not _is_current(unfinished, competition):
        _reserve(folder, unfinished, competition)
    files = {n: np.load(_file(unfinished, n), mmap_mode="r+") for n in (*_NAMES, "done")}
    todo = np.flatnonzero(files["done"] == 0).tolist()
    store = partial(_store, files, competition)
    stored: list[int] = []
    with progress("decoding photographs", len(todo)) as advance:
        for row in map_in_order(store, todo):
            stored.append(row)
            advance(1)
            if len(stored) % _FLUSH_EVERY == 0 or len(stored) == len(todo):
                for array in files.values():
                    array.flush()
                files["done"][stored] = 1
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _store(files: dict[str, Any], competition: Competition, row: int) -> int:
    sample = competition.train_sample(competition.train_ids[row])
    files["targets"][row], files["damaged"][row] = sample.target, sample.damaged
    files["lost"][row] = np.packbits(sample.lost_mask, axis=-1)
    files["located"][row] = np.packbits(_locate_hole(sample.damaged), axis=-1)
    return row


def _reserve(folder: Path, unfinished: Path, competition: Competition) -> None:
    count, (height, width) = len(competition.train_ids), competition.size
    packed = (count, height, -(-width // 8))
    shapes = {
        "targets": (count, height, width, 3),
        "damaged": (count, height, width),
        "lost": packed,
        "located": packed,
        "done": (count,),
    }
    shutil.rmtree(unfinished, ignore_errors=True)
    needed = sum(int(np.prod(shape)) for shape in shapes.values())
    if needed + _SPARE_BYTES > shutil.disk_usage(folder.parent).free:
        raise _no_room(folder, needed)
    unfinished.mkdir(parents=True)
    try:
        for name, shape in shapes.items():
            reserve_array(_file(unfinished, name), shape, np.uint8)
    except OSError as error:
        shutil.rmtree(unfinished)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(folder, needed) from None
        raise
    _write_manifest(unfinished, competition)


def _no_room(folder: Path, needed: int) -> ConfigError:
    free = shutil.disk_usage(folder.parent).free
    return ConfigError(
        f"decoded photographs need {needed / 1e9:.1f} GB in `{folder}`, but {free / 1e9:.1f} GB "
        "are free, or your quota is used up; free some space, or set `cache = false` under "
        "[training] in ens.toml"
    )


def _relocate(folder: Path, competition: Competition, progress: Progress) -> None:
    """Locate every hole again, by another locator."""
    damaged = np.load(_file(folder, "damaged"), mmap_mode="r")
    locate: Callable[[Gray], Mask] = _locate_hole
    with (
        atomic_path(_file(folder, "located")) as temporary,
        progress("locating holes", len(damaged)) as advance,
    ):
        shape = (*damaged.shape[:2], -(-damaged.shape[2] // 8))
        located = reserve_array(temporary, shape, np.uint8)
        for row, mask in enumerate(map_in_order(locate, map(np.array, damaged))):
            located[row] = np.packbits(mask, axis=-1)
            advance(1)
    _write_manifest(folder, competition)


def _write_manifest(folder: Path, competition: Competition) -> None:
    write_manifest(
        folder / MANIFEST,
        kind="cache",
        made_from=_digests(competition),
        seed=competition.seed,
        facts={"photographs": len(competition.train_ids), "size": list(competition.size)},
    )
