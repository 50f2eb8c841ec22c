from __future__ import annotations

import errno
import pickle
import re
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from ensemble.damage.locate import locate_hole
from ensemble.data import decoded as room
from ensemble.data.competition import Competition, Sample
from ensemble.data.decoded import reserve_array
from ensemble.data.photographs import Photographs, mask_file, masks_digest
from ensemble.data.png import write_png
from ensemble.errors import ConfigError, DataError


@pytest.fixture
def competition(tmp_path: Path) -> Competition:
    rng = np.random.default_rng(0)
    for number in range(5):
        picture = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        write_png(tmp_path / "data" / "train_gt" / f"TRAIN_{number:05d}.png", picture)
    return Competition.load(tmp_path / "data", size=24, seed=0)


class Bar:
    """A `Progress` that keeps what was told."""

    def __init__(self):
        self.told = {}

    @contextmanager
    def __call__(self, what, total):
        self.told[what] = 0
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
    assert np.shares_memory(target, photographs.target("TRAIN_00001"))
    with pytest.raises(ValueError, match="read-only"):
        target[:] = 0
    sample = photographs.train_sample("TRAIN_00001")
    sample.target[:], sample.damaged[:], sample.lost_mask[:] = 0, 0, False
    assert photographs.target("TRAIN_00001").any()
    assert photographs.train_sample("TRAIN_00001").damaged.any()
    assert photographs.train_sample("TRAIN_00001").lost_mask.any()


def test_each_is_decoded_and_located_once_ever(competition, tmp_path, monkeypatch) -> None:
    located, decoded = [], []
    honest, decode = room.find_lost, Competition.train_sample
    monkeypatch.setattr(room, "find_lost", lambda d: located.append(1) or honest(d))
    monkeypatch.setattr(Competition, "train_sample", lambda c, i: decoded.append(i) or decode(c, i))
    bar = Bar()
    for _ in range(2):
        photographs = Photographs(competition, tmp_path / "cache")
        photographs.prepare(bar)
        for image_id in competition.train_ids * 2:
            photographs.located(image_id), photographs.train_sample(image_id)
    assert bar.told == {"decoding photographs": 5}
    assert sorted(decoded) == list(competition.train_ids)
    assert len(located) == 5


def test_another_locator_locates_again_and_decodes_nothing(
    competition, tmp_path, monkeypatch
) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    monkeypatch.setattr(room.damage, "LOCATOR_VERSION", 99)
    monkeypatch.setattr(room, "find_lost", lambda damaged: damaged > 128)
    bar = Bar()
    photographs = Photographs(competition, tmp_path / "cache")
    photographs.prepare(bar)
    assert bar.told == {"locating holes": 5}
    for image_id in competition.train_ids:
        damaged = photographs.damaged(image_id)
        np.testing.assert_array_equal(photographs.located(image_id), damaged > 128)


def test_it_is_built_again_for_other_data(competition: Competition, tmp_path: Path) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    picture = np.full((24, 24, 3), 9, np.uint8)
    picture[:, :12] = 200
    write_png(competition.folder / "train_gt" / "TRAIN_00001.png", picture)
    changed = Competition.load(competition.folder, size=24, seed=0)
    photographs = Photographs(changed, tmp_path / "cache")
    np.testing.assert_array_equal(photographs.target("TRAIN_00001"), picture)


def test_an_interrupted_build_goes_on_where_it_stopped(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = Competition.train_sample

    def broken(self: Competition, image_id: str) -> Sample:
        if image_id == "TRAIN_00003":
            raise DataError("`TRAIN_00003.png` is truncated")
        return decode(self, image_id)

    with monkeypatch.context() as patch:
        patch.setattr(Competition, "train_sample", broken)
        patch.setattr(room, "_FLUSH_EVERY", 1)
        with pytest.raises(DataError, match="truncated"):
            Photographs(competition, tmp_path / "cache").prepare()
    assert not (tmp_path / "cache").exists()
    bar = Bar()
    photographs = Photographs(competition, tmp_path / "cache")
    photographs.prepare(bar)
    assert bar.told == {"decoding photographs": 2}
    for image_id in competition.train_ids:
        due = competition.train_sample(image_id)
        np.testing.assert_array_equal(photographs.damaged(image_id), due.damaged)
    assert [p.name for p in tmp_path.iterdir() if "unfinished" in p.name] == []


@pytest.mark.parametrize("name", ["targets", "damaged", "lost", "located"])
def test_a_missing_file_is_made_again(competition, tmp_path, name) -> None:
    Photographs(competition, tmp_path / "cache").prepare()
    (tmp_path / "cache" / f"{name}.npy").unlink()
    assert Photographs(competition, tmp_path / "cache").located("TRAIN_00001").any()


def test_a_disk_without_room_is_told_before_anything_is_written(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(ConfigError, match=r"need 0.0 GB.*`cache = false`"):
        Photographs(competition, tmp_path / "cache").prepare()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_told_before_the_work_begins(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def allocate(file: int, start: int, size: int) -> None:
        if size > 5000:
            raise OSError(number, "no room")

    decode = Mock()
    monkeypatch.setattr(room.os, "posix_fallocate", allocate)
    monkeypatch.setattr(Competition, "train_sample", decode)
    with pytest.raises(ConfigError, match=r"need 0.0 GB in `.*cache`, but .*`cache = false`"):
        Photographs(competition, tmp_path / "cache").prepare()
    assert not decode.called
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["data"]


def test_any_other_fault_of_the_disk_names_the_file(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.os, "posix_fallocate", Mock(side_effect=OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match=r"broken: '.*targets.npy'"):
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
    monkeypatch.setattr(room, "_ZEROS_BYTES", 4096)
    array = reserve_array(tmp_path / "array.npy", (50, 99, 7))
    status = (tmp_path / "array.npy").stat()
    assert status.st_blocks * 512 >= status.st_size
    assert status.st_size == array.offset + array.size  # type: ignore[attr-defined]
    array[49] = 7
    array.flush()  # type: ignore[attr-defined]
    written = np.load(tmp_path / "array.npy")
    assert not written[:49].any()
    assert (written[49] == 7).all()


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
        (np.ones((10, 10), dtype=bool), "must be as large as its photograph, (48, 48), but is"),
        (np.zeros((48, 48), dtype=bool), "but is all black"),
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
