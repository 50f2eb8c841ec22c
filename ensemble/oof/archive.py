"""An archive of predictions on disk: one array a view, one picture a chunk.

Beside the Zarr arrays lie a manifest (what the predictions were made from, for which photographs
and views) and a checksum of every prediction, which finds missing, swapped and changed chunks: Zarr
would read a missing one as black.

Files are read here, and chunks written, not through Zarr's event loop, which costs ten times the
time of a small picture; Zarr is imported only to make an archive.
"""

from __future__ import annotations

import io
import math
import shutil
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, PositiveInt, model_validator

from ensemble.config import MOST_SIDE
from ensemble.errors import (
    ArrayError,
    DataError,
    LockedError,
    MissingArtefactError,
    StaleArtefactError,
)
from ensemble.files import atomic_write, exclusive_lock, has_room, no_room, refuse_links
from ensemble.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from ensemble.parallel import split_in_batches
from ensemble.reading import read_json, read_npy, shorten
from ensemble.vocabulary import View

ARRAYS, RECORD, _METADATA = "views.zarr", "checksums.npy", "zarr.json"
REMEDY = "run `ens oof`"

_COPIED_AT_ONCE = 32

_LARGEST_ITEM = 4 * MOST_SIDE**2
"""Bytes of one prediction."""


class _Array(NamedTuple):
    """What a view's file of metadata says: its shape, all photographs of it, and its dtype."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _Group(BaseModel):
    zarr_format: Literal[3]
    node_type: Literal["group"]


class _Bytes(BaseModel):
    name: Literal["bytes"]


class _Zstd(BaseModel):
    name: Literal["zstd"]


class _Chunks(BaseModel):
    chunk_shape: tuple[PositiveInt, ...]


class _Grid(BaseModel):
    name: Literal["regular"]
    configuration: _Chunks


class _Separator(BaseModel):
    separator: Literal["/"] = "/"


class _Keys(BaseModel):
    name: Literal["default"]
    configuration: _Separator = _Separator()


class _Metadata(BaseModel):
    """What `create` has Zarr write, by the specification of Zarr 3."""

    zarr_format: Literal[3]
    node_type: Literal["array"]
    shape: tuple[PositiveInt, ...]
    data_type: Literal["uint8", "float32"]
    chunk_grid: _Grid
    chunk_key_encoding: _Keys
    codecs: tuple[_Bytes, _Zstd]

    @model_validator(mode="after")
    def _check_chunks(self) -> _Metadata:
        if self.chunk_grid.configuration.chunk_shape != (1, *self.shape[1:]):
            raise ValueError("a chunk must be one prediction")
        return self


class Archive:
    """Predictions of one member for a fixed sequence of photographs, all views of each.

    A photograph counts as written only after every view of it is stored; reading one that is not
    raises; what is read equals what was written, bit for bit; writing again replaces. A process may
    be killed at any instant.

    Attributes:
        path: The folder, made by `create`.
        manifest: What the predictions were made from.
        image_ids: The photographs it is made for, in order.
        views: The views of each.

    Raises:
        MissingArtefactError: There is no such folder.
        StaleArtefactError: It is damaged, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path / MANIFEST, "oof", remedy=REMEDY)
        facts = self.manifest.facts
        try:
            self.image_ids: tuple[str, ...] = tuple(facts["image_ids"])
            self.views: tuple[View, ...] = tuple(facts["views"])
            self._checksums = self._read_record()
        except (DataError, KeyError) as error:
            self._refuse(error)
        self._index = {image_id: index for index, image_id in enumerate(self.image_ids)}

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        image_ids: Sequence[str],
        views: Sequence[View],
        item_shape: tuple[int, ...],
        dtype: str,
        made_from: Mapping[str, str],
        seed: int,
    ) -> Archive:
        """Make an empty archive; whatever was at `path` is removed first.

        `item_shape` is the shape of one prediction, such as (H, W, 3), and `dtype` numpy's name of
        its dtype; `made_from` (digests) and `seed` go into the manifest.

        Raises:
            ConfigError: The disk has no room for the predictions, were they not compressed; they
                shrink to some three quarters.
            OSError: What was there cannot be removed.
        """
        needed = len(image_ids) * len(views) * int(np.prod(item_shape)) * np.dtype(dtype).itemsize
        remedy = "set fewer `photographs` under [oof] in ens.toml"
        if not has_room(path, needed):
            raise no_room(path, needed, what="predictions", remedy=remedy)
        import zarr  # slow to import, and commands that only look at a project read no picture
        from zarr.codecs import ZstdCodec

        if path.exists():
            shutil.rmtree(path)
        group = zarr.create_group(path / ARRAYS, zarr_format=3)
        for view in views:
            group.create_array(
                view,
                shape=(len(image_ids), *item_shape),
                chunks=(1, *item_shape),
                dtype=dtype,
                compressors=ZstdCodec(),
            )
        _write_record(path, np.zeros((len(image_ids), len(views)), dtype=np.uint64))
        write_manifest(
            path / MANIFEST,
            kind="oof",
            made_from=made_from,
            seed=seed,
            facts={"image_ids": list(image_ids), "views": list(views)},
        )
        return cls(path)

    def write(self, image_ids: Sequence[str], pictures: Mapping[View, NDArray[Any]]) -> None:
        """Store N photographs' predictions: for every view of the archive, N in that order.

        Raises:
            ArrayError: A view is missing, or an array's shape or dtype is not the archive's.
            MissingArtefactError: The archive is not made for one of the photographs.
            ConfigError: A file or folder of its arrays is a link.
        """
        rows = [self._row(image_id) for image_id in image_ids]
        for view in self.views:
            self._check(pictures, view, len(rows))
        for column, view in enumerate(self.views):
            for row, picture in zip(rows, pictures[view], strict=True):
                chunk = self._chunk(view, row)
                refuse_links(chunk, *(self.path / p for p in chunk.relative_to(self.path).parents))
                chunk.parent.mkdir(parents=True, exist_ok=True)
                chunk.write_bytes(_codec().encode(np.ascontiguousarray(picture, _stored(picture))))
                self._checksums[row, column] = _checksum(picture)
        _write_record(self.path, self._checksums)

    def read(self, image_id: str, view: View) -> NDArray[Any]:
        """Read one prediction.

        Raises:
            MissingArtefactError: It has not been written.
            StaleArtefactError: It is not what was written. The photograph then counts as missing,
                so that collecting mends it.
        """
        row = self._row(image_id)
        if view not in self.views or not self._checksums[row, self.views.index(view)]:
            raise MissingArtefactError(
                f"`{self.path}` holds no `{view}` prediction of `{image_id}`; {REMEDY}"
            )
        picture = self._decode(view, row)
        if picture is None:
            self._forget(row)
            raise StaleArtefactError(
                f"the `{view}` prediction of `{image_id}` in `{self.path}` is missing or damaged; "
                f"{REMEDY}"
            )
        return picture

    def mend(self) -> None:
        """Count photographs as missing whose files are gone; call it where nobody else writes.

        Where one is missing, all others are read, and those that are damaged are missing too:
        what has befallen one file has seldom befallen it alone.
        """
        written = [row for row, sums in enumerate(self._checksums) if sums.all()]
        whole = [r for r in written if all(self._chunk(view, r).exists() for view in self.views)]
        if len(whole) < len(self.image_ids):
            whole = [r for r in whole if all(self._decode(v, r) is not None for v in self.views)]
        if len(whole) < len(written):
            self._checksums[sorted({*written} - {*whole})] = 0
            _write_record(self.path, self._checksums)

    def missing(self, image_ids: Sequence[str]) -> tuple[str, ...]:
        """Those of some photographs that have not been written, or that it is not made for."""
        written: Any = self._checksums.all(axis=1)
        there = {i for i, done in zip(self.image_ids, written, strict=True) if done}
        return tuple(image_id for image_id in image_ids if image_id not in there)

    def copy_from(self, other: Archive) -> None:
        """Store what another archive of the same views holds of the same photographs."""
        missing = set(other.missing(self.image_ids))
        shared = [image_id for image_id in self.image_ids if image_id not in missing]
        for batch in split_in_batches(shared, _COPIED_AT_ONCE):
            whole = {}
            for image_id in batch:
                with suppress(StaleArtefactError):
                    whole[image_id] = [other.read(image_id, view) for view in self.views]
            if whole:
                columns = zip(self.views, zip(*whole.values(), strict=True), strict=True)
                self.write(list(whole), {view: np.stack(column) for view, column in columns})

    def require_arrays(self) -> None:
        """Refuse an archive whose arrays cannot be opened; no picture is read.

        Raises:
            StaleArtefactError: They are missing or damaged.
        """
        self._arrays  # noqa: B018

    def add_source(self, name: str, digest: str) -> None:
        """Note one more thing that the predictions were made from."""
        manifest = self.manifest
        self.manifest = write_manifest(
            self.path / MANIFEST,
            kind=manifest.kind,
            made_from={**manifest.made_from, name: digest},
            seed=manifest.seed,
            facts=manifest.facts,
        )

    @cached_property
    def _arrays(self) -> dict[View, _Array]:
        try:
            read_json(self.path / ARRAYS / _METADATA, _Group)
            arrays = {view: self._read_metadata(view) for view in self.views}
            for view, array in arrays.items():
                if array.shape[0] != len(self.image_ids):
                    raise DataError(f"view `{view}` is of shape {array.shape}")
                if math.prod(array.shape[1:]) * array.dtype.itemsize > _LARGEST_ITEM:
                    raise DataError(f"a prediction of `{view}` would be {array.shape[1:]}")
        except DataError as error:
            self._refuse(error)
        return arrays

    def _read_metadata(self, view: View) -> _Array:
        path = self.path / ARRAYS / view / _METADATA
        try:
            found: _Metadata = read_json(path, _Metadata)
        except DataError as error:
            raise DataError(f"`{path}`: {error}") from None
        return _Array(found.shape, np.dtype(found.data_type))

    def _chunk(self, view: View, row: int) -> Path:
        """The file of one prediction."""
        key = "/".join(map(str, (row, *[0] * (len(self._arrays[view].shape) - 1))))
        return self.path / ARRAYS / view / f"c/{key}"

    def _decode(self, view: View, row: int) -> NDArray[Any] | None:
        """A prediction as it was written; None if its file is gone or holds something else."""
        due = self._arrays[view]
        with suppress(Exception):  # whatever the decoder raises: the checksum tells
            stored = np.empty(due.shape[1:], dtype=_stored(due))
            _codec().decode(self._chunk(view, row).read_bytes(), stored)
            picture = stored.astype(due.dtype, copy=False)
            if _checksum(picture) == self._checksums[row, self.views.index(view)]:
                return picture
        return None

    def _read_record(self) -> NDArray[np.uint64]:
        shape = (len(self.image_ids), len(self.views))
        return read_npy(self.path / RECORD, shape=shape, dtype=np.uint64)

    def _forget(self, row: int) -> None:
        """Count a photograph as missing, unless another process is writing the archive."""
        with (
            suppress(LockedError, DataError, OSError),
            exclusive_lock(self.path, what=f"mending `{self.path}`"),
        ):
            self._checksums = self._read_record()
            self._checksums[row] = 0
            _write_record(self.path, self._checksums)

    def _refuse(self, error: Exception) -> NoReturn:
        reason = shorten(f"{type(error).__name__}: {error}")
        raise StaleArtefactError(
            f"`{self.path}` is damaged or of another version ({reason}); {REMEDY}"
        ) from None

    def _row(self, image_id: str) -> int:
        if image_id not in self._index:
            raise MissingArtefactError(f"`{self.path}` is not made for `{image_id}`; {REMEDY}")
        return self._index[image_id]

    def _check(self, pictures: Mapping[View, NDArray[Any]], view: View, count: int) -> None:
        if view not in pictures:
            raise ArrayError(f"every view must be written at once, but `{view}` is missing")
        due = self._arrays[view]
        shape = (count, *due.shape[1:])
        given = pictures[view]
        if given.shape != shape or given.dtype != due.dtype:
            raise ArrayError(
                f"view `{view}` must be {due.dtype} of shape {shape}, but is {given.dtype} of "
                f"shape {given.shape}"
            )


@cache
def _codec() -> Any:
    """What compresses a chunk, as `ZstdCodec` does."""
    from numcodecs import Zstd

    return Zstd()


def _stored(array: Any) -> np.dtype[Any]:
    """The dtype of an array's chunks: Zarr's bytes are little-endian."""
    return np.dtype(array.dtype).newbyteorder("<")


def _checksum(picture: NDArray[Any]) -> int:
    """CRC-32 of a prediction's bytes plus 1: 0 means that nothing was written."""
    return zlib.crc32(np.ascontiguousarray(picture).data) + 1


def _write_record(path: Path, checksums: NDArray[np.uint64]) -> None:
    content = io.BytesIO()
    np.save(content, checksums)
    atomic_write(path / RECORD, content.getvalue())
