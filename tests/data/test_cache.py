from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ensemble.data import cache
from ensemble.data.cache import open_cache
from ensemble.data.competition import Competition
from ensemble.data.png import write_png
from ensemble.errors import ConfigError, DataError

Make = Callable[..., Competition]


@pytest.fixture
def competition(tmp_path: Path) -> Competition:
    rng = np.random.default_rng(0)
    for number in range(5):
        picture = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        write_png(tmp_path / "data" / "train_gt" / f"TRAIN_{number:05d}.png", picture)
    return Competition.load(tmp_path / "data", size=24, seed=0)


def test_it_gives_what_the_competition_gives(competition: Competition, tmp_path: Path) -> None:
    told: list[int] = []
    photographs = open_cache(tmp_path / "cache", competition, advance=told.append)
    assert sum(told) == 5
    for copy in (photographs, pickle.loads(pickle.dumps(photographs))):
        for image_id in competition.train_ids:
            ours, theirs = copy.train_sample(image_id), competition.train_sample(image_id)
            np.testing.assert_array_equal(copy.target(image_id), theirs.target)
            np.testing.assert_array_equal(ours.damaged, theirs.damaged)
            np.testing.assert_array_equal(ours.lost_mask, theirs.lost_mask)


def test_reading_copies_nothing_and_changes_nothing(
    competition: Competition, tmp_path: Path
) -> None:
    photographs = open_cache(tmp_path / "cache", competition)
    target = photographs.target("TRAIN_00001")
    assert np.shares_memory(target, photographs.target("TRAIN_00001"))
    with pytest.raises(ValueError, match="read-only"):
        target[:] = 0
    sample = photographs.train_sample("TRAIN_00001")
    sample.target[:], sample.damaged[:] = 0, 0
    assert photographs.target("TRAIN_00001").any()
    assert photographs.train_sample("TRAIN_00001").damaged.any()


def test_it_is_built_once(competition: Competition, tmp_path: Path) -> None:
    open_cache(tmp_path / "cache", competition)
    told: list[int] = []
    open_cache(tmp_path / "cache", competition, advance=told.append)
    assert not told


def test_it_is_built_again_for_other_data(competition: Competition, tmp_path: Path) -> None:
    open_cache(tmp_path / "cache", competition)
    picture = np.full((24, 24, 3), 9, np.uint8)
    write_png(competition.folder / "train_gt" / "TRAIN_00001.png", picture)
    changed = Competition.load(competition.folder, size=24, seed=0)
    assert (open_cache(tmp_path / "cache", changed).target("TRAIN_00001") == 9).all()


def test_half_a_cache_is_none(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Competition, image_id: str) -> None:
        raise DataError("`TRAIN_00003.png` is truncated")

    with monkeypatch.context() as patch:
        patch.setattr(Competition, "train_sample", broken)
        with pytest.raises(DataError, match="truncated"):
            open_cache(tmp_path / "cache", competition)
    assert not (tmp_path / "cache").exists()
    assert open_cache(tmp_path / "cache", competition).image_ids == competition.train_ids


def test_a_disk_without_room_is_told_before_anything_is_written(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(ConfigError, match=r"need 0.0 GB.*`cache = false`"):
        open_cache(tmp_path / "cache", competition)


def test_an_unknown_photograph_is_named(competition: Competition, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="`TEST_000`"):
        open_cache(tmp_path / "cache", competition).target("TEST_000")
