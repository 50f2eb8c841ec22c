from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import zarr

from ensemble.errors import ArrayError, ConfigError, MissingArtefactError, StaleArtefactError
from ensemble.oof.archive import ARRAYS, RECORD, Archive
from ensemble.vocabulary import View

IDS = ("a", "b", "c")
VIEWS: tuple[View, ...] = ("identity", "hflip")
SHAPE = (6, 5, 3)
RNG = np.random.default_rng(0)


def some(count: int) -> dict[View, np.ndarray]:
    return {view: RNG.integers(0, 256, (count, *SHAPE), dtype=np.uint8) for view in VIEWS}


def make(folder: Path, views: Sequence[View] = VIEWS) -> Archive:
    return Archive.create(
        folder / "archive",
        image_ids=IDS,
        views=views,
        item_shape=SHAPE,
        dtype="uint8",
        made_from={"data": "d"},
        seed=3,
    )


def chunk(archive: Archive, row: int, view: View = "hflip") -> Path:
    return archive.path / ARRAYS / view / "c" / str(row) / "0/0/0"


def test_begins_empty(tmp_path):
    archive = make(tmp_path)
    assert archive.missing(IDS) == archive.image_ids == IDS


def test_what_a_disk_does_not_remove_is_named_and_made_anew_later(tmp_path, monkeypatch):
    make(tmp_path).write(IDS, some(3))
    refuse = Mock(side_effect=OSError(errno.EIO, "Input/output error", "zarr.json"))
    with monkeypatch.context() as disk:
        disk.setattr(os, "unlink", refuse)
        with pytest.raises(OSError, match=r"Input/output error: 'zarr\.json'"):
            make(tmp_path)
    assert make(tmp_path).missing(IDS) == IDS


def test_reads_back_what_was_written_in_any_order(tmp_path):
    archive = make(tmp_path)
    pictures = some(2)
    archive.write(["c", "a"], pictures)
    for found in (archive, Archive(archive.path)):
        assert found.missing(IDS) == ("b",)
        for view in VIEWS:
            assert np.array_equal(found.read("c", view), pictures[view][0])
            assert np.array_equal(found.read("a", view), pictures[view][1])


def test_a_black_picture_is_not_a_missing_one(tmp_path):
    archive = make(tmp_path)
    archive.write(IDS, {view: np.zeros((3, *SHAPE), np.uint8) for view in VIEWS})
    reopened = Archive(archive.path)
    assert not reopened.missing(reopened.image_ids)
    assert not reopened.read("b", "hflip").any()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_zarr_reads_what_was_written_and_what_zarr_wrote_is_read(tmp_path, dtype):
    archive = Archive.create(
        tmp_path, image_ids=IDS, views=VIEWS, item_shape=(7, 4), dtype=dtype, made_from={}, seed=0
    )
    pictures = {view: RNG.uniform(0, 256, (3, 7, 4)).astype(dtype) for view in VIEWS}
    archive.write(IDS, pictures)
    group = zarr.open_group(tmp_path / ARRAYS, mode="r+")
    for view in VIEWS:
        assert np.array_equal(group[view][:], pictures[view])
        group[view][:] = pictures[view]
        found = archive.read("c", view)
        assert np.array_equal(found, pictures[view][2])
        assert found.dtype == dtype
        assert found.flags.writeable


def test_writing_again_replaces(tmp_path):
    archive = make(tmp_path)
    archive.write(["a"], some(1))
    last = some(1)
    archive.write(["a"], last)
    assert np.array_equal(Archive(archive.path).read("a", "hflip"), last["hflip"][0])


def test_refuses_to_read_what_was_not_written(tmp_path):
    archive = make(tmp_path)
    archive.write(["a"], some(1))
    with pytest.raises(MissingArtefactError, match="no `identity` prediction of `b`"):
        archive.read("b", "identity")
    with pytest.raises(MissingArtefactError, match="no `vflip` prediction of `a`"):
        archive.read("a", "vflip")
    with pytest.raises(MissingArtefactError, match="not made for `z`"):
        archive.read("z", "identity")


def test_refuses_half_the_views_and_counts_nothing_as_written(tmp_path):
    archive = make(tmp_path)
    pictures = some(1)
    del pictures["hflip"]
    with pytest.raises(ArrayError, match="`hflip` is missing"):
        archive.write(["a"], pictures)
    assert Archive(archive.path).missing(IDS) == IDS


@pytest.mark.parametrize(
    "wrong", [np.zeros((1, 6, 5), np.uint8), np.zeros((1, *SHAPE), np.float32)]
)
def test_refuses_another_shape_or_dtype(tmp_path, wrong):
    archive = make(tmp_path)
    with pytest.raises(ArrayError, match="view `hflip` must be uint8 of shape"):
        archive.write(["a"], {**some(1), "hflip": wrong})
    assert archive.missing(IDS) == IDS


def test_says_what_it_was_made_from(tmp_path):
    manifest = Archive(make(tmp_path).path).manifest
    assert (manifest.kind, manifest.made_from, manifest.seed) == ("oof", {"data": "d"}, 3)


def test_making_it_again_removes_what_was_there(tmp_path):
    make(tmp_path).write(IDS, some(3))
    assert make(tmp_path).missing(IDS) == IDS


def test_one_chunk_is_one_picture(tmp_path):
    archive = make(tmp_path)
    archive.write(["a"], some(1))
    before = {path: path.stat().st_mtime_ns for path in archive.path.rglob("c/0/0/0/0")}
    archive.write(["b"], some(1))
    assert len(before) == len(VIEWS)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_there_is_none(tmp_path):
    with pytest.raises(MissingArtefactError, match="run `ens oof`"):
        Archive(tmp_path / "nothing")


def swap(archive: Archive) -> None:
    one, other = chunk(archive, 0), chunk(archive, 1)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def flip(archive: Archive) -> None:
    content = bytearray(chunk(archive, 1).read_bytes())
    content[len(content) // 2] ^= 1
    chunk(archive, 1).write_bytes(bytes(content))


@pytest.mark.parametrize(
    "harm",
    [
        lambda archive: chunk(archive, 1).unlink(),
        lambda archive: chunk(archive, 1).write_bytes(b""),
        lambda archive: chunk(archive, 1).write_bytes(b"rubbish"),
        swap,
        flip,
    ],
)
def test_a_harmed_picture_is_refused_by_name_and_counts_as_missing(tmp_path, harm):
    archive = make(tmp_path)
    pictures = some(3)
    archive.write(IDS, pictures)
    harm(archive)
    reopened = Archive(archive.path)
    with pytest.raises(StaleArtefactError, match="`hflip` prediction of `b` .* run `ens oof`"):
        reopened.read("b", "hflip")
    assert reopened.missing(IDS) == Archive(archive.path).missing(IDS) == ("b",)
    reopened.write(["b"], {view: picture[1:2] for view, picture in pictures.items()})
    assert np.array_equal(Archive(archive.path).read("b", "hflip"), pictures["hflip"][1])


def test_mending_finds_files_that_are_gone_and_then_all_that_are_damaged(tmp_path):
    archive = make(tmp_path)
    archive.write(IDS, some(3))
    flip(archive)
    archive.mend()
    assert archive.missing(IDS) == ()  # nothing is read where every file is there
    chunk(archive, 2, "identity").unlink()
    archive.mend()
    assert archive.missing(IDS) == Archive(archive.path).missing(IDS) == ("b", "c")


@pytest.mark.parametrize("content", [None, b"", b"rubbish", b"\x93NUMPY\x01\x00"])
def test_a_harmed_record_is_refused(tmp_path, content):
    archive = make(tmp_path)
    (archive.path / RECORD).unlink()
    if content is not None:
        (archive.path / RECORD).write_bytes(content)
    with pytest.raises(StaleArtefactError, match="is damaged or of another version"):
        Archive(archive.path)


@pytest.mark.parametrize("lost", ["", "hflip", "hflip/zarr.json", "zarr.json"])
def test_harmed_arrays_are_refused(tmp_path, lost):
    archive = make(tmp_path)
    path = archive.path / ARRAYS / lost
    shutil.rmtree(path) if path.is_dir() else path.write_text("{")
    with pytest.raises(StaleArtefactError, match="is damaged .*; run `ens oof`"):
        Archive(archive.path).require_arrays()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shape", [4, *SHAPE]),
        ("shape", [3, 10**5, 10**5]),
        ("shape", [3, 0, 5]),
        ("data_type", "float64"),
        ("data_type", {"name": "uint8"}),
        ("chunk_grid", {"name": "regular", "configuration": {"chunk_shape": [3, *SHAPE]}}),
        ("chunk_key_encoding", {"name": "default", "configuration": {"separator": "."}}),
        ("codecs", [{"name": "bytes"}, {"name": "gzip", "configuration": {"level": 1}}]),
        ("codecs", [{"name": "bytes"}]),
        ("zarr_format", 2),
        ("node_type", "group"),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path, key, value):
    archive = make(tmp_path)
    path = archive.path / ARRAYS / "hflip/zarr.json"
    found = json.loads(path.read_bytes())
    if key == "shape":
        found["chunk_grid"]["configuration"]["chunk_shape"] = [1, *value[1:]]
    path.write_text(json.dumps({**found, key: value}))
    with pytest.raises(StaleArtefactError, match="is damaged .*; run `ens oof`"):
        Archive(archive.path).require_arrays()


@pytest.mark.parametrize("level", range(6), ids=["chunk", "0", "0", "c", "view", "arrays"])
def test_a_link_in_it_is_not_written_through(tmp_path, level):
    archive, mine = make(tmp_path), tmp_path / "mine"
    archive.require_arrays()
    link = [chunk(archive, 1), *chunk(archive, 1).parents][level if level < 3 else level + 1]
    link.parent.mkdir(parents=True, exist_ok=True)
    if level == 0:
        mine.write_text("precious")
    elif link.exists():
        link.rename(mine)
    else:
        mine.mkdir()
    link.symlink_to(mine)
    before = sorted(mine.rglob("*"))
    with pytest.raises(ConfigError, match=f"`{link}` must not be a link"):
        archive.write(["b"], some(1))
    assert sorted(mine.rglob("*")) == before
    assert level or mine.read_text() == "precious"


def test_a_source_is_added_to_what_it_was_made_from(tmp_path):
    archive = make(tmp_path)
    archive.add_source("content", "c")
    assert Archive(archive.path).manifest.made_from == {"data": "d", "content": "c"}
    assert Archive(archive.path).image_ids == IDS
