"""Training photographs decoded into memory-mapped files, with their true and their located holes.

1.1 MB a photograph at 512 px, masks at one bit a pixel. All processes share the mapped memory.
"""

from __future__ import annotations

import errno
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ensemble import damage
from ensemble.arrays import Gray, Mask
from ensemble.data.competition import Competition
from ensemble.errors import EnsembleError
from ensemble.manifest import (
    MANIFEST,
    differing,
    digest_file,
    digest_json,
    read_manifest,
    write_manifest,
)
from ensemble.parallel import Progress, map_in_order
from ensemble.workspace import atomic_path, check_room, exclusive_lock, no_room

NAMES = ("targets", "damaged", "lost", "located")

_NETS = Path(damage.__file__).parent / "locate" / "locator.npz"
_WHAT, _REMEDY = "decoded photographs", "set `cache = false` under [training] in ens.toml"
_FLUSH_EVERY = 256
_ZEROS_BYTES = 16 * 2**20


class DecodedFiles:
    """The files of one competition, with a row for each of its training photographs.

    Args:
        folder: Where they lie.
        competition: Whose photographs.
    """

    def __init__(self, folder: Path, competition: Competition) -> None:
        self.folder = folder
        self.competition = competition
        self.image_ids = competition.train_ids
        self.shapes = shape_files(len(self.image_ids), competition.size)

    def open(self) -> dict[str, NDArray[np.uint8]]:
        """Map every file for reading, by `NAMES`."""
        return {name: np.load(_file(self.folder, name), mmap_mode="r") for name in NAMES}

    def prepare(self, progress: Progress) -> None:
        """Build the files unless they are there; see `Photographs.prepare`."""
        if self._is_current(self.folder):
            return
        with exclusive_lock(self.folder, what=f"decoding into `{self.folder}`", wait=True):
            if self._is_current(self.folder, but="locator"):
                self._relocate(progress)
            else:
                self._build(progress)

    def _digests(self) -> dict[str, str]:
        data, layout = self.competition.digest(), ", ".join(NAMES)
        return {"data": data, "layout": layout, "locator": locator_digest()}

    def _is_current(self, folder: Path, *, but: str = "") -> bool:
        """Whether the files are there and of the present things, `but` for one of them."""
        try:
            manifest = read_manifest(folder / MANIFEST)
        except EnsembleError:
            return False
        due = {name: digest for name, digest in self._digests().items() if name != but}
        there = all(_file(folder, name).is_file() for name in NAMES)
        return there and not differing(manifest.made_from, due)

    def _build(self, progress: Progress) -> None:
        """Decode and locate every photograph; goes on where an earlier building stopped."""
        unfinished = self.folder.with_name(f".{self.folder.name}-unfinished")
        if not self._is_current(unfinished):
            self._reserve(unfinished)
        files = {name: np.load(_file(unfinished, name), mmap_mode="r+") for name in NAMES}
        done = np.load(_file(unfinished, "done"), mmap_mode="r+")
        todo = np.flatnonzero(done == 0).tolist()
        stored: list[int] = []
        with progress("decoding photographs", len(todo)) as advance:
            for row in map_in_order(partial(self._store, files), todo):
                stored.append(row)
                advance(1)
                if len(stored) % _FLUSH_EVERY == 0 or len(stored) == len(todo):
                    for array in files.values():
                        array.flush()
                    done[stored] = 1
        done.flush()
        shutil.rmtree(self.folder, ignore_errors=True)
        unfinished.rename(self.folder)

    def _store(self, files: dict[str, Any], row: int) -> int:
        sample = self.competition.train_sample(self.image_ids[row])
        files["targets"][row], files["damaged"][row] = sample.target, sample.damaged
        files["lost"][row] = np.packbits(sample.lost_mask, axis=-1)
        files["located"][row] = np.packbits(find_lost(sample.damaged), axis=-1)
        return row

    def _reserve(self, unfinished: Path) -> None:
        """Make empty files; a disk without room is an error now, not in the middle."""
        shapes = {**self.shapes, "done": self.shapes["targets"][:1]}
        shutil.rmtree(unfinished, ignore_errors=True)
        needed = sum(int(np.prod(shape)) for shape in shapes.values())
        check_room(self.folder, needed, what=_WHAT, remedy=_REMEDY)
        unfinished.mkdir(parents=True)
        try:
            for name, shape in shapes.items():
                reserve_array(_file(unfinished, name), shape)
        except OSError as error:
            shutil.rmtree(unfinished)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise no_room(self.folder, needed, what=_WHAT, remedy=_REMEDY) from None
            raise
        self._write_manifest(unfinished)

    def _relocate(self, progress: Progress) -> None:
        """Locate every hole again, by another locator."""
        damaged = np.load(_file(self.folder, "damaged"), mmap_mode="r")
        with (
            atomic_path(_file(self.folder, "located")) as temporary,
            progress("locating holes", len(damaged)) as advance,
        ):
            located = reserve_array(temporary, self.shapes["located"])
            for row, mask in enumerate(map_in_order(find_lost, map(np.array, damaged))):
                located[row] = np.packbits(mask, axis=-1)
                advance(1)
        self._write_manifest(self.folder)

    def _write_manifest(self, folder: Path) -> None:
        write_manifest(
            folder / MANIFEST,
            kind="cache",
            made_from=self._digests(),
            seed=self.competition.seed,
            facts={
                "photographs": len(self.image_ids),
                "size": list(self.competition.size),
            },
        )


def shape_files(count: int, size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """The shape of each file, uint8, by `NAMES`, for so many photographs of (H, W) pixels."""
    height, width = size
    packed = (count, height, -(-width // 8))
    shapes = ((count, height, width, 3), (count, height, width), packed, packed)
    return dict(zip(NAMES, shapes, strict=True))


def find_lost(damaged: Gray) -> Mask:
    """The mask of `locate_hole`, which is slow to import: looking at a project locates nothing."""
    from ensemble.damage.locate import locate_hole

    return locate_hole(damaged).lost_mask


def locator_digest() -> str:
    """SHA-256 of what decides a located mask: the locator's version and its nets."""
    return digest_json({"version": damage.LOCATOR_VERSION, "nets": digest_file(_NETS)})


def reserve_array(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Make a .npy file of uint8 zeros, mapped for writing, whose room on the disk is set aside.

    Without that a disk that fills up kills the process (SIGBUS) when it writes to the mapping.

    Raises:
        OSError: There is not enough room (ENOSPC); nothing is left at `path`.
    """
    array: Any = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
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
    return cast(NDArray[np.uint8], array)


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


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
