"""Each wrong variant of the score that is likely to be written, told apart by the hard corpus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from skimage.metrics import structural_similarity

from ensemble.metric.score import Score, score
from tests.reference.corpus import Case
from tests.reference.score import literal_score

Array = NDArray[Any]
Variant = Callable[[Array, Array, Array], float]


def spread(array: Array) -> float:
    return float(array.max()) - float(array.min())


def whole(pred: Array, target: Array, **changed: Any) -> float:
    options = {"channel_axis": -1, "data_range": spread(pred)} | changed
    return structural_similarity(target, pred, **options)


def window_of_eight(pred: Array, target: Array, _: Array) -> float:
    def mean(array: Array) -> Array:
        return uniform_filter(array, (8, 8, 0))[4:-3, 4:-3]

    x, y = target.astype(float), pred.astype(float)
    c1, c2 = (0.01 * spread(pred)) ** 2, (0.03 * spread(pred)) ** 2
    ux, uy = mean(x), mean(y)
    vxy = (mean(x * y) - ux * uy) * 64 / 63
    v = (mean(x * x) - ux**2 + mean(y * y) - uy**2) * 64 / 63
    return ((2 * ux * uy + c1) * (2 * vxy + c2) / ((ux**2 + uy**2 + c1) * (v + c2))).mean()


def luma(picture: Array) -> Array:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def mean_of_channels(pred: Array, target: Array, _: Array) -> float:
    pairs = ((pred[..., c], target[..., c]) for c in range(3))
    return np.mean([whole(p, t, channel_axis=None, data_range=max(1, spread(p))) for p, t in pairs])


SSIM: dict[str, Variant] = {
    "data range 255": lambda p, t, m: whole(p, t, data_range=255),
    "data range of target": lambda p, t, m: whole(p, t, data_range=spread(t)),
    "data range of both": lambda p, t, m: whole(p, t, data_range=spread(np.stack([p, t]))),
    "data range of each channel": mean_of_channels,
    "data range of the lost pixels": lambda p, t, m: whole(p, t, data_range=spread(p[m])),
    "brightest value as range": lambda p, t, m: whole(p, t, data_range=int(p.max())),
    "pred and target swapped": lambda p, t, m: whole(t, p),
    "population covariance": lambda p, t, m: whole(p, t, use_sample_covariance=False),
    "window 5": lambda p, t, m: whole(p, t, win_size=5),
    "window 8": window_of_eight,
    "gaussian window": lambda p, t, m: whole(
        p, t, gaussian_weights=True, win_size=7, use_sample_covariance=False
    ),
    "border kept": lambda p, t, m: whole(p, t, full=True)[1].mean(),
    "luma only": lambda p, t, m: whole(luma(p), luma(t), channel_axis=None, data_range=spread(p)),
    "K1 and K2 swapped": lambda p, t, m: whole(p, t, K1=0.03, K2=0.01),
    "only the lost pixels": lambda p, t, m: whole(p, t, full=True)[1][m].mean(),
}


def along(pred: Array, target: Array, mask: Array, **changed: Any) -> float:
    options = {"data_range": spread(pred)} | changed
    return whole(pred[mask], target[mask], **options)


def blacked_out(picture: Array, mask: Array) -> Array:
    return picture * mask[..., None]


MASKED: dict[str, Variant] = {
    "transposed order": lambda p, t, m: along(
        p.swapaxes(0, 1), t.swapaxes(0, 1), m.T, data_range=spread(p)
    ),
    "mirrored order": lambda p, t, m: along(p[:, ::-1], t[:, ::-1], m[:, ::-1]),
    "known pixels": lambda p, t, m: along(p, t, ~m) if (~m).sum() >= 7 else 0.0,
    "data range of the lost pixels": lambda p, t, m: along(p, t, m, data_range=spread(p[m])),
    "data range of target": lambda p, t, m: along(p, t, m, data_range=spread(t)),
    "data range 255": lambda p, t, m: along(p, t, m, data_range=255),
    "population covariance": lambda p, t, m: along(p, t, m, use_sample_covariance=False),
    "covariance of a square window": lambda p, t, m: along(
        p, t, m, use_sample_covariance=False, K2=0.03 * (48 / 49) ** 0.5
    ),
    "window 9": lambda p, t, m: along(p, t, m, win_size=9) if m.sum() >= 9 else 0.0,
    "gaussian window": lambda p, t, m: along(
        p, t, m, gaussian_weights=True, win_size=7, use_sample_covariance=False
    ),
    "ends kept": lambda p, t, m: along(p, t, m, full=True)[1].mean(),
    "two-dimensional": lambda p, t, m: whole(p, t, full=True)[1][m].mean(),
    "the rest blacked out": lambda p, t, m: whole(
        blacked_out(p, m), blacked_out(t, m), data_range=spread(p)
    ),
    "channels in one line": lambda p, t, m: whole(
        p[m].ravel(), t[m].ravel(), channel_axis=None, data_range=spread(p)
    ),
}


def histogram(hues: Array, bins: int = 180, top: int = 180, mask: Array | None = None) -> Array:
    mask = None if mask is None else mask.astype(np.uint8)
    counts = cv2.calcHist([np.ascontiguousarray(hues)], [0], mask, [bins], [0, top])
    return cv2.normalize(counts, counts)


def channel(picture: Array, code: int = cv2.COLOR_RGB2HSV, index: int = 0) -> Array:
    return cv2.cvtColor(np.ascontiguousarray(picture), code)[..., index]


def float_hue(picture: Array) -> Array:
    return cv2.cvtColor((picture / 255).astype(np.float32), cv2.COLOR_RGB2HSV)[..., 0] / 2


def compare(of: Callable[[Array], Array], pred: Array, target: Array, **how: Any) -> float:
    return cv2.compareHist(histogram(of(target), **how), histogram(of(pred), **how), 0)


def by_method(method: int) -> Variant:
    return lambda p, t, m: cv2.compareHist(histogram(channel(t)), histogram(channel(p)), method)


def cosine(pred: Array, target: Array, _: Array) -> float:
    return float((histogram(channel(pred)) * histogram(channel(target))).sum())


def colorful(pred: Array, target: Array, _: Array) -> float:
    counts = [
        histogram(channel(one), mask=channel(one, index=1) > 0).ravel() for one in (target, pred)
    ]
    return cv2.compareHist(*counts, cv2.HISTCMP_CORREL)


HUE: dict[str, Variant] = {
    "BGR": lambda p, t, m: compare(lambda one: channel(one, cv2.COLOR_BGR2HSV), p, t),
    "full hue": lambda p, t, m: compare(
        lambda one: channel(one, cv2.COLOR_RGB2HSV_FULL), p, t, bins=256, top=256
    ),
    "256 values in 180 bins": lambda p, t, m: compare(channel, p, t, top=256),
    "256 bins": lambda p, t, m: compare(channel, p, t, bins=256, top=256),
    "90 bins": lambda p, t, m: compare(channel, p, t, bins=90),
    "hue not rounded": lambda p, t, m: compare(float_hue, p, t),
    "saturation": lambda p, t, m: compare(lambda one: channel(one, index=1), p, t, top=256),
    "only the lost pixels": lambda p, t, m: compare(channel, p, t, mask=m),
    "without the gray pixels": colorful,
    "cosine": cosine,
    "intersection": by_method(cv2.HISTCMP_INTERSECT),
    "Bhattacharyya": by_method(cv2.HISTCMP_BHATTACHARYYA),
}

TERMS = [("ssim", SSIM), ("masked_ssim", MASKED), ("hue", HUE)]
NAMED = [(term, name) for term, variants in TERMS for name in variants]


@pytest.fixture(scope="module")
def judged(cases: list[Case]) -> list[tuple[Case, Score]]:
    judged = []
    for case in cases:
        arrays = {"pred": case.pred, "target": case.target, "lost_mask": case.lost_mask}
        literal, found = literal_score(**arrays), score(**arrays)
        assert found.score == pytest.approx(literal.score, abs=2e-8)
        judged.append((case, found))
    return judged


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("term", "name"), NAMED)
def test_the_corpus_tells_the_variant_apart(
    judged: list[tuple[Case, Score]], term: str, name: str
) -> None:
    variant = dict(TERMS)[term][name]
    apart = [
        abs(variant(case.pred, case.target, case.lost_mask) - getattr(found, term))
        for case, found in judged
        if min(case.target.shape[:2]) > 8
    ]
    assert max(apart) > 1e-4


def test_counts_left_unnormalized_differ_by_rounding_alone(
    judged: list[tuple[Case, Score]],
) -> None:
    """Correlation forgives any scale but single precision: almost uniform histograms show it."""
    apart = []
    for case, found in judged:
        counts = [cv2.calcHist([channel(one)], [0], None, [180], [0, 180]) for one in case[1:3]]
        apart.append(abs(cv2.compareHist(*counts, cv2.HISTCMP_CORREL) - found.hue))
    assert 2e-8 < max(apart) < 1e-6
