from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ensemble.errors import ArrayError, MissingArtefactError
from ensemble.oof.archive import Archive, ZarrArchive
from ensemble.vocabulary import View

IDS = ("a", "b", "c")
VIEWS: tuple[View, ...] = ("identity", "hflip")
SHAPE = (6, 5, 3)
RNG = np.random.default_rng(0)


def some(count: int) -> dict[View, np.ndarray]:
    return {view: RNG.integers(0, 256, (count, *SHAPE), dtype=np.uint8) for view in VIEWS}


class ArchiveContract(ABC):
    """What every archive must do; a subclass makes an empty one and opens it again."""

    @abstractmethod
    def make(self, folder: Path) -> Archive: ...

    @abstractmethod
    def reopen(self, archive: Archive) -> Archive: ...

    def test_begins_empty(self, tmp_path):
        archive = self.make(tmp_path)
        assert archive.missing() == IDS
        assert not archive.complete

    def test_reads_back_what_was_written_in_any_order(self, tmp_path):
        archive = self.make(tmp_path)
        pictures = some(2)
        archive.write(["c", "a"], pictures)
        for found in (archive, self.reopen(archive)):
            assert found.missing() == ("b",)
            for view in VIEWS:
                assert np.array_equal(found.read("c", view), pictures[view][0])
                assert np.array_equal(found.read("a", view), pictures[view][1])

    def test_a_black_picture_is_not_a_missing_one(self, tmp_path):
        archive = self.make(tmp_path)
        archive.write(IDS, {view: np.zeros((3, *SHAPE), np.uint8) for view in VIEWS})
        reopened = self.reopen(archive)
        assert reopened.complete
        assert not reopened.read("b", "hflip").any()

    def test_writing_again_replaces(self, tmp_path):
        archive = self.make(tmp_path)
        archive.write(["a"], some(1))
        last = some(1)
        archive.write(["a"], last)
        assert np.array_equal(self.reopen(archive).read("a", "hflip"), last["hflip"][0])

    def test_refuses_to_read_what_was_not_written(self, tmp_path):
        archive = self.make(tmp_path)
        archive.write(["a"], some(1))
        with pytest.raises(MissingArtefactError, match="no `identity` prediction of `b`"):
            archive.read("b", "identity")
        with pytest.raises(MissingArtefactError, match="no `vflip` prediction of `a`"):
            archive.read("a", "vflip")
        with pytest.raises(MissingArtefactError, match="not made for `z`"):
            archive.read("z", "identity")

    def test_refuses_half_the_views_and_counts_nothing_as_written(self, tmp_path):
        archive = self.make(tmp_path)
        pictures = some(1)
        del pictures["hflip"]
        with pytest.raises(ArrayError, match="`hflip` is missing"):
            archive.write(["a"], pictures)
        assert self.reopen(archive).missing() == IDS

    @pytest.mark.parametrize(
        "wrong", [np.zeros((1, 6, 5), np.uint8), np.zeros((1, *SHAPE), np.float32)]
    )
    def test_refuses_another_shape_or_dtype(self, tmp_path, wrong):
        archive = self.make(tmp_path)
        with pytest.raises(ArrayError, match="view `hflip` must be uint8 of shape"):
            archive.write(["a"], {**some(1), "hflip": wrong})
        assert archive.missing() == IDS


class TestZarrArchive(ArchiveContract):
    def make(self, folder: Path, views: Sequence[View] = VIEWS) -> ZarrArchive:
        return ZarrArchive.create(
            folder / "archive",
            image_ids=IDS,
            views=views,
            item_shape=SHAPE,
            dtype="uint8",
            made_from={"data": "d"},
            seed=3,
        )

    def reopen(self, archive: Archive) -> ZarrArchive:
        assert isinstance(archive, ZarrArchive)
        return ZarrArchive(archive.path)

    def test_says_what_it_was_made_from(self, tmp_path):
        manifest = self.reopen(self.make(tmp_path)).manifest
        assert (manifest.kind, manifest.made_from, manifest.seed) == ("oof", {"data": "d"}, 3)

    def test_making_it_again_removes_what_was_there(self, tmp_path):
        self.make(tmp_path).write(IDS, some(3))
        assert self.make(tmp_path).missing() == IDS

    def test_one_chunk_is_one_picture(self, tmp_path):
        archive = self.make(tmp_path)
        archive.write(["a"], some(1))
        before = {path: path.stat().st_mtime_ns for path in archive.path.rglob("c/0/0/0/0")}
        archive.write(["b"], some(1))
        assert len(before) == len(VIEWS)
        assert {path: path.stat().st_mtime_ns for path in before} == before

    def test_there_is_none(self, tmp_path):
        with pytest.raises(MissingArtefactError, match="run `ens oof`"):
            ZarrArchive(tmp_path / "nothing")
