from __future__ import annotations

import cv2
import numpy as np
import pytest

from ensemble.composition.hue_target import centered, hue_histogram, hue_target, lift


@pytest.fixture
def histograms() -> np.ndarray:
    return np.random.default_rng(2).gamma(0.3, 100.0, (12, 180))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float32), b.astype(np.float32)
    return float(cv2.compareHist(a, b, cv2.HISTCMP_CORREL))


def test_counts_opencvs_hues() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    rgb[:10] = rgb[:10, :, :1]
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    expected = cv2.calcHist([hsv], [0], None, [180], [0, 180]).ravel()
    assert np.array_equal(hue_histogram(rgb), expected)
    assert hue_histogram(rgb)[0] >= 500


def test_inner_product_of_centered_is_opencvs_correlation(histograms: np.ndarray) -> None:
    inner = centered(histograms[0]) @ centered(histograms[1])
    assert inner == pytest.approx(_correlation(histograms[0], histograms[1]), abs=1e-6)
    assert not centered(np.full(180, 5.0)).any()


def test_a_lifted_direction_correlates_perfectly(
    histograms: np.ndarray,
) -> None:
    direction = centered(histograms).mean(axis=0)
    histogram = lift(direction)
    assert histogram.min() == 0
    assert histogram.sum() == pytest.approx(1)
    assert centered(histogram) @ centered(direction) == pytest.approx(1)
    assert np.allclose(lift(np.zeros(180)), 1 / 180)


def test_no_other_histogram_has_a_higher_mean_correlation(histograms: np.ndarray) -> None:
    def mean_correlation(histogram: np.ndarray) -> float:
        return float((centered(histograms) @ centered(histogram)).mean())

    best = hue_target(histograms=histograms, weights=np.ones(12), prior=None, prior_weight=0.0)
    rng = np.random.default_rng(3)
    rivals = [
        histograms.mean(axis=0),
        np.median(histograms, axis=0),
        (histograms / histograms.sum(axis=1, keepdims=True)).mean(axis=0),
        *(np.abs(best + rng.normal(0, size, 180)) for size in (1e-4, 1e-3, 1e-2)),
    ]
    assert all(mean_correlation(best) > mean_correlation(rival) for rival in rivals)


def test_target_mixes_centered_unit_vectors(histograms: np.ndarray) -> None:
    prior = histograms[:9].mean(axis=0)
    weights = np.array([3.0, 1.0, 0.0])
    got = hue_target(histograms=histograms[9:], weights=weights, prior=prior, prior_weight=0.3)
    members = centered(0.75 * centered(histograms[9]) + 0.25 * centered(histograms[10]))
    expected = centered(0.7 * members + 0.3 * centered(prior))
    assert np.allclose(centered(got), expected)
    assert got.min() == 0
    assert got.sum() == pytest.approx(1)


def test_target_without_prior(histograms: np.ndarray) -> None:
    members = hue_target(
        histograms=histograms[:1], weights=np.ones(1), prior=None, prior_weight=0.9
    )
    assert np.allclose(centered(members), centered(histograms[0]))
