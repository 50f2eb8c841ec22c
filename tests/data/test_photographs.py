from __future__ import annotations

import errno
import os
import pickle
import re
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from ensemble import damage, folds
from ensemble.damage.locate import locate_hole
from ensemble.data import scan as room
from ensemble.data.competition import Competition, Sample
from ensemble.data.photographs import Photographs, mask_file, masks_digest
from ensemble.data.png import write_png
from ensemble.data.reserve import reserve_array
from ensemble.errors import ConfigError, DataError, StaleArtefactError
from ensemble.files import SPARE_BYTES

LONG_AGO_NS = 1_600_000_000_000_000_000


@pytest.fixture
def competition(tmp_path: Path) -> Competition:
    rng = np.random.default_rng(0)
    for number in range(5):
        picture = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        path = tmp_path / "data" / "train_gt" / f"TRAIN_{number:05d}.png"
        write_png(path, picture)
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))  # what is new is not remembered
    return Competition.load(tmp_path / "data", size=24, seed=0)


class Bar:
    """A `Progress` that keeps what was told."""

    def __init__(self):
        self.told = {}
        self.opened = 0

    @contextmanager
    def __call__(self, what, total):
        self.told[what] = 0
        self.opened += 1
        yield lambda count: self.told.update({what: self.told[what] + count})


@pytest.mark.parametrize("cached", [True, False])
def test_it_gives_what_the_competition_gives(competition, tmp_path, cached) -> None:
    photographs = Photographs(competition, tmp_path / "cache" if cached else None)
    for copy in (photographs, pickle.loads(pickle.dumps(photographs))):
        for image_id in competition.train_ids:
            ours, theirs = copy.train_sample(image_id), competition.train_sample(image_id)
            np.testing.assert_array_equal(copy.target(image_id), theirs.target)
            np.testing.assert_array_equal(ours.target, theirs.target)
            np.testing.assert_array_equal(ours.damaged, theirs.damaged)
            np.testing.assert_array_equal(copy.damaged(image_id), theirs.damaged)
            np.testing.assert_array_equal(ours.lost_mask, theirs.lost_mask)
            located = locate_hole(theirs.damaged).lost_mask
            np.testing.assert_array_equal(copy.located(image_id), located)
    assert (tmp_path / "cache").exists() == cached


@pytest.mark.parametrize("cached", [True, False])
def test_what_is_read_can_only_be_changed_where_it_is_a_copy(competition, tmp_path, cached) -> None:
    photographs = Photographs(competition, tmp_path / "cache" if cached else None)
    target = photographs.target("TRAIN_00001")
    with pytest.raises(ValueError, match="read-only"):
        target[:] = 0
    sample = photographs.train_sample("TRAIN_00001")
    sample.target[:], sample.damaged[:], sample.lost_mask[:] = 0, 0, False
    assert photographs.target("TRAIN_00001").any()
    assert photographs.train_sample("TRAIN_00001").damaged.any()
    assert photographs.train_sample("TRAIN_00001").lost_mask.any()


@pytest.mark.parametrize("keep_pixels", [True, False])
def test_each_is_read_described_and_located_once_ever(
    competition, tmp_path, monkeypatch, keep_pixels
) -> None:
    located, decoded, described = [], [], []
    honest, decode, describe = room.find_lost, Competition.train_sample, room.describe_sample
    monkeypatch.setattr(room, "find_lost", lambda d: located.append(1) or honest(d))
    monkeypatch.setattr(Competition, "train_sample", lambda c, i: decoded.append(i) or decode(c, i))
    monkeypatch.setattr(room, "describe_sample", lambda s: described.append(1) or describe(s))
    bar = Bar()
    for _ in range(2):
        photographs = Photographs(competition, tmp_path / "cache", keep_pixels=keep_pixels)
        facts = photographs.describe(bar)
        for image_id in competition.train_ids * 2:
            photographs.located(image_id)
            if keep_pixels:
                photographs.train_sample(image_id)
    assert bar.told == {"reading photographs": 5}
    assert sorted(decoded) == list(competition.train_ids)
    assert len(located) == len(described) == 5
    found = Photographs(competition).describe()
    for kept, made in zip(facts, found, strict=True):
        np.testing.assert_array_equal(kept, made)


def test_the_reading_knows_the_digests(competition, tmp_path, monkeypatch) -> None:
    due = Competition.load(competition.folder, size=24, seed=0).digest()
    (competition.folder / ".ens-digests.json").unlink()
    Photographs(competition, tmp_path / "cache").prepare()
    read = Mock()
    monkeypatch.setattr("ensemble.data.digests.digest_file", read)
    assert Competition.load(competition.folder, size=24, seed=0).digest() == due
    assert not read.called


@pytest.mark.parametrize("keep_pixels", [True, False])
def test_without_pixels_they_are_decoded_and_the_holes_are_not_located_again(
    competition, tmp_path, monkeypatch, keep_pixels
) -> None:
    photographs = Photographs(competition, tmp_path / "cache", keep_pixels=keep_pixels)
    photographs.prepare()
    monkeypatch.setattr(room, "find_lost", Mock(side_effect=AssertionError))
    for image_id in competition.train_ids:
        due, found = competition.train_sample(image_id), photographs.train_sample(image_id)
        np.testing.assert_array_equal(found.target, due.target)
        np.testing.assert_array_equal(found.damaged, due.damaged)
        np.testing.assert_array_equal(found.lost_mask, due.lost_mask)
        np.testing.assert_array_equal(photographs.target(image_id), due.target)
        hole = locate_hole(due.damaged).lost_mask
        np.testing.assert_array_equal(photographs.located(image_id), hole)
    assert (tmp_path / "cache" / "targets.npy").exists() == keep_pixels


def test_pixels_without_room_are_left_out_and_not_tried_again(
    competition, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = room.shape_files(5, (24, 24))
    small = sum(int(np.prod(shapes[name])) for name in room.ALWAYS) + SPARE_BYTES
    words = "(0.0 GB to keep them decoded, 0.1 GB free: they are decoded at each use)"
    bar = Bar()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=small))
        for _ in range(2):
            Photographs(competition, tmp_path / "cache").prepare(bar)
    Photographs(competition, tmp_path / "cache").prepare(bar)
    assert bar.told == {f"reading photographs {words}": 5}
    names = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert names == ["located.npy", "manifest.json", "rows.npy", "sums.npy"]


def test_pixels_that_are_wanted_later_are_kept_later(competition, tmp_path) -> None:
    bar = Bar()
    for keep_pixels in (False, True, True, False):
        photographs = Photographs(competition, tmp_path / "cache", keep_pixels=keep_pixels)
        photographs.prepare(bar)
        due = competition.train_sample("TRAIN_00002")
        np.testing.assert_array_equal(photographs.target("TRAIN_00002"), due.target)
    assert bar.told == {"reading photographs": 5}
    assert bar.opened == 2
    assert (tmp_path / "cache" / "targets.npy").exists()


@pytest.mark.parametrize("changed", ["locator", "description"])
def test_another_way_to_read_reads_again(competition, tmp_path, monkeypatch, changed) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    of = {"locator": damage, "description": folds}[changed]
    monkeypatch.setattr(of, f"{changed.upper()}_VERSION", 99)
    monkeypatch.setattr(room, "find_lost", lambda damaged: damaged > 128)
    bar = Bar()
    photographs = Photographs(competition, tmp_path / "cache")
    photographs.prepare(bar)
    assert bar.told == {"reading photographs": 5}
    for image_id in competition.train_ids:
        damaged = photographs.damaged(image_id)
        np.testing.assert_array_equal(photographs.located(image_id), damaged > 128)


def test_only_what_has_changed_is_read_again(competition: Competition, tmp_path: Path) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    picture = np.full((24, 24, 3), 9, np.uint8)
    picture[:, :12] = 200
    write_png(competition.folder / "train_gt" / "TRAIN_00001.png", picture)
    changed = Competition.load(competition.folder, size=24, seed=0)
    photographs, bar = Photographs(changed, tmp_path / "cache"), Bar()
    photographs.prepare(bar)
    assert bar.told == {"reading photographs": 1}
    np.testing.assert_array_equal(photographs.target("TRAIN_00001"), picture)
    due = changed.train_sample("TRAIN_00002")
    np.testing.assert_array_equal(photographs.target("TRAIN_00002"), due.target)
    np.testing.assert_array_equal(photographs.describe().traits, Photographs(changed).describe()[0])


def test_other_photographs_are_read_anew(competition: Competition, tmp_path: Path) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    (competition.folder / "train_gt" / "TRAIN_00001.png").unlink()
    fewer = Competition.load(competition.folder, size=24, seed=0)
    photographs = Photographs(fewer, tmp_path / "cache")
    due = fewer.train_sample("TRAIN_00002")
    np.testing.assert_array_equal(photographs.target("TRAIN_00002"), due.target)


@pytest.mark.parametrize("seed", [0, 1])
def test_simulated_damage_of_another_seed_is_read_anew(competition, tmp_path, seed) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    other = Competition.load(competition.folder, size=24, seed=seed)
    bar = Bar()
    photographs = Photographs(other, tmp_path / "cache")
    photographs.prepare(bar)
    assert bar.told == ({"reading photographs": 5} if seed else {})
    due = other.train_sample("TRAIN_00002")
    np.testing.assert_array_equal(photographs.damaged("TRAIN_00002"), due.damaged)


@pytest.mark.parametrize("sync_every", [1, 256])
def test_an_interrupted_reading_goes_on_where_it_stopped(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync_every: int
) -> None:
    decode = Competition.train_sample

    def broken(self: Competition, image_id: str) -> Sample:
        if image_id == "TRAIN_00003":
            raise DataError("`TRAIN_00003.png` is truncated")
        return decode(self, image_id)

    with monkeypatch.context() as patch:
        patch.setattr(Competition, "train_sample", broken)
        patch.setattr(room, "_SYNC_EVERY", sync_every)
        with pytest.raises(DataError, match="truncated"):
            Photographs(competition, tmp_path / "cache").prepare()
    assert not (tmp_path / "cache").exists()
    bar = Bar()
    photographs = Photographs(competition, tmp_path / "cache")
    photographs.prepare(bar)
    assert bar.told == {"reading photographs": 2}
    for image_id in competition.train_ids:
        due = competition.train_sample(image_id)
        np.testing.assert_array_equal(photographs.damaged(image_id), due.damaged)
    for kept, made in zip(photographs.describe(), Photographs(competition).describe(), strict=True):
        np.testing.assert_array_equal(kept, made)
    assert [p.name for p in tmp_path.iterdir() if "unfinished" in p.name] == []


@pytest.mark.parametrize("name", ["rows.npy", "manifest.json"])
def test_an_unfinished_reading_is_not_written_through_a_link(
    competition: Competition, tmp_path: Path, name: str
) -> None:
    cache, mine = tmp_path / "cache", tmp_path / "mine"
    Photographs(competition, cache).prepare()
    unfinished = cache.rename(tmp_path / ".cache-unfinished")
    (unfinished / name).rename(mine)
    (unfinished / name).symlink_to(mine)
    before = mine.read_bytes()
    for path in competition.folder.glob("train_gt/*.png"):
        os.utime(path, ns=(1, 1))  # so that each would be read again
    with pytest.raises(ConfigError, match=f"`{unfinished / name}` must not be a link"):
        Photographs(competition, cache).prepare()
    assert mine.read_bytes() == before


def test_an_interrupted_reading_without_room_goes_on_too(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = room.shape_files(5, (24, 24))
    small = sum(int(np.prod(shapes[name])) for name in room.ALWAYS) + SPARE_BYTES
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=small))
    decode, bar = Competition.train_sample, Bar()

    def broken(self: Competition, image_id: str) -> Sample:
        if image_id == "TRAIN_00003":
            raise KeyboardInterrupt
        return decode(self, image_id)

    with monkeypatch.context() as patch:
        patch.setattr(Competition, "train_sample", broken)
        with pytest.raises(KeyboardInterrupt):
            Photographs(competition, tmp_path / "cache").prepare()
    Photographs(competition, tmp_path / "cache").prepare(bar)
    assert list(bar.told.values()) == [2]


def test_a_reading_begun_with_pixels_goes_on_without(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Competition, "train_sample", Mock(side_effect=DataError("broken")))
        with pytest.raises(DataError, match="broken"):
            Photographs(competition, tmp_path / "cache").prepare()
    photographs = Photographs(competition, tmp_path / "cache", keep_pixels=False)
    photographs.prepare()
    assert not (tmp_path / "cache" / "targets.npy").exists()
    due = competition.train_sample("TRAIN_00002")
    np.testing.assert_array_equal(photographs.target("TRAIN_00002"), due.target)


@pytest.mark.parametrize("name", ["rows", "targets", "damaged", "lost", "located"])
@pytest.mark.parametrize("fault", ["gone", "short"])
def test_a_missing_or_short_file_is_made_again(competition, tmp_path, name, fault) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    path = tmp_path / "cache" / f"{name}.npy"
    if fault == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-200])
    photographs = Photographs(competition, tmp_path / "cache")
    for image_id in competition.train_ids:
        due = competition.train_sample(image_id)
        np.testing.assert_array_equal(photographs.train_sample(image_id).lost_mask, due.lost_mask)
        hole = locate_hole(due.damaged).lost_mask
        np.testing.assert_array_equal(photographs.located(image_id), hole)
    assert path.exists()


@pytest.mark.parametrize("name", ["rows", "sums", "targets", "damaged", "lost", "located"])
@pytest.mark.parametrize("harm", ["zeros", "a byte"])
def test_damaged_photographs_alone_are_read_again(
    competition, tmp_path, monkeypatch, name: str, harm: str
) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    path, header = tmp_path / "cache" / f"{name}.npy", 128
    before = {one.name: one.read_bytes() for one in path.parent.glob("*.npy")}
    content = bytearray(before[path.name])
    if harm == "zeros":
        content[header:] = bytes(len(content) - header)
    else:
        content[header] ^= 1
    path.write_bytes(bytes(content))
    decoded, decode = [], Competition.train_sample
    monkeypatch.setattr(Competition, "train_sample", lambda c, i: decoded.append(i) or decode(c, i))
    for _ in range(2):
        photographs = Photographs(competition, tmp_path / "cache")
        photographs.describe()
        for image_id in competition.train_ids:
            due, found = decode(competition, image_id), photographs.train_sample(image_id)
            np.testing.assert_array_equal(found.target, due.target)
            np.testing.assert_array_equal(found.damaged, due.damaged)
            np.testing.assert_array_equal(found.lost_mask, due.lost_mask)
            hole = locate_hole(due.damaged).lost_mask
            np.testing.assert_array_equal(photographs.located(image_id), hole)
    assert {one.name: one.read_bytes() for one in path.parent.glob("*.npy")} == before
    assert sorted(decoded) == list(competition.train_ids)[: 5 if harm == "zeros" else 1]


def test_a_photograph_that_is_damaged_again_at_once_is_refused(
    competition, tmp_path, monkeypatch
) -> None:
    photographs = Photographs(competition, tmp_path / "cache")
    photographs.prepare()
    path = tmp_path / "cache" / "targets.npy"
    path.write_bytes(path.read_bytes()[:128] + bytes(5 * 24 * 24 * 3))
    monkeypatch.setattr(room.Scan, "_fill", lambda *_: None)
    with pytest.raises(StaleArtefactError, match="damaged at `TRAIN_00002`; remove the folder"):
        photographs.target("TRAIN_00002")


def test_reading_leaves_the_pixels_out_of_memory(competition, tmp_path) -> None:
    """Mapped pages would count as memory of the process, up to all of the disk's 33 GB."""
    photographs = Photographs(competition, tmp_path / "cache")
    for array in (photographs.target("TRAIN_00001"), photographs.damaged("TRAIN_00001")):
        assert not isinstance(array, np.memmap)
        assert not isinstance(array.base, np.memmap)


def test_a_disk_without_room_is_told_before_anything_is_written(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(
        ConfigError, match=r"need [0-9.]+ [kM]B in .*put the workspace on a larger disk"
    ):
        Photographs(competition, tmp_path / "cache").prepare()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_told_before_the_work_begins(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    decode = Mock()
    monkeypatch.setattr(room.os, "posix_fallocate", Mock(side_effect=OSError(number, "no room")))
    monkeypatch.setattr(Competition, "train_sample", decode)
    with pytest.raises(
        ConfigError,
        match=r"need [0-9.]+ [kM]B in `.*cache`, with 64.0 MB to spare, but .* a larger disk",
    ):
        Photographs(competition, tmp_path / "cache").prepare()
    assert not decode.called
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["data"]


def test_a_quota_that_the_pixels_would_break_leaves_them_out(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = room.reserve_array

    def reserve(path: Path, shape: tuple[int, ...]) -> None:
        if path.name == "damaged.npy":
            raise OSError(errno.EDQUOT, "no room")
        honest(path, shape)

    monkeypatch.setattr(room, "reserve_array", reserve)
    Photographs(competition, tmp_path / "cache").prepare()
    names = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert names == ["located.npy", "manifest.json", "rows.npy", "sums.npy"]


def test_any_other_fault_of_the_disk_names_the_file(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.os, "posix_fallocate", Mock(side_effect=OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match=r"broken: '.*rows.npy'"):
        Photographs(competition, tmp_path / "cache").prepare()


@pytest.mark.parametrize("fault", [None, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_without_posix_fallocate_zeros_take_the_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int | None
) -> None:
    if fault is None:
        monkeypatch.delattr(room.os, "posix_fallocate")
    else:
        refuse = Mock(side_effect=OSError(fault, "not here"))
        monkeypatch.setattr(room.os, "posix_fallocate", refuse)
    monkeypatch.setattr("ensemble.data.reserve._ZEROS_BYTES", 4096)
    reserve_array(tmp_path / "array.npy", (50, 99, 7))
    status = (tmp_path / "array.npy").stat()
    assert status.st_blocks * 512 >= status.st_size
    array = np.load(tmp_path / "array.npy")
    assert array.shape == (50, 99, 7)
    assert not array.any()


def test_an_unknown_photograph_is_named(competition: Competition, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="`TEST_000`"):
        Photographs(competition, tmp_path / "cache").target("TEST_000")


@pytest.fixture
def workspace_data(make_workspace) -> Competition:
    workspace, config = make_workspace()
    return Competition.load(workspace.data, size=config.data.size, seed=0)


def drawn(workspace_data: Competition) -> np.ndarray:
    mask = np.zeros(workspace_data.size, dtype=bool)
    mask[3:9, 4:30] = True
    return mask


def test_without_a_drawn_mask_the_hole_is_located(workspace_data: Competition):
    damaged = workspace_data.test_input("TEST_000")
    expected = locate_hole(damaged).lost_mask
    np.testing.assert_array_equal(Photographs(workspace_data).located("TEST_000"), expected)
    assert expected.any()


def test_a_drawn_mask_overrides_its_own_test_photograph_only(workspace_data: Competition):
    write_png(mask_file(workspace_data, "TEST_000"), drawn(workspace_data))
    for image_id, expected in (
        ("TEST_000", drawn(workspace_data)),
        ("TEST_001", locate_hole(workspace_data.test_input("TEST_001")).lost_mask),
    ):
        np.testing.assert_array_equal(Photographs(workspace_data).located(image_id), expected)


def test_validation_never_sees_a_drawn_mask(workspace_data: Competition):
    write_png(mask_file(workspace_data, "TRAIN_00000"), drawn(workspace_data))
    damaged = workspace_data.train_sample("TRAIN_00000").damaged
    expected = locate_hole(damaged).lost_mask
    np.testing.assert_array_equal(Photographs(workspace_data).located("TRAIN_00000"), expected)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((10, 10), dtype=bool), "must be as large as its photograph, 48 x 48 px, but is"),
        (np.zeros((48, 48), dtype=bool), "but is all black"),
        (np.ones((48, 48), dtype=bool), "but is all white"),
    ],
)
def test_a_useless_drawn_mask_is_refused(workspace_data: Competition, mask, message: str):
    path = mask_file(workspace_data, "TEST_000")
    write_png(path, mask)
    with pytest.raises(DataError, match=re.escape(f"`{path}`") + ".*" + re.escape(message)):
        Photographs(workspace_data).located("TEST_000")


def test_the_digest_tells_drawn_masks_apart(workspace_data: Competition):
    digests = [masks_digest(workspace_data)]
    path: Path = mask_file(workspace_data, "TEST_001")
    for mask in (drawn(workspace_data), ~drawn(workspace_data)):
        write_png(path, mask)
        digests.append(masks_digest(workspace_data))
    path.rename(mask_file(workspace_data, "TEST_000"))
    digests.append(masks_digest(workspace_data))
    assert len(set(digests)) == 4
    mask_file(workspace_data, "TEST_000").unlink()
    assert masks_digest(workspace_data) == digests[0]


def test_a_drawn_mask_of_no_photograph_is_not_passed_over(workspace_data: Competition):
    write_png(mask_file(workspace_data, "TEST_0"), np.eye(48, dtype=bool))
    path = re.escape(str(mask_file(workspace_data, "TEST_0")))
    with pytest.raises(DataError, match=f"`TEST_0` is no test photograph; .*; rename `{path}`"):
        masks_digest(workspace_data)
