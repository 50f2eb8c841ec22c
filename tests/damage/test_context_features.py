from __future__ import annotations

import math

import numpy as np
import pytest

from ensemble.damage.candidates import find_candidates
from ensemble.damage.context_features import (
    CONTEXT_FEATURES,
    RAY_FEATURES,
    context_features,
    hope_map,
    ray_sums,
    region_means,
    square_means,
)
from ensemble.damage.pixel_features import (
    PIXEL_FEATURES,
    GrayMap,
    doubtful_pixels,
    pixel_features,
)

Case = tuple[np.ndarray, GrayMap, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def case() -> Case:
    """A rectangle of gray 75 in noise that has the gray too, with made-up first opinions."""
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 90, (60, 70), dtype=np.uint8)
    picture[20:36, 20:40] = 75
    found = [c for c in find_candidates(picture) if c.value == 75]
    gray_map = GrayMap.of(picture, max(found, key=lambda c: c.area))
    pixels = doubtful_pixels(gray_map)
    return picture, gray_map, pixels, rng.random(len(pixels))


def test_hopes_are_opinions_where_there_are_any(case: Case) -> None:
    _, gray_map, pixels, belongs = case
    means = region_means(gray_map, pixels, belongs)
    hopes = hope_map(gray_map, means, pixels, belongs)
    opinions = {(y, x): p for (y, x), p in zip(pixels.tolist(), belongs, strict=True)}
    for y, x in np.ndindex(hopes.shape):
        label = gray_map.labels[y, x]
        own = [p for at, p in opinions.items() if gray_map.labels[at] == label]
        if label == 0:
            expected = 0.0
        elif (y, x) in opinions:
            expected = opinions[y, x]
        else:
            expected = 1.0 if label == gray_map.main else float(np.mean(own)) if own else 0.0
        assert hopes[y, x] == pytest.approx(expected, abs=1e-6)


def test_squares_and_frequency_equal_a_slow_count(case: Case) -> None:
    _, gray_map, pixels, belongs = case
    hopes = hope_map(gray_map, region_means(gray_map, pixels, belongs), pixels, belongs)
    means, frequency = square_means(gray_map, hopes, pixels)
    for i, (y, x) in enumerate(pixels):
        for k, reach in enumerate((1, 2, 4, 8, 16)):
            window = np.s_[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            others = np.ones(hopes.shape, bool)
            others[y, x] = False
            hope = hopes[window][others[window]]
            assert means[i, k] == pytest.approx(hope.mean(), abs=1e-5)
        equal = gray_map.equal[window][others[window]]
        expected = ((1 - hope)[equal].sum() + 5e-4) / ((1 - hope).sum() + 1e-3)
        assert frequency[i] == pytest.approx(expected, abs=1e-5)


def test_rays_equal_a_slow_walk() -> None:
    hopes = np.random.default_rng(1).random((40, 50)).astype(np.float32)
    hopes[10:30, 15:35] = 0.9
    pixels = np.array([[20, 25], [0, 49], [31, 14]])
    found = ray_sums(hopes, pixels)
    for row, (y, x) in zip(found, pixels, strict=True):
        walks = []
        for turn in range(64):
            angle = 2 * math.pi * turn / 64
            at = [
                (y + round(k * math.sin(angle)), x + round(k * math.cos(angle)))
                for k in range(1, 29)
            ]
            walk = [hopes[v, u] if 0 <= v < 40 and 0 <= u < 50 else 0.0 for v, u in at]
            run = next((k for k, hope in enumerate(walk) if hope <= 0.5), 28)
            walks.append((sum(walk[:14]), sum(walk), run))
        both = [np.add(walks[turn], walks[turn - 32]) for turn in range(64)]
        expected = {
            "one-sided ray, near": max(w[0] for w in walks) / 14,
            "one-sided ray": max(w[1] for w in walks) / 28,
            "two-sided ray, near": max(w[0] for w in both) / 28,
            "two-sided ray": max(w[1] for w in both) / 56,
            "unbroken ray": max(w[2] for w in walks) / 28,
            "unbroken two-sided ray": max(w[2] for w in both) / 56,
            "all rays": np.mean([w[1] for w in walks]) / 28,
        }
        np.testing.assert_allclose(row, [expected[name] for name in RAY_FEATURES], atol=1e-5)


def test_rows_are_named_and_follow_the_pixels_asked_for(case: Case) -> None:
    picture, gray_map, pixels, belongs = case
    seen = pixel_features(picture, gray_map, pixels)
    asked = np.array([3, 0, 7])
    rows = context_features(gray_map, pixels, seen, belongs, asked)
    every = context_features(gray_map, pixels, seen, belongs, np.arange(len(pixels)))
    assert rows.shape == (3, len(CONTEXT_FEATURES))
    assert np.isfinite(every).all()
    np.testing.assert_array_equal(rows, every[asked])
    np.testing.assert_array_equal(rows[:, : len(PIXEL_FEATURES)], seen[asked])
    logit = rows[:, CONTEXT_FEATURES.index("first opinion")]
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), belongs[asked], atol=1e-6)
