from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ensemble.arrays import Gray, Rgb, luma
from ensemble.composition.hue_target import centered, hue_histogram, lift
from ensemble.composition.hue_transport import transport_hue
from ensemble.composition.hue_transport.transport import HueMode
from ensemble.composition.luma import lock_luma
from ensemble.errors import ArrayError
from ensemble.metric.hue import find_hues
from ensemble.metric.ssim import to_planes

MODES: tuple[HueMode, HueMode] = ("score", "natural")


@pytest.fixture(scope="module")
def photograph() -> Rgb:
    """Without black and white, which have hardly any hue to reach."""
    return (skimage.data.astronaut()[::3, ::3] * 0.8 + 25).astype(np.uint8)


@pytest.fixture(scope="module")
def target() -> np.ndarray:
    names = ("coffee", "chelsea", "rocket")
    pictures = [getattr(skimage.data, name)()[::3, ::3] for name in names]
    histograms = np.stack([hue_histogram(np.ascontiguousarray(p)) for p in pictures])
    return lift(centered(histograms).mean(axis=0))


def _gray_rgb(gray: Gray) -> Rgb:
    return np.repeat(gray[..., None], 3, axis=2)


def _correlation(rgb: Rgb, target: np.ndarray) -> float:
    return float(centered(hue_histogram(rgb)) @ centered(target))


@pytest.mark.parametrize("mode", MODES)
def test_reaches_the_histogram_at_the_exact_luma(
    photograph: Rgb, target: np.ndarray, mode: HueMode
) -> None:
    gray = luma(photograph)
    for rgb in (photograph, _gray_rgb(gray)):
        moved = transport_hue(rgb=rgb, gray=gray, target=target, mode=mode)
        assert np.array_equal(luma(moved), gray)
        assert _correlation(rgb, target) < 0.9 < 0.99 < _correlation(moved, target)
        again = transport_hue(rgb=rgb, gray=gray, target=target, mode=mode)
        assert np.array_equal(moved, again)


@settings(max_examples=20, deadline=None)
@given(
    hnp.arrays(np.uint8, (12, 11, 3)),
    hnp.arrays(np.float64, 180, elements=st.floats(0, 5)).filter(np.any),
    st.sampled_from(MODES),
)
def test_keeps_the_luma_of_any_picture_for_any_target(
    rgb: Rgb, target: np.ndarray, mode: HueMode
) -> None:
    moved = transport_hue(rgb=rgb, gray=luma(rgb), target=target, mode=mode)
    assert np.array_equal(luma(moved), luma(rgb))


def test_a_target_of_the_smallest_numbers_is_as_good_as_one_of_ones(photograph: Rgb) -> None:
    gray, ones = luma(photograph), np.ones(180)
    moved, same = (
        transport_hue(rgb=photograph, gray=gray, target=target, mode="score")
        for target in (ones, ones * 5e-324)
    )
    assert np.array_equal(moved, same)


@pytest.mark.parametrize("mode", MODES)
def test_leaves_a_picture_alone_whose_histogram_is_right_already(
    photograph: Rgb, target: np.ndarray, mode: HueMode
) -> None:
    gray, own = luma(photograph), centered(hue_histogram(photograph))
    other = centered(target) - (centered(target) @ own) * own
    for lean, alone in ((0.0, True), (0.12, True), (0.2, False)):
        wanted = lift(own + lean * other / np.linalg.norm(other))
        moved = transport_hue(rgb=photograph, gray=gray, target=wanted, mode=mode)
        assert np.array_equal(moved, photograph) is alone
        assert _correlation(moved, wanted) > 0.99


def test_sends_weakly_colored_noise_to_smooth_hues(target: np.ndarray) -> None:
    """Noise in the members' colors must not become noise in the answer: SSIM pays for it."""
    rng = np.random.default_rng(0)
    gray = np.full((120, 120), 128, dtype=np.uint8)
    noise = rng.normal(0, 4, (120, 120, 3)).astype(np.float32)
    noisy = lock_luma(rgb=gray[..., None] + noise, gray=gray)
    moved = transport_hue(rgb=noisy, gray=gray, target=target, mode="score")
    bins = find_hues(to_planes(moved)).astype(int)
    steps = np.abs(np.diff(bins, axis=1))
    assert (np.minimum(steps, 180 - steps) <= 3).mean() > 0.9


def test_meets_the_counts_exactly_where_every_hue_is_within_reach(target: np.ndarray) -> None:
    gray = np.random.default_rng(0).integers(60, 200, (60, 60), dtype=np.uint8)
    moved = transport_hue(rgb=_gray_rgb(gray), gray=gray, target=target, mode="score")
    assert np.abs(hue_histogram(moved) - target / target.sum() * 3600).max() < 1


def test_others_take_the_hues_that_dark_and_bright_pixels_cannot(target: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    gray = rng.integers(60, 200, (60, 60), dtype=np.uint8)
    gray[rng.random((60, 60)) < 0.2] = 6
    gray[rng.random((60, 60)) < 0.1] = 249
    moved = transport_hue(rgb=_gray_rgb(gray), gray=gray, target=target, mode="score")
    assert _correlation(moved, target) > 0.99


def test_black_and_white_stay_what_they_are(target: np.ndarray) -> None:
    gray = np.where(np.indices((9, 9)).sum(axis=0) % 2, 0, 255).astype(np.uint8)
    moved = transport_hue(rgb=_gray_rgb(gray), gray=gray, target=target, mode="natural")
    assert np.array_equal(luma(moved), gray)
    assert np.abs(moved.astype(int) - _gray_rgb(gray)).max() <= 5
    assert hue_histogram(moved)[0] >= 70


@pytest.mark.parametrize(("of_hue_0", "n_gray"), [(1, 0), (2, 105)])
def test_gray_takes_what_hue_0_has_beyond_the_reds_beside_it(of_hue_0: int, n_gray: int) -> None:
    gray = np.full((20, 21), 128, dtype=np.uint8)
    red = lock_luma(rgb=np.full((20, 21, 3), (188.0, 104.0, 104.0)), gray=gray)
    target = np.zeros(180)
    target[[179, 0, 1]] = 1, of_hue_0, 1
    moved = transport_hue(rgb=red, gray=gray, target=target, mode="natural")
    assert (moved == moved[..., :1]).all(axis=-1).sum() == n_gray


def test_a_picture_beyond_reach_falls_back_to_gray(target: np.ndarray) -> None:
    only_blue = np.zeros(180)
    only_blue[100] = 1
    gray = np.full((9, 9), 255, dtype=np.uint8)
    moved = transport_hue(rgb=_gray_rgb(gray), gray=gray, target=only_blue, mode="score")
    assert np.array_equal(moved, _gray_rgb(gray))


def test_natural_keeps_more_chroma_than_score(photograph: Rgb, target: np.ndarray) -> None:
    gray = luma(photograph)
    score, natural = (
        transport_hue(rgb=photograph, gray=gray, target=target, mode=mode) for mode in MODES
    )
    chroma = [float((p.max(axis=2).astype(int) - p.min(axis=2)).mean()) for p in (score, natural)]
    assert chroma[0] < chroma[1]
    assert np.array_equal(hue_histogram(score), hue_histogram(natural))


def test_does_not_tear_a_flat_gray_into_noise(target: np.ndarray) -> None:
    gray = np.full((120, 120), 128, dtype=np.uint8)
    moved = transport_hue(rgb=_gray_rgb(gray), gray=gray, target=target, mode="score").astype(int)
    assert (np.abs(np.diff(moved, axis=1)).max(axis=2) > 0).mean() < 0.03


@pytest.mark.parametrize(
    "target", [np.ones(256), -np.ones(180), np.zeros(180), np.full(180, np.nan)]
)
def test_refuses_what_is_no_histogram(photograph: Rgb, target: np.ndarray) -> None:
    with pytest.raises(ArrayError, match="180 numbers, none negative and some positive"):
        transport_hue(rgb=photograph, gray=luma(photograph), target=target, mode="score")
