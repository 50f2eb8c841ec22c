"""An archive of predictions: one array a view, one picture a chunk, and what they were made from.

`Archive` says what a store of predictions must guarantee; `ZarrArchive` keeps it on disk.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from ensemble.errors import ArrayError, MissingArtefactError
from ensemble.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from ensemble.vocabulary import View

ARRAYS = "views.zarr"
WRITTEN = "written"


class Archive(ABC):
    """Predictions of one member for a fixed sequence of photographs, all views of each.

    Implementations guarantee: a photograph counts as written only after every view of it is
    safely stored; reading one that is not raises; what was read equals what was written, bit for
    bit; writing again replaces.

    Attributes:
        image_ids: The photographs it is made for, in order.
        views: The views of each.
    """

    image_ids: tuple[str, ...]
    views: tuple[View, ...]

    @abstractmethod
    def write(self, image_ids: Sequence[str], pictures: Mapping[View, NDArray[Any]]) -> None:
        """Store some photographs' predictions.

        Args:
            image_ids: N of the archive's photographs.
            pictures: For every view of the archive, N predictions in that order.

        Raises:
            ArrayError: A view is missing, or an array's shape or dtype is not the archive's.
            MissingArtefactError: The archive is not made for one of the photographs.
        """

    @abstractmethod
    def read(self, image_id: str, view: View) -> NDArray[Any]:
        """One prediction.

        Raises:
            MissingArtefactError: It has not been written.
        """

    @abstractmethod
    def missing(self) -> tuple[str, ...]:
        """Photographs that have not been written, in the archive's order."""

    @property
    def complete(self) -> bool:
        """Whether every photograph has been written."""
        return not self.missing()


class ZarrArchive(Archive):
    """An archive in a folder: a manifest and a Zarr group (compressed, one chunk a picture).

    Zarr writes each chunk atomically, and the record of what is written is flushed after the
    pictures it speaks of, so a process may be killed at any instant.

    Args:
        path: A folder made by `create`.

    Raises:
        MissingArtefactError: There is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path / MANIFEST, remedy="run `ens oof`")
        group = zarr.open_group(path / ARRAYS, mode="r+")
        self.image_ids = tuple(cast(list[str], group.attrs["image_ids"]))
        self.views = tuple(cast(list[View], group.attrs["views"]))
        self._arrays = {view: cast(zarr.Array[Any], group[view]) for view in self.views}
        self._record = cast(zarr.Array[Any], group[WRITTEN])
        self._written = np.asarray(self._record[:], dtype=bool)
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
    ) -> ZarrArchive:
        """Make an empty archive; whatever was at `path` is removed first.

        Args:
            path: The folder to make.
            image_ids: The photographs.
            views: The views of each.
            item_shape: Shape of one prediction, such as (H, W, 3).
            dtype: numpy's name of its dtype.
            made_from: Digests for the manifest.
            seed: Seed for the manifest.
        """
        shutil.rmtree(path, ignore_errors=True)
        group = zarr.create_group(path / ARRAYS)
        group.attrs.update({"image_ids": list(image_ids), "views": list(views)})
        shape = (len(image_ids), *item_shape)
        for view in views:
            group.create_array(
                view, shape=shape, chunks=(1, *item_shape), dtype=dtype, config=_STORE_ZEROS
            )
        group.create_array(
            WRITTEN, shape=shape[:1], chunks=shape[:1], dtype="bool", config=_STORE_ZEROS
        )
        write_manifest(path / MANIFEST, kind="oof", made_from=made_from, seed=seed)
        return cls(path)

    def write(self, image_ids: Sequence[str], pictures: Mapping[View, NDArray[Any]]) -> None:
        """Store some photographs' predictions; see `Archive.write`."""
        rows = [self._row(image_id) for image_id in image_ids]
        for view in self.views:
            self._check(pictures, view, len(rows))
        for view in self.views:
            for row, picture in zip(rows, pictures[view], strict=True):
                self._arrays[view][row] = picture
        self._written[rows] = True
        self._record[:] = self._written

    def read(self, image_id: str, view: View) -> NDArray[Any]:
        """One prediction; see `Archive.read`."""
        row = self._row(image_id)
        if view not in self._arrays or not self._written[row]:
            raise MissingArtefactError(
                f"`{self.path}` holds no `{view}` prediction of `{image_id}`; run `ens oof`"
            )
        return np.asarray(self._arrays[view][row])

    def missing(self) -> tuple[str, ...]:
        """Photographs that have not been written; see `Archive.missing`."""
        return tuple(np.array(self.image_ids, dtype=object)[~self._written])

    def _row(self, image_id: str) -> int:
        if image_id not in self._index:
            raise MissingArtefactError(f"`{self.path}` is not made for `{image_id}`; run `ens oof`")
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


_STORE_ZEROS: Any = {"write_empty_chunks": True}
"""A picture that is all zeros is stored like any other, so that it can be told from none."""
