from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from ensemble.composition.hue_transport.assign import (
    KEYS,
    UNASSIGNED,
    apportion,
    assign,
    chroma_of,
    find_keys,
    sector_of,
)


def test_sector_is_the_hue_of_hsv() -> None:
    for red, green, blue in np.random.default_rng(0).integers(0, 256, (3000, 3)).tolist():
        hue = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)[0]
        got = sector_of(float(red - green), float(blue - green)) / 6
        assert min(abs(got - hue), 1 - abs(got - hue)) < 1e-9
        assert 0 <= got < 1
        chroma = max(red, green, blue) - min(red, green, blue)
        assert chroma_of(float(red - green), float(blue - green)) == chroma


@pytest.mark.parametrize("color", [(200, 40, 60), (30, 160, 40), (60, 70, 200)])
def test_a_strongly_colored_picture_keeps_its_hue(color: tuple[int, int, int]) -> None:
    rgb = np.full((20, 30, 3), color, dtype=np.uint8)
    hue = colorsys.rgb_to_hsv(*(c / 255 for c in color))[0] * KEYS
    assert np.abs(find_keys(rgb).astype(float) - hue).max() <= 2


def test_a_pixel_takes_its_neighborhoods_hue() -> None:
    rgb = np.full((41, 41, 3), (200, 100, 90), dtype=np.uint8)
    rgb[20, 20] = (60, 70, 200)
    keys = find_keys(rgb).reshape(41, 41).astype(int)
    apart = (keys[20, 20] - keys[0, 0] + KEYS // 2) % KEYS - KEYS // 2
    assert abs(apart) < KEYS / 180 * 12


def test_the_weaker_the_colors_the_more_the_ramp_decides() -> None:
    """At the top it is blue; the picture is red."""
    hues = []
    for chroma in (64, 40, 20, 4):
        rgb = np.full((40, 40, 3), 90, dtype=np.uint8)
        rgb[..., 0] += chroma
        hues.append(int(find_keys(rgb)[0]) / 256)
    assert min(hues[0], 180 - hues[0]) < 1
    distances = [abs(hue - 130) for hue in (180 if hue < 1 else hue for hue in hues)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 6


def test_a_gray_picture_gets_a_smooth_ramp() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (64, 40), dtype=np.uint8)
    keys = find_keys(np.repeat(gray[..., None], 3, axis=2)).reshape(64, 40)
    assert (keys == keys[:, :1]).all()
    steps = np.diff(keys[:, 0].astype(int)) % KEYS
    assert (np.minimum(steps, KEYS - steps) < KEYS / 64 * 2).all()
    assert 90 < keys[4, 0] / 256 < 135


@pytest.mark.parametrize("height", [90, 180])
def test_the_ramp_starts_at_its_top_hue(height: int) -> None:
    gray = np.full((height, 40), 120, dtype=np.uint8)
    keys = find_keys(np.repeat(gray[..., None], 3, axis=2)).reshape(height, 40)
    # A color half a row below hue 130 of 180 on the circle, read as a hue of the hexagon.
    angle = 2 * np.pi * (130 / 180 - 0.5 / height)
    x, y = np.cos(angle) / 4, np.sin(angle) / np.sqrt(3) / 4
    hue = colorsys.rgb_to_hsv(0.5 + x - y, 0.5, 0.5 - 2 * y)[0] * 180
    assert keys[0, 0] / 256 == pytest.approx(hue, abs=0.01)


STEP = KEYS // 180


def _cost(hues: np.ndarray, bins: np.ndarray) -> float:
    apart = np.abs(hues.astype(float)[:, None] - bins[None])
    return np.minimum(apart, 180 - apart)


@given(st.lists(st.floats(0, 10), min_size=180, max_size=180).filter(any), st.integers(0, 5000))
def test_apportions_whole_numbers_to_the_total(shares: list[float], total: int) -> None:
    counts = apportion(np.array(shares), total)
    assert counts.sum() == total
    assert np.abs(counts - np.array(shares) * total / sum(shares)).max() < 1


def test_assigns_the_exact_counts_at_the_least_cost() -> None:
    rng = np.random.default_rng(0)
    for center in (5, 90, 176):
        hues = np.round(rng.normal(center, 12, 150)) % 180
        wanted = np.round(rng.normal(center + 20, 20, 150)) % 180
        counts = np.bincount(wanted.astype(int), minlength=180)
        bins = np.full(150, UNASSIGNED, dtype=np.uint8)
        assign(keys=(hues * STEP).astype(np.uint16), bins=bins, counts=counts)
        assert np.array_equal(np.bincount(bins, minlength=180), counts)
        costs = _cost(hues, wanted)
        best = costs[linear_sum_assignment(costs)].sum()
        got = np.diagonal(_cost(hues, bins)).sum()
        assert got <= best * 1.05 + 3


def test_leaves_a_picture_alone_that_has_the_wanted_histogram() -> None:
    hues = np.random.default_rng(1).integers(0, 180, 4000)
    bins = np.full(4000, UNASSIGNED, dtype=np.uint8)
    assign(keys=(hues * STEP).astype(np.uint16), bins=bins, counts=np.bincount(hues, minlength=180))
    assert np.array_equal(bins, hues)


def test_keeps_what_is_assigned_already_and_the_order_of_equal_keys() -> None:
    bins = np.array([7, UNASSIGNED, UNASSIGNED, 9, UNASSIGNED], dtype=np.uint8)
    counts = np.zeros(180, dtype=np.int64)
    counts[[20, 30, 40]] = 1
    assign(keys=np.full(5, 30 * STEP, dtype=np.uint16), bins=bins, counts=counts)
    fixed, moved = bins[[0, 3]], bins[[1, 2, 4]].tolist()
    assert fixed.tolist() == [7, 9]
    assert moved in ([20, 30, 40], [30, 40, 20], [40, 20, 30])
