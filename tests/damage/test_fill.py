from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest
import skimage.data
from skimage.restoration import inpaint_biharmonic

from ensemble.arrays import Gray, Mask
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.damage.fill import fill_hole
from ensemble.errors import ArrayError, ConfigError
from ensemble.vocabulary import FILLS


@pytest.fixture(scope="module")
def gray() -> Gray:
    return cv2.resize(skimage.data.camera(), (96, 80), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def oblong() -> Gray:
    return np.ascontiguousarray(skimage.data.camera()[100:231, 150:299])


@pytest.fixture(scope="module")
def hole() -> Mask:
    return draw_damage(size=(80, 96), seed=4).lost_mask()


@pytest.mark.parametrize("method", FILLS)
def test_the_input_stays_outside_and_the_hole_comes_nearer_inside(
    method: str, gray: Gray, hole: Mask
) -> None:
    damaged = apply_damage(gray, draw_damage(size=(80, 96), seed=4))
    filled = fill_hole(damaged, hole, method=method)
    assert filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[~hole], damaged[~hole])
    flat = np.full_like(gray, gray[~hole].mean())
    assert _error(filled, gray, hole) < 0.8 * _error(flat, gray, hole)


@pytest.mark.parametrize("method", FILLS)
def test_the_fill_itself_is_not_read(method: str, gray: Gray, hole: Mask) -> None:
    black, white = np.where(hole, 0, gray), np.where(hole, 255, gray)
    np.testing.assert_array_equal(
        fill_hole(black.astype(np.uint8), hole, method=method),
        fill_hole(white.astype(np.uint8), hole, method=method),
    )


@pytest.mark.parametrize("method", FILLS)
def test_a_plane_is_continued(method: str, hole: Mask) -> None:
    rows, columns = np.mgrid[:80, :96]
    plane = (40 + rows + columns // 2).astype(np.uint8)
    tolerance = {"navier-stokes": 12, "telea": 30}.get(method, 2)
    filled = fill_hole(plane, hole, method=method)
    assert np.abs(filled.astype(int) - plane)[hole].mean() < tolerance


def test_the_methods_are_different_ones(gray: Gray, hole: Mask) -> None:
    filled = [fill_hole(gray, hole, method=method) for method in FILLS]
    assert all((one != other).any() for one, other in combinations(filled, 2))


def test_without_a_hole_a_copy(gray: Gray) -> None:
    filled = fill_hole(gray, np.zeros(gray.shape, bool))
    assert filled is not gray
    np.testing.assert_array_equal(filled, gray)


def test_refusals_state_the_rule(gray: Gray, hole: Mask) -> None:
    with pytest.raises(ConfigError, match="one of spline, .*, telea, but is 'ns'"):
        fill_hole(gray, hole, method="ns")
    with pytest.raises(ArrayError, match="at least one pixel that is not lost"):
        fill_hole(gray, np.ones(gray.shape, bool))
    with pytest.raises(ArrayError, match="must be bool"):
        fill_hole(gray, hole.astype(np.uint8))
    with pytest.raises(ArrayError, match=r"\(80, 96\)"):
        fill_hole(gray, hole[1:])


def _error(picture: Gray, truth: Gray, where: Mask) -> float:
    return float(np.abs(picture.astype(int) - truth)[where].mean())


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_biharmonic_is_that_of_scikit_image(oblong: Gray, seed: int) -> None:
    lost = np.zeros(oblong.shape, dtype=bool)
    lost[12:-12, 12:-12] = draw_damage(size=(107, 125), seed=seed).lost_mask()
    due = np.rint(255 * inpaint_biharmonic(oblong / 255.0, lost))
    apart = np.abs(fill_hole(oblong, lost, method="biharmonic") - due)
    assert apart.max() <= 1
    assert apart[lost].mean() < 0.1  # rounded to the nearest, too


@pytest.mark.parametrize("method", ["harmonic", "biharmonic", "spline", "rows"])
def test_surfaces_stay_within_the_known_grays(method: str) -> None:
    picture = np.full((40, 40), 100, dtype=np.uint8)
    picture[:, :20] = 10 * np.arange(20, dtype=np.uint8)[::-1] + 10
    lost = np.zeros(picture.shape, dtype=bool)
    lost[10:30, 15:40] = True
    filled = fill_hole(picture, lost, method=method)
    assert picture[~lost].min() <= filled.min()
    assert filled.max() <= picture[~lost].max()


@pytest.mark.parametrize("method", ["harmonic", "biharmonic", "spline", "rows"])
def test_one_known_pixel_is_enough(method: str) -> None:
    lost = np.ones((20, 13), dtype=bool)
    lost[3, 4] = False
    picture = np.full((20, 13), 77, np.uint8)
    assert np.array_equal(fill_hole(picture, lost, method=method), picture)


def test_rows_are_lines_between_their_ends(gray: Gray) -> None:
    rng = np.random.default_rng(0)
    lost = rng.random(gray.shape) < 0.8
    lost[7] = True  # the whole row
    lost[9, :-1], lost[9, -1] = True, False
    filled = fill_hole(gray, lost, method="rows")
    x = np.arange(gray.shape[1])
    for row in np.flatnonzero(~lost.all(axis=1)):
        known = np.flatnonzero(~lost[row])
        due = np.interp(x, known, gray[row, known].astype(float))
        assert np.abs(filled[row] - due).max() <= 0.5 + 1e-9
    assert np.array_equal(filled[7], fill_hole(gray, lost)[7])
    assert np.array_equal(filled[9], np.full(gray.shape[1], gray[9, -1]))
    for flip in (np.fliplr, np.flipud):
        flipped = fill_hole(
            np.ascontiguousarray(flip(gray)), np.ascontiguousarray(flip(lost)), method="rows"
        )
        rows = np.arange(80) != 7  # the spline is the same to a gray level
        assert np.array_equal(flip(flipped)[rows], filled[rows])
