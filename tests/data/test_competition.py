from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.damage.draw import draw_damage
from ensemble.data.competition import Competition, Sample, check_damage, measure_damage
from ensemble.data.png import write_png
from ensemble.errors import DataError, MissingFileError
from ensemble.parallel import seed_of

SIDE = 48
Crops = list[np.ndarray]


def pil_gray(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).convert("L"))


@pytest.fixture
def data(tmp_path: Path, crops: Crops) -> Path:
    """Three training photographs without damage, and two test photographs."""
    for index in range(3):
        write_png(tmp_path / f"train_gt/TRAIN_{index:05d}.png", crops[index])
    for index in range(2):
        write_png(tmp_path / f"test_input/TEST_{index:03d}.png", pil_gray(crops[3 + index]))
    return tmp_path


@pytest.fixture
def load(data: Path) -> Callable[..., Competition]:
    return lambda *, size=SIDE, seed=0: Competition.load(data, size=size, seed=seed)


def add_inputs(data: Path, crops: Crops) -> np.ndarray:
    """Damage all three photographs alike: a square of gray 77. Returns the mask's indices."""
    for index in range(3):
        damaged = pil_gray(crops[index]).copy()
        damaged[10:20, 12:30] = 77
        write_png(data / f"train_input/TRAIN_{index:05d}.png", damaged)
    return np.s_[10:20, 12:30]


def test_it_lists_what_is_there(load):
    competition = load()
    assert competition.train_ids == ("TRAIN_00000", "TRAIN_00001", "TRAIN_00002")
    assert competition.test_ids == ("TEST_000", "TEST_001")
    assert competition.test_names == ("TEST_000.png", "TEST_001.png")
    assert competition.size == (SIDE, SIDE)
    assert competition.is_test("TEST_000")
    assert not competition.is_test("TRAIN_00000")


def test_loading_decodes_nothing(data: Path, load):
    for path in data.rglob("*.png"):
        path.write_bytes(b"not a picture")
    competition = load()
    with pytest.raises(DataError, match=re.escape(f"{data / 'train_gt/TRAIN_00001.png'}")):
        competition.target("TRAIN_00001")


def test_a_sample_is_the_competitions_own_damage(data: Path, crops: Crops, load):
    hole = add_inputs(data, crops)
    competition = load()
    sample = competition.train_sample("TRAIN_00001")
    gray = pil_gray(crops[1])
    expected = np.zeros((SIDE, SIDE), dtype=bool)
    expected[hole] = True
    np.testing.assert_array_equal(sample.target, crops[1])
    np.testing.assert_array_equal(sample.damaged, np.where(expected, 77, gray))
    np.testing.assert_array_equal(sample.lost_mask, expected & (gray != 77))
    assert not competition.simulated


def test_a_lost_pixel_whose_true_gray_is_the_fill_does_not_differ(data: Path, crops: Crops, load):
    hole = add_inputs(data, crops)
    target = crops[0].copy()
    target[12, 15] = 77
    write_png(data / "train_gt/TRAIN_00000.png", target)
    mask = load().train_sample("TRAIN_00000").lost_mask
    assert not mask[12, 15]
    assert mask[hole].sum() >= 100


def test_simulated_damage_is_fixed_by_seed_and_name(crops: Crops, load):
    first, again, other = load(), load(), load(seed=1)
    assert first.simulated
    samples = [c.train_sample("TRAIN_00002") for c in (first, again, other)]
    np.testing.assert_array_equal(samples[0].damaged, samples[1].damaged)
    assert (samples[0].damaged != samples[2].damaged).any()
    damage = draw_damage(size=(SIDE, SIDE), seed=seed_of(0, "TRAIN_00002"))
    gray = pil_gray(crops[2])
    lost = damage.lost_mask()
    np.testing.assert_array_equal(samples[0].damaged, np.where(lost, damage.fill, gray))
    np.testing.assert_array_equal(samples[0].lost_mask, lost & (gray != damage.fill))


@pytest.mark.parametrize("given", [True, False])
def test_the_gray_of_a_sample_is_that_of_its_target(data: Path, crops: Crops, load, given):
    if given:
        add_inputs(data, crops)
    sample = load().train_sample("TRAIN_00001")
    np.testing.assert_array_equal(sample.gray(), pil_gray(sample.target))
    assert (sample.gray() != sample.damaged).any()


def check(sample: Sample) -> str | None:
    pixels = sample.damaged.size
    return check_damage(sample.image_id, *measure_damage(sample), pixels=pixels)


def test_the_competitions_own_damage_passes_without_a_warning(data: Path, crops: Crops, load):
    add_inputs(data, crops)
    assert check(load().train_sample("TRAIN_00000")) is None


@pytest.mark.parametrize("count", [0, 6, SIDE * SIDE])
def test_a_hole_of_few_or_all_pixels_is_refused_by_name(data: Path, crops: Crops, load, count):
    add_inputs(data, crops)
    damaged = pil_gray(crops[1]).copy()
    lost = damaged.reshape(-1)[:count]
    lost[:] = next(gray for gray in range(256) if gray not in lost)
    write_png(data / "train_input/TRAIN_00001.png", damaged)
    message = f"`TRAIN_00001` must have a hole of at least 7 .* in {count} of 2304; remove the pair"
    with pytest.raises(DataError, match=message):
        check(load().train_sample("TRAIN_00001"))


def test_two_photographs_paired_crosswise_are_refused_by_name(data: Path, crops: Crops, load):
    add_inputs(data, crops)
    rows = ["train_input/TRAIN_00000.png,train_gt/TRAIN_00001.png"]
    rows += ["train_input/TRAIN_00001.png,train_gt/TRAIN_00000.png"]
    (data / "train.csv").write_text("\n".join(["input_image_path,gt_image_path", *rows]))
    with pytest.raises(DataError, match="`TRAIN_00001` must differ .* hole of one gray"):
        check(load().train_sample("TRAIN_00001"))


def test_a_gray_of_another_rounding_is_refused_by_name(data: Path, crops: Crops, load):
    add_inputs(data, crops)
    damaged = np.floor(crops[0] @ [0.299, 0.587, 0.114]).astype(np.uint8)
    damaged[10:20, 12:30] = 77
    write_png(data / "train_input/TRAIN_00000.png", damaged)
    with pytest.raises(DataError, match=r"`TRAIN_00000` must differ .*Pillow's `convert"):
        check(load().train_sample("TRAIN_00000"))


def test_unusual_damage_is_warned_of_by_name(data: Path, crops: Crops, load):
    add_inputs(data, crops)
    damaged = pil_gray(crops[0]).copy()
    damaged[2:46, 2:46] = 77
    write_png(data / "train_input/TRAIN_00000.png", damaged)
    damaged = pil_gray(crops[1]).copy()
    damaged[2:20, 2:20], damaged[30:40, 30:40] = 77, 99
    write_png(data / "train_input/TRAIN_00001.png", damaged)
    competition = load()
    large, several = (check(competition.train_sample(f"TRAIN_0000{i}")) for i in (0, 1))
    assert re.fullmatch(r"`TRAIN_00000` has lost 8\d% of its pixels", large)
    assert re.fullmatch(
        r"`TRAIN_00001` has a hole of several grays: 7\d% of it are of one", several
    )


def test_test_photographs_are_read_in_gray(crops: Crops, load):
    np.testing.assert_array_equal(load().test_input("TEST_001"), pil_gray(crops[4]))


def test_another_size_is_refused_with_the_remedy(load, data: Path):
    competition = load(size=512)
    path = data / "train_gt/TRAIN_00000.png"
    message = (
        f"`{path}` must be 512 x 512 px, `size` under [data] of `ens.toml` (`ens init` writes "
        "one), but is 48 x 48 px; set `size = 48` in that file"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        competition.train_sample("TRAIN_00000")
    with pytest.raises(DataError, match=r"TEST_000\.png` must be 512 x 512 px"):
        competition.test_input("TEST_000")


def test_a_picture_that_is_no_square_gets_another_remedy(load, data: Path, crops: Crops):
    write_png(data / "train_gt/TRAIN_00000.png", crops[0][:40])
    with pytest.raises(DataError, match="but is 40 x 48 px; crop it to a square"):
        load().target("TRAIN_00000")


def test_a_pair_of_different_sizes_names_both(load, data: Path, crops: Crops):
    add_inputs(data, crops)
    damaged = data / "train_input/TRAIN_00002.png"
    write_png(damaged, pil_gray(crops[2])[:, :47])
    target = data / "train_gt/TRAIN_00002.png"
    message = f"`{damaged}` must be as large as `{target}`, 48 x 48 px, but is 48 x 47 px"
    with pytest.raises(DataError, match=re.escape(message)):
        load().train_sample("TRAIN_00002")


def test_the_wrong_mode_is_refused(load, data: Path, crops: Crops):
    write_png(data / "train_gt/TRAIN_00000.png", pil_gray(crops[0]))
    write_png(data / "test_input/TEST_000.png", crops[3])
    with pytest.raises(DataError, match=r"TRAIN_00000\.png` must be RGB, but is gray"):
        load().target("TRAIN_00000")
    with pytest.raises(DataError, match=r"TEST_000\.png` must be gray, but is RGB"):
        load().test_input("TEST_000")


def test_an_unknown_photograph_is_named(load):
    with pytest.raises(DataError, match="no training photograph is called `TEST_000`"):
        load().target("TEST_000")
    with pytest.raises(DataError, match="no test photograph is called `TRAIN_00000`"):
        load().test_input("TRAIN_00000")


def test_a_missing_half_is_an_error_only_when_asked_for(load, data: Path):
    for path in (data / "test_input").iterdir():
        path.unlink()
    competition = load()
    assert len(competition.train_ids) == 3
    competition.digest()
    for ask in (
        lambda: competition.test_ids,
        lambda: competition.test_names,
        competition.test_digest,
    ):
        with pytest.raises(MissingFileError, match=r"test_input` has no photographs; .*`ens demo`"):
            ask()
    for path in (data / "train_gt").iterdir():
        path.unlink()
    with pytest.raises(MissingFileError, match="has neither training nor test data"):
        load()


def test_a_test_set_alone_can_be_loaded(load, data: Path):
    for path in (data / "train_gt").iterdir():
        path.unlink()
    competition = load()
    assert len(competition.test_ids) == 2
    with pytest.raises(MissingFileError, match="train_gt` has no photographs"):
        _ = competition.train_ids


def test_a_name_in_both_halves_is_refused(load, data: Path, crops: Crops):
    write_png(data / "test_input/TRAIN_00001.png", pil_gray(crops[0]))
    with pytest.raises(DataError, match="distinct names, but `TRAIN_00001` is both"):
        load()


def test_the_digest_tells_whatever_changes_training(load, data: Path, crops: Crops):
    digests = [load().digest()]
    assert load().digest() == digests[0]
    digests.append(load(seed=1).digest())
    digests.append(load(size=96).digest())
    write_png(data / "train_gt/TRAIN_00000.png", crops[5])
    digests.append(load().digest())
    (data / "train_gt/TRAIN_00001.png").rename(data / "train_gt/TRAIN_00009.png")
    digests.append(load().digest())
    (data / "train_gt/TRAIN_00009.png").rename(data / "train_gt/TRAIN_00001.png")
    add_inputs(data, crops)
    digests.append(load().digest())
    assert len(set(digests)) == len(digests)
    assert load(seed=1).digest() == digests[-1]


def test_the_digest_leaves_the_test_set_to_its_own(load, data: Path, crops: Crops):
    before, test_before = load().digest(), load().test_digest()
    write_png(data / "test_input/TEST_000.png", pil_gray(crops[6]))
    assert load().digest() == before
    assert load().test_digest() != test_before


def test_the_sample_submission_is_listed(load, data: Path):
    assert load().sample_submission_names() is None
    path = data / "sample_submission.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("TEST_001.png", b"")
        archive.writestr("TEST_000.png", b"")
        archive.mkdir("folder")
    assert load().sample_submission_names() == ("TEST_000.png", "TEST_001.png")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"")
    path.write_bytes(path.read_bytes().replace(b"x", b"\0"))
    assert load().sample_submission_names() == ("",)
    path.write_bytes(b"no zip")
    with pytest.raises(DataError, match=re.escape(f"`{path}` must be a zip")):
        load().sample_submission_names()


def test_it_travels_to_worker_processes(load):
    competition = load()
    copy = pickle.loads(pickle.dumps(competition))
    assert copy.train_ids == competition.train_ids
    assert copy.digest() == competition.digest()
