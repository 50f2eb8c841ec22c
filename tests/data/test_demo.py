from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.data import demo as demo_room
from ensemble.data.competition import Competition
from ensemble.data.demo import SOURCES, Crop, Demo, build_demo, crop_demo
from ensemble.data.folds_csv import read_groups
from ensemble.data.png import read_rgb
from ensemble.errors import ConfigError

SIZE, N_TRAIN, N_TEST = 48, 20, 6


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "data"
    build_demo(folder, size=SIZE, n_train=N_TRAIN, n_test=N_TEST, seed=0)
    return folder


@pytest.fixture(scope="module")
def competition(built: Path) -> Competition:
    return Competition.load(built, size=SIZE, seed=0)


@pytest.fixture(scope="module")
def large() -> Demo:
    """The default of `ens demo`, not written."""
    return crop_demo(size=96, n_train=96, n_test=16, seed=0)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_it_has_the_competitions_layout(competition: Competition, built: Path):
    assert len(competition.train_ids) == N_TRAIN
    assert competition.test_names == tuple(f"TEST_{i:03d}.png" for i in range(N_TEST))
    assert competition.sample_submission_names() == competition.test_names
    assert not competition.simulated
    for image_id in competition.train_ids:
        sample = competition.train_sample(image_id)
        assert sample.lost_mask.sum() >= 7
        assert len(np.unique(sample.damaged[sample.lost_mask])) == 1


def test_test_targets_are_kept_apart(competition: Competition, built: Path):
    for image_id in competition.test_ids:
        target = read_rgb(built / "test_target" / f"{image_id}.png")
        gray = np.asarray(Image.fromarray(target).convert("L"))
        lost = gray != competition.test_input(image_id)
        assert 7 <= lost.sum() < lost.size / 2


def test_the_sample_submission_is_blank_and_of_the_due_size(built: Path):
    with zipfile.ZipFile(built / "sample_submission.zip") as archive:
        for name in archive.namelist():
            picture = Image.open(archive.open(name))
            assert (picture.mode, picture.size) == ("RGB", (SIZE, SIZE))


def test_the_same_seed_gives_the_same_bytes(built: Path, tmp_path: Path):
    build_demo(tmp_path / "again", size=SIZE, n_train=N_TRAIN, n_test=N_TEST, seed=0)
    assert contents(tmp_path / "again") == contents(built)
    build_demo(tmp_path / "again", size=SIZE, n_train=N_TRAIN, n_test=N_TEST, seed=1)
    assert contents(tmp_path / "again") != contents(built)


def test_groups_are_told_for_every_training_photograph(competition: Competition, built: Path):
    groups = read_groups(built / "groups.csv", competition.train_ids)
    demo = crop_demo(size=SIZE, n_train=N_TRAIN, n_test=N_TEST, seed=0)
    assert groups == tuple(crop.group for crop in demo.train)
    with (built / "groups.csv").open() as file:
        assert next(csv.reader(file)) == ["image", "label"]


def test_no_group_is_in_both_halves(large: Demo):
    train, test = ({crop.group for crop in crops} for crops in (large.train, large.test))
    assert not train & test
    assert len(train) >= 40


def test_every_crop_is_another(large: Demo):
    crops = [*large.train, *large.test]
    assert len({crop.pixels.tobytes() for crop in crops}) == len(crops) == 112
    assert all(crop.pixels.shape == (96, 96, 3) for crop in crops)


def test_every_source_takes_part_and_none_drowns_the_others(large: Demo):
    names = [crop.group.rsplit("-", 2)[0] for crop in large.train]
    assert set(names) == {Path(file).stem for _, file in SOURCES}
    assert max(names.count(name) for name in set(names)) <= len(names) / 3


def pictures() -> Iterator[tuple[str, np.ndarray]]:
    for package, file in SOURCES:
        picture = Image.open(files(package) / file)
        yield Path(file).stem, np.asarray(picture.convert("RGB")).astype(int)


def test_sources_are_color_photographs_inside_the_wheels():
    for name, picture in pictures():
        assert np.ptp(picture, axis=-1).mean() > 10, name
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10_000, name


def test_crops_are_parts_of_their_source():
    """Matched by template matching, an independent way to find where a crop comes from."""
    import cv2

    demo = crop_demo(size=96, n_train=12, n_test=4, seed=3)
    sources = {name: picture.astype(np.uint8) for name, picture in pictures()}
    for crop in demo.train[:6]:
        source, row, column = crop.group.rsplit("-", 2)
        y, x = int(row) * 144, int(column) * 144
        region = sources[source][y : y + 144, x : x + 144]
        scores = [
            cv2.matchTemplate(
                region, cv2.resize(crop.pixels, (side, side)), cv2.TM_CCOEFF_NORMED
            ).max()
            for side in range(96, 145)
        ]
        assert max(scores) > 0.97, crop.group


def test_an_earlier_demo_is_replaced(tmp_path: Path):
    folder = tmp_path / "data"
    build_demo(folder, size=32, n_train=4, n_test=2, seed=0)
    build_demo(folder, size=48, n_train=5, n_test=1, seed=0)
    assert len(Competition.load(folder, size=48, seed=0).train_ids) == 5


def test_other_data_is_never_replaced(tmp_path: Path):
    (tmp_path / "train_gt").mkdir()
    (tmp_path / "train_gt" / "TRAIN_00000.png").write_bytes(b"precious")
    with pytest.raises(ConfigError, match="holds data that `ens demo` did not make"):
        build_demo(tmp_path, size=48, n_train=4, n_test=2, seed=0)
    assert (tmp_path / "train_gt" / "TRAIN_00000.png").read_bytes() == b"precious"


def test_too_large_a_size_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="have 0 regions of 500 px.*smaller --size"):
        build_demo(tmp_path / "data", size=500, n_train=4, n_test=2, seed=0)
    assert not (tmp_path / "data").exists()


def test_too_many_crops_are_refused(monkeypatch: pytest.MonkeyPatch):
    """A region of 17 px has five different windows of 16 px or more."""
    pixels = np.random.default_rng(0).integers(0, 256, (17, 17, 3), dtype=np.uint8)
    monkeypatch.setattr(demo_room, "_regions", lambda _, file, size: [Crop(file, pixels)])
    kept = len(SOURCES) - 1
    assert len(crop_demo(size=16, n_train=5 * kept, n_test=5, seed=0).train) == 5 * kept
    with pytest.raises(ConfigError, match="no more new crops of 16 px after .* ask for fewer"):
        crop_demo(size=16, n_train=5 * kept + 1, n_test=5, seed=0)
