"""Every training photograph read once: digested, described, decoded, and its hole located.

A folder holds a row for each photograph, in the order of `train_ids`, in each of these files:

- `rows.npy`: digests and description, and size and time of its files when they were read
- `located.npy`: the hole as it is located, one bit a pixel
- `sums.npy`: a checksum of its row in each of the other files
- `targets.npy`, `damaged.npy`, `lost.npy`: its pixels and its true hole, where the disk has room

At 512 px these are 2.7 KB, 33 KB and 1.1 MB a photograph. They are written and read like any file,
not mapped: a process that has read all of them holds none of them in its memory.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ensemble import folds
from ensemble.data.competition import Competition
from ensemble.data.digests import fingerprint, remember_digests
from ensemble.data.facts import Facts, describe_sample, find_lost, locator_digest
from ensemble.data.reserve import reserve_array
from ensemble.errors import EnsembleError, StaleArtefactError
from ensemble.files import exclusive_lock, free_bytes, has_room, links_in, no_room, refuse_links
from ensemble.manifest import (
    MANIFEST,
    differing,
    digest_file,
    digest_json,
    read_manifest,
    write_manifest,
)
from ensemble.parallel import Progress, map_in_order, silent
from ensemble.reading import npy_header, read_npy

ALWAYS: tuple[str, ...] = ("rows", "sums", "located")
PIXELS: tuple[str, ...] = ("targets", "damaged", "lost")
_SUMMED = ("rows", "located", *PIXELS)
"""Files of which each row has a checksum, in the order of the columns of `sums.npy`."""

_SYNC_EVERY = 256

Row = NDArray[np.void]
Pictures = dict[str, NDArray[np.uint8]]
"""One row of each file but `rows`, by the file's name."""


class Scan:
    """The files of one competition in a folder; see `Photographs` for `keep_pixels`."""

    def __init__(self, folder: Path, competition: Competition, *, keep_pixels: bool) -> None:
        self.folder = folder
        self.competition = competition
        self.keep_pixels = keep_pixels
        self.image_ids = competition.train_ids
        self.shapes = shape_files(len(self.image_ids), competition.size)

    @property
    def has_pixels(self) -> bool:
        """Whether the pixels are there."""
        return self._has(self.folder, PIXELS)

    @cached_property
    def facts(self) -> Facts:
        """What describes the photographs, a row each."""
        rows = self._load_rows(self.folder)
        if not rows["done"].all():
            self._mend(lambda: bool(self._load_rows(self.folder)["done"].all()))
            rows = self._load_rows(self.folder)
        return Facts(*(rows[name] for name in Facts._fields))

    def read(self, name: str, row: int) -> NDArray[np.uint8]:
        """One photograph's part of a file.

        Where that is not what was written, every photograph of which something is damaged is read
        again: what has befallen one has seldom befallen it alone.

        Raises:
            StaleArtefactError: It is damaged again at once.
        """
        found = self._read_row(name, row)
        if found is None:
            self._mend(lambda: self._read_row(name, row) is not None)
            found = self._read_row(name, row)
        if found is None:
            raise StaleArtefactError(
                f"`{_file(self.folder, name)}` is damaged at `{self.image_ids[row]}`; remove the "
                f"folder `{self.folder}`: the next command makes it anew"
            )
        return found

    def _read_row(self, name: str, row: int) -> NDArray[np.uint8] | None:
        """A row of a file; None if it is not what was written."""
        path, shape = _file(self.folder, name), self.shapes[name][1:]
        start = self._find_row(name, row)
        found = np.fromfile(path, np.uint8, int(np.prod(shape)), offset=start)
        whole = _sum(found) == self._sums[row, _SUMMED.index(name)]
        return found.reshape(shape) if whole else None

    def _mend(self, is_whole: Callable[[], bool]) -> None:
        """Read the damaged photographs again, unless another process has done so."""
        with exclusive_lock(self.folder, what=f"reading into `{self.folder}`", wait=True):
            self.__dict__.pop("_sums", None)
            if is_whole():
                return
            names = ALWAYS + PIXELS if self.has_pixels else ALWAYS
            summed = [name for name in _SUMMED if name in names]
            harmed = [
                row
                for row in range(len(self.image_ids))
                if any(self._read_row(name, row) is None for name in summed)
            ]
            logging.getLogger("ensemble").warning(
                f"`{self.folder}` is damaged at `{self.image_ids[harmed[0]]}` and "
                f"{len(harmed) - 1} more photographs: they are read again"
            )
            self._fill(self.folder, names, silent, harmed)
            self.__dict__.pop("_sums", None)

    @cached_property
    def _sums(self) -> NDArray[np.uint32]:
        return self._load(self.folder, "sums").view("<u4")

    def _load(self, folder: Path, name: str) -> NDArray[np.uint8]:
        return read_npy(_file(folder, name), shape=self.shapes[name], dtype=np.uint8)

    def _load_rows(self, folder: Path) -> Row:
        """The rows; those that are not what was written do not count as done."""
        content, sums = self._load(folder, "rows"), self._load(folder, "sums").view("<u4")
        whole = [_sum(row) == due for row, due in zip(content, sums[:, 0], strict=True)]
        rows = content.view(_row_type())[:, 0]
        rows["done"] &= whole
        return rows

    def prepare(self, progress: Progress) -> None:
        """Make the files unless they are there; see `Photographs.prepare`."""
        if self.is_current:
            return
        with exclusive_lock(self.folder, what=f"reading into `{self.folder}`", wait=True):
            if not self.is_current:
                self._build(progress)

    @property
    def is_current(self) -> bool:
        """Whether the files are there, and of the present photographs as they are read today."""
        if not self._serves(self.folder):
            return False
        noted = read_manifest(self.folder / MANIFEST, "cache").made_from
        return noted.get("data") == self.competition.digest()

    def _serves(self, folder: Path) -> bool:
        """Whether files are whole, of these photographs as they are read today, and all wanted.

        Pixels that there was no room for are not tried again, else each command might.
        """
        try:
            manifest = read_manifest(folder / MANIFEST, "cache")
        except EnsembleError:
            return False
        if differing(manifest.made_from, self._made_from) or not self._has(folder, ALWAYS):
            return False
        wanted = not self.keep_pixels or manifest.facts["pixels"] == "no room"
        return wanted or self._has(folder, PIXELS)

    def _has(self, folder: Path, names: tuple[str, ...]) -> bool:
        """Whether files are there, of the sizes and with the headers due."""

        def has(path: Path, name: str) -> bool:
            size = self._find_row(name, len(self.image_ids))
            if not path.is_file() or path.stat().st_size != size:
                return False
            with path.open("rb") as file:
                return file.read(len(self._headers[name])) == self._headers[name]

        return all(has(_file(folder, name), name) for name in names)

    @cached_property
    def _made_from(self) -> dict[str, str]:
        """What decides a row beside the files' contents."""
        competition = self.competition
        seed = competition.seed if competition.simulated else None
        return {
            "photographs": digest_json([self.image_ids, competition.size, seed]),
            "layout": digest_json([ALWAYS, PIXELS, str(_row_type())]),
            "description": str(folds.DESCRIPTION_VERSION),
            "locator": locator_digest(),
        }

    def _build(self, progress: Progress) -> None:
        """Read what is not yet read; goes on where an earlier building stopped.

        Files that have changed since are read again, and only these.
        """
        unfinished = self.folder.with_name(f".{self.folder.name}-unfinished")
        refuse_links(*links_in(self.folder), *links_in(unfinished))
        if self._serves(self.folder):
            shutil.rmtree(unfinished, ignore_errors=True)
            self.folder.rename(unfinished)
        if not self._serves(unfinished):
            self._reserve(unfinished)
        names = ALWAYS
        if self.keep_pixels and self._has(unfinished, PIXELS):
            names += PIXELS
        for name in set(self.shapes) - set(names):
            _file(unfinished, name).unlink(missing_ok=True)
        self._fill(unfinished, names, progress)
        self._write_manifest(unfinished, names, {"data": self.competition.digest(progress)})
        shutil.rmtree(self.folder, ignore_errors=True)
        unfinished.rename(self.folder)

    def _fill(
        self,
        folder: Path,
        names: tuple[str, ...],
        progress: Progress,
        harmed: Sequence[int] = (),
    ) -> None:
        """Read what is not yet read, or is damaged in these rows.

        A photograph is noted only once its pixels are on the disk.
        """
        rows = self._load_rows(folder)
        rows["done"][list(harmed)] = False
        paths = map(self.competition.train_files, self.image_ids)
        stamps = np.array([[fingerprint(p) if p else (0, 0) for p in pair] for pair in paths])
        todo = np.flatnonzero(~rows["done"] | (rows["stamps"] != stamps).any(axis=(1, 2)))
        with ExitStack() as stack:
            files = {name: stack.enter_context(_file(folder, name).open("r+b")) for name in names}
            advance = stack.enter_context(progress(self._name_work(names), len(todo)))
            read: list[int] = []

            def note() -> None:
                for name in (*names[1:], "rows"):
                    for number in read if name == "rows" else ():
                        self._write(files[name], name, number, rows[number])
                    files[name].flush()
                    os.fsync(files[name].fileno())
                read.clear()

            stack.callback(note)
            for number, (row, pictures) in zip(
                todo.tolist(), map_in_order(partial(self._read_one, stamps), todo), strict=True
            ):
                for name in names[1:]:
                    self._write(files[name], name, number, pictures[name])
                rows[number] = row
                read.append(number)
                if len(read) == _SYNC_EVERY:
                    note()
                advance(1)
        self._remember(rows)

    def _read_one(self, stamps: NDArray[np.int64], number: int) -> tuple[Row, Pictures]:
        image_id = self.image_ids[number]
        row = np.zeros((), dtype=_row_type())
        for place, path in enumerate(self.competition.train_files(image_id)):
            if path is not None:
                row["digests"][place] = np.frombuffer(bytes.fromhex(digest_file(path)), np.uint8)
        sample = self.competition.train_sample(image_id)
        row["done"], row["stamps"] = True, stamps[number]
        for name, fact in describe_sample(sample)._asdict().items():
            row[name] = fact
        pictures = {
            "located": np.packbits(find_lost(sample.damaged), axis=-1),
            "targets": sample.target,
            "damaged": sample.damaged,
            "lost": np.packbits(sample.lost_mask, axis=-1),
        }
        parts = {"rows": row, **pictures}
        sums = [_sum(parts[name]) for name in _SUMMED]
        return row, {"sums": np.array(sums, "<u4").view(np.uint8), **pictures}

    def _write(self, file: IO[bytes], name: str, number: int, content: NDArray[Any]) -> None:
        file.seek(self._find_row(name, number))
        file.write(content.tobytes())

    def _find_row(self, name: str, number: int) -> int:
        """Where a row of a file begins, in bytes."""
        return len(self._headers[name]) + number * int(np.prod(self.shapes[name][1:]))

    @cached_property
    def _headers(self) -> dict[str, bytes]:
        """The bytes before the first row of each file, which follow from its shape."""
        return {name: npy_header(shape, np.uint8) for name, shape in self.shapes.items()}

    def _name_work(self, names: tuple[str, ...]) -> str:
        if names != ALWAYS or not self.keep_pixels:
            return "reading photographs"
        needed, free = self._bytes(PIXELS), free_bytes(self.folder)
        return (
            f"reading photographs ({needed / 1e9:.1f} GB to keep them decoded, {free / 1e9:.1f} GB "
            "free: they are decoded at each use)"
        )

    def _remember(self, rows: Row) -> None:
        """Spare `Competition.digest` a second reading."""
        known = {}
        for image_id, row in zip(self.image_ids, rows, strict=True):
            paths = self.competition.train_files(image_id)
            for path, stamp, digest in zip(paths, row["stamps"], row["digests"], strict=True):
                if path is not None:
                    known[path] = (int(stamp[0]), int(stamp[1])), digest.tobytes().hex()
        remember_digests(known, folder=self.competition.folder)

    def _reserve(self, folder: Path) -> None:
        """Make empty files, those of the pixels only where there is room for them.

        A disk without room for the others is an error now, not in the middle.
        """
        for stale in (folder, self.folder):
            shutil.rmtree(stale, ignore_errors=True)
        for names in (ALWAYS + PIXELS, ALWAYS) if self.keep_pixels else (ALWAYS,):
            if not has_room(self.folder, self._bytes(names)):
                continue
            folder.mkdir(parents=True)
            try:
                for name in names:
                    reserve_array(_file(folder, name), self.shapes[name])
            except OSError as error:
                shutil.rmtree(folder)
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                continue
            return self._write_manifest(folder, names, {})
        raise no_room(
            self.folder,
            self._bytes(ALWAYS),
            what="the descriptions and holes of the photographs",
            remedy="put the workspace on a larger disk",
        )

    def _bytes(self, names: tuple[str, ...]) -> int:
        return sum(int(np.prod(self.shapes[name])) for name in names)

    def _write_manifest(
        self, folder: Path, names: tuple[str, ...], data: Mapping[str, str]
    ) -> None:
        missing = "no room" if self.keep_pixels else "not wanted"
        write_manifest(
            folder / MANIFEST,
            kind="cache",
            made_from={**self._made_from, **data},
            seed=self.competition.seed,
            facts={
                "photographs": len(self.image_ids),
                "size": list(self.competition.size),
                "pixels": "kept" if names != ALWAYS else missing,
            },
        )


def shape_files(count: int, size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """The shape of each file, uint8, for so many photographs of (H, W) pixels."""
    height, width = size
    packed = (count, height, -(-width // 8))
    return {
        "rows": (count, _row_type().itemsize),
        "sums": (count, 4 * len(_SUMMED)),
        "located": packed,
        "targets": (count, height, width, 3),
        "damaged": (count, height, width),
        "lost": packed,
    }


def _row_type() -> np.dtype[np.void]:
    from ensemble.folds.describe import LENGTH

    return np.dtype(
        [
            ("done", "?"),
            ("stamps", "<i8", (2, 2)),
            ("digests", "u1", (2, 32)),
            ("traits", "<f8", (3,)),
            ("flat", "<f8"),
            ("vector", "u1", (LENGTH,)),
        ]
    )


def _sum(row: NDArray[Any]) -> int:
    """CRC-32 of a row's bytes."""
    return zlib.crc32(np.ascontiguousarray(row).tobytes())


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
