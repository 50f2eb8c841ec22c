from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest
import skimage.data
from scipy.ndimage import laplace, sobel
from sklearn.linear_model import Ridge

from ensemble.arrays import Gray, luma
from ensemble.composition.hue_prior import (
    N_STATISTICS,
    PENALTIES,
    RANK,
    HuePrior,
    _count_patterns,
    _measure_directions,
    count_inner_hues,
    gray_statistics,
    share_extremes,
)
from ensemble.composition.hue_target import centered, lift
from ensemble.errors import ArrayError, StaleArtefactError


@pytest.fixture(scope="module")
def photographs() -> tuple[np.ndarray, np.ndarray]:
    """Statistics, and histograms whose peak follows the first of them, as do a hundred others."""
    rng = np.random.default_rng(0)
    statistics = rng.normal(3, 2, (160, N_STATISTICS))
    statistics[:, 1:100] += statistics[:, :1]
    peak = 60 + 12 * statistics[:, 0]
    bins = np.arange(180)
    histograms = np.exp(-(((bins - peak[:, None]) / 25) ** 2)) + rng.random((160, 180)) * 0.1
    return statistics, histograms


def _direction(prior: HuePrior, statistics: np.ndarray) -> np.ndarray:
    return centered(np.stack([prior.predict([row], 0) for row in statistics]))


def test_beats_the_one_prior_where_statistics_tell(photographs: tuple) -> None:
    statistics, histograms = photographs
    prior = HuePrior.fit(statistics=[statistics[:120]], histograms=histograms[:120])
    truth = centered(histograms[120:])
    ours = (_direction(prior, statistics[120:]) * truth).sum(axis=1).mean()
    one = (truth @ centered(lift(centered(histograms[:120]).mean(axis=0)))).mean()
    assert ours > one + 0.05


def test_loses_little_to_the_one_prior_where_they_do_not(photographs: tuple) -> None:
    """By chance a fit may seem to pay; of eight that learn from noise most leave the one prior."""
    _, histograms = photographs
    truth = centered(histograms[120:])
    one = truth @ centered(lift(centered(histograms[:120]).mean(axis=0)))
    losses = []
    for seed in range(1, 9):
        noise = np.random.default_rng(seed).normal(size=(160, N_STATISTICS))
        prior = HuePrior.fit(statistics=[noise[:120]], histograms=histograms[:120])
        ours = (_direction(prior, noise[120:]) * truth).sum(axis=1)
        losses.append(float((one - ours).mean()))
    assert np.median(losses) < 1e-3
    assert np.mean(losses) < 0.02


def test_the_leave_one_out_correlation_is_that_of_leaving_one_out(photographs: tuple) -> None:
    statistics, histograms = (part[:40] for part in photographs)
    prior = HuePrior.fit(statistics=[statistics], histograms=histograms)
    known = (statistics - prior.center) / prior.scale
    units, found = centered(histograms), []
    mean = units.mean(axis=0)
    for penalty in PENALTIES[:-1]:
        whole = Ridge(alpha=penalty).fit(known, units).predict(known) - mean
        directions = np.linalg.svd(whole)[2][:RANK]
        pairs = []
        for one in range(40):
            rest = np.arange(40) != one
            # the mean is the whole sample's here, as centering precedes the fit
            model = Ridge(alpha=penalty).fit(known[rest], units[rest])
            others = units[rest].mean(axis=0)
            turned = model.predict(known[one : one + 1])[0] - others
            told = others + sum(direction * (direction @ turned) for direction in directions)
            pairs.append(centered(told) @ units[one])
        found.append(np.mean(pairs))
    assert float(prior.correlation) == pytest.approx(max(found), abs=1e-6)


def test_fits_ridge_regression_of_reduced_rank(photographs: tuple) -> None:
    """The fitted histograms are the nearest of their rank to ridge regression's."""
    statistics, histograms = photographs
    prior = HuePrior.fit(statistics=[statistics], histograms=histograms)
    known = (statistics - prior.center) / prior.scale
    apart, from_full_rank = [], []
    for penalty in PENALTIES[:-1]:
        ridge = known @ Ridge(alpha=penalty).fit(known, centered(histograms)).coef_.T
        left, singular, right = np.linalg.svd(ridge)
        nearest = left[:, :RANK] * singular[:RANK] @ right[:RANK]
        apart.append(np.abs(nearest - known @ prior.slope).max())
        from_full_rank.append(np.abs(ridge - known @ prior.slope).max())
    assert min(apart) < 1e-8
    assert min(from_full_rank) > 1e-6


def test_one_photograph_gives_its_own_histogram(photographs: tuple) -> None:
    statistics, histograms = (part[:1] for part in photographs)
    prior = HuePrior.fit(statistics=[statistics], histograms=histograms)
    assert _direction(prior, statistics + 5)[0] @ centered(histograms[0]) == pytest.approx(1)


def test_predicts_a_histogram(photographs: tuple) -> None:
    prior = HuePrior.fit(statistics=[photographs[0]], histograms=photographs[1])
    gray = np.random.default_rng(2).integers(0, 256, (40, 50), dtype=np.uint8)
    gray[:8] = 255
    found = prior.predict([gray_statistics(gray)], share_extremes(gray))
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)


def test_each_kind_of_statistics_counts_alike(photographs: tuple) -> None:
    """A kind that is there thrice over, side by side, counts as if it were there once."""
    known, histograms = photographs
    few, many = known[:, :20], known[:, 20:90]
    once = HuePrior.fit(statistics=[few, many], histograms=histograms)
    thrice = HuePrior.fit(statistics=[np.tile(few, 3), many], histograms=histograms)
    for row in range(3):
        pair = (few[row], many[row]), (np.tile(few[row], 3), many[row])
        one, other = once.predict(pair[0], 0.0), thrice.predict(pair[1], 0.0)
        assert one == pytest.approx(other, abs=1e-9)
    joined = HuePrior.fit(statistics=[np.hstack([few, many])], histograms=histograms)
    apart = joined.predict([known[0, :90]], 0.0) - once.predict([few[0], many[0]], 0.0)
    assert np.abs(apart).max() > 1e-6


def test_black_and_white_are_added_at_hue_0(photographs: tuple) -> None:
    prior = HuePrior.fit(statistics=[photographs[0]], histograms=photographs[1])
    inner = prior.predict([photographs[0][0]], 0.0)
    found = prior.predict([photographs[0][0]], 0.25)
    assert found[0] == pytest.approx(0.75 * inner[0] + 0.25)
    assert found[1:] == pytest.approx(0.75 * inner[1:])
    assert prior.predict([photographs[0][0]], 1.0) == pytest.approx(np.eye(180)[0])


def test_extremes_are_within_a_level_of_black_or_white() -> None:
    levels = np.arange(256, dtype=np.uint8)[None]
    found = [bool(share_extremes(levels[:, level : level + 1])) for level in range(256)]
    assert np.flatnonzero(found).tolist() == [0, 1, 254, 255]
    assert share_extremes(levels) == 4 / 256


def test_inner_hues_are_those_of_all_other_pixels() -> None:
    picture = skimage.data.astronaut()[:128, :128].copy()
    picture[:40] //= 64
    gray = luma(picture)
    inner = ((gray > 1) & (gray < 254)).astype(np.uint8)
    hues = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    due = cv2.calcHist([hues], [0], inner, [180], [0, 180]).ravel()
    assert 0 < inner.mean() < 1
    assert np.array_equal(count_inner_hues(picture), due)
    assert count_inner_hues(np.zeros((4, 5, 3), np.uint8)).sum() == 0


def test_survives_storage_as_plain_arrays(photographs: tuple) -> None:
    prior = HuePrior.fit(statistics=[photographs[0]], histograms=photographs[1])
    back = HuePrior.from_arrays(prior.to_arrays())
    some = [np.ones(N_STATISTICS)], 0.1
    assert np.array_equal(back.predict(*some), prior.predict(*some))
    for stale in (
        {"center": prior.center},
        {**prior.to_arrays(), "slope": prior.slope[:-1]},
        {**prior.to_arrays(), "slope": prior.slope[:, :-1]},
    ):
        with pytest.raises(StaleArtefactError, match="run `ens blend` again"):
            HuePrior.from_arrays(stale)


@pytest.fixture(scope="module")
def gray() -> Gray:
    return luma(skimage.data.astronaut())


def test_statistics_are_the_same_for_the_mirror_image(gray: Gray) -> None:
    mirrored = np.ascontiguousarray(gray[:, ::-1])
    assert np.allclose(gray_statistics(gray), gray_statistics(mirrored), atol=1e-3)


def test_statistics_tell_up_from_down_and_flat_from_textured(gray: Gray) -> None:
    known = gray_statistics(gray)
    for other in (gray[::-1], cv2.GaussianBlur(gray, (0, 0), 2), 255 - gray):
        assert np.abs(gray_statistics(np.ascontiguousarray(other)) - known).max() > 0.1


def test_statistics_begin_with_brightness_and_texture() -> None:
    gray = luma(skimage.data.astronaut())[:256, 128:384].copy()
    gray[0] = np.arange(256) % 3
    gray[1] = 255 - gray[0]
    shares = [np.mean(gray // 8 == level) for level in range(32)]
    shares += [np.mean(gray == 0), np.mean(gray <= 2), np.mean(gray == 255), np.mean(gray >= 253)]
    bright = (gray / 255).reshape(8, 32, 8, 32).mean((1, 3))
    edges = np.abs(laplace(gray / 255, mode="reflect"))
    rough = np.log(1e-3 + edges.reshape(4, 64, 4, 64).mean((1, 3)))
    sides = [np.hsplit((cells + np.fliplr(cells)) / 2, 2)[0].ravel() for cells in (bright, rough)]
    overall = [np.log(1e-3 + edges.mean()), np.mean(edges < 1.5 / 255)]
    due = np.concatenate([np.sqrt(shares), *sides, overall])
    assert gray_statistics(gray)[: len(due)] == pytest.approx(due, abs=1e-5)


def test_directions_are_those_of_the_gradient() -> None:
    plane = np.random.default_rng(4).integers(0, 256, (20, 30)) / 256
    down, across = (np.abs(sobel(plane, axis=axis, mode="mirror")) for axis in (0, 1))
    slots = np.minimum(np.arctan2(down, across) // (np.pi / 8), 3)
    strength = [np.hypot(down, across)[slots == slot].sum() for slot in range(4)]
    due = np.log(1e-3 + np.array(strength) / 600)
    assert _measure_directions(plane.astype(np.float32)) == pytest.approx(due, abs=1e-5)


def test_patterns_are_local_binary_patterns_that_know_no_left_or_right() -> None:
    picture = np.random.default_rng(3).integers(0, 4, (9, 12)).astype(np.float32)
    clockwise = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    counts: Counter[tuple[bool, ...]] = Counter()
    for sign in (1, -1):
        for y, x in np.ndindex(7, 10):
            around = [picture[1 + y + dy, 1 + x + sign * dx] for dy, dx in clockwise]
            counts[tuple(value > picture[1 + y, 1 + x] for value in around)] += 1
    flipped = {code: tuple(code[i] for i in (2, 1, 0, 7, 6, 5, 4, 3)) for code in counts}
    due = [np.sqrt(n / 140) for code, n in counts.items() if code <= flipped[code]]
    found = _count_patterns(picture)
    assert found.shape == (144,)
    assert sorted(found[found > 0]) == pytest.approx(sorted(due))


def test_statistics_hardly_depend_on_the_size(gray: Gray) -> None:
    half = cv2.resize(gray, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(gray_statistics(gray), gray_statistics(half))[0, 1] > 0.999


@pytest.mark.parametrize("shape", [(1, 1), (7, 500), (300, 200)])
def test_statistics_are_finite_for_any_shape(shape: tuple[int, int]) -> None:
    found = gray_statistics(np.full(shape, 255, dtype=np.uint8))
    assert found.shape == (N_STATISTICS,)
    assert np.isfinite(found).all()


def test_statistics_refuse_color() -> None:
    with pytest.raises(ArrayError, match=r"\(H, W\)"):
        gray_statistics(np.zeros((4, 4, 3), dtype=np.uint8))
