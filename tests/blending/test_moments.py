from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from ensemble.blending.statistics.kernels import blend_range
from ensemble.blending.statistics.moments import collect_moments, estimate_moved_hue
from ensemble.blending.statistics.sampling import Plan, draw_places
from ensemble.composition.hue_target import centered, hue_histogram, hue_target
from ensemble.metric.score import gray_score, score

SIZE = (40, 44)
WEIGHTS = np.array([0.4931, 0.0, 0.2137, 0.2932])  # no blend is half way between levels


def moments_of(scene, plan=Plan(), **options):
    return collect_moments(
        plan,
        image_id="a",
        target=scene.target,
        pictures=scene.pictures,
        lost_mask=scene.lost_mask,
        **options,
    )


def blended(scene, weights):
    return np.tensordot(np.asarray(weights, np.float64), scene.pictures.astype(np.float64), axes=1)


def rounded(scene, weights):
    return np.rint(blended(scene, weights).astype(np.float32)).astype(np.uint8)


def whole_plan(scene):
    """Every lost pixel and every hue pixel, each once."""
    return Plan(runs=1, run_length=int(scene.lost_mask.sum()), hue_pixels=SIZE[0] * SIZE[1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("color", [True, False])
def test_masked_ssim_and_hue_are_exact_where_every_pixel_is_read(scene, seed, color):
    one = scene(seed, size=SIZE, terms=4, color=color)
    _, masked, hue = moments_of(one, whole_plan(one)).estimate(WEIGHTS)
    exact = score if color else gray_score
    due = exact(pred=rounded(one, WEIGHTS), target=one.target, lost_mask=one.lost_mask)
    assert masked == pytest.approx(due.masked_ssim, abs=1e-6)
    if color:
        assert hue == pytest.approx(due.hue, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_window_statistics_give_the_ssim_of_the_drawn_windows(scene, seed):
    one = scene(seed, size=SIZE, terms=4, color=True)
    plan = Plan(windows=200)
    moments = moments_of(one, plan)
    unrounded = replace(moments, windows=moments.windows.copy())
    unrounded.windows[2] = 0
    pred = rounded(one, WEIGHTS)
    _, full = structural_similarity(
        one.target.astype(np.float64),
        blended(one, WEIGHTS),
        channel_axis=-1,
        data_range=float(pred.max()) - float(pred.min()),
        full=True,
    )
    places = draw_places(plan, image_id="a", lost_mask=one.lost_mask, free=None, with_hue=True)
    rows, columns = np.divmod(places.windows[:, 0], SIZE[1])
    assert unrounded.estimate(WEIGHTS)[0] == pytest.approx(
        full[rows + 3, columns + 3].mean(), abs=1e-5
    )


@pytest.mark.parametrize("seed", range(4))
def test_rounding_is_accounted_for(scene, seed):
    # A tenth of the usual contrast, where a rounding error matters.
    one = scene(seed, size=SIZE, terms=4, color=False)
    dull = replace(one, target=one.target // 8, pictures=one.pictures // 8)
    every = Plan(windows=(SIZE[0] - 6) * (SIZE[1] - 6))
    moments = moments_of(dull, every)
    ignoring = replace(moments, windows=moments.windows.copy())
    ignoring.windows[2] = 0
    due = gray_score(pred=rounded(dull, WEIGHTS), target=dull.target, lost_mask=dull.lost_mask)
    error = abs(moments.estimate(WEIGHTS)[0] - due.ssim)
    assert error < 0.012
    assert error < abs(ignoring.estimate(WEIGHTS)[0] - due.ssim) / 2


def test_one_member_alone_is_not_rounded(scene):
    one = scene(2, size=SIZE, terms=3, color=True)
    every = Plan(windows=(SIZE[0] - 6) * (SIZE[1] - 6))
    whole = moments_of(one, every).estimate([0, 1, 0])[0]
    due = score(pred=one.pictures[1], target=one.target, lost_mask=one.lost_mask)
    assert whole == pytest.approx(due.ssim, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_the_data_range_is_that_of_the_whole_blend(scene, seed):
    one = scene(seed, size=SIZE, terms=4, color=True)
    dim = replace(one, pictures=one.pictures // 2 + 40)
    moments = moments_of(dim)
    for weights in (WEIGHTS, np.full(4, 0.25), np.array([0.1, 0.1, 0.1, 0.7])):
        pred = rounded(dim, weights)
        estimated = blend_range(
            moments.extremes, weights.astype(np.float32), np.flatnonzero(weights)
        )
        assert abs(estimated - (int(pred.max()) - int(pred.min()))) <= 2


def test_windows_where_nothing_differs_are_counted_with_their_share(scene):
    one = scene(1, size=SIZE, terms=3, color=False)
    free = np.zeros(SIZE, dtype=bool)
    free[10:20, 10:20] = True
    damaged = one.target

    def paste(pixels, at):
        return np.where(free.ravel()[at], pixels, damaged.ravel()[at])

    plan = Plan(windows=2000)
    moments = moments_of(one, plan, free=free, precompose=paste)
    pasted = replace(one, pictures=np.where(free, one.pictures, damaged))
    weights = [0.4, 0.3, 0.3]
    due = gray_score(pred=rounded(pasted, weights), target=one.target, lost_mask=one.lost_mask)
    assert moments.estimate(weights)[0] == pytest.approx(due.ssim, abs=2e-3)
    assert moments.shares.sum() == pytest.approx(1, abs=1e-6)
    # Away from the hole pred is the target, so these windows are perfect, and not rounded.
    assert set(moments.windows[2]) == {np.float32(0), np.float32(1 / 12)}


@pytest.mark.parametrize("prior_weight", [0.0, 0.4, 1.0])
def test_wanted_hue_is_the_correlation_with_the_hue_target(scene, prior_weight):
    one = scene(5, size=SIZE, terms=4, color=True)
    prior = np.random.default_rng(0).uniform(size=180)
    votes = np.stack([hue_histogram(picture) for picture in one.pictures])
    products = moments_of(one, histograms=votes, prior=prior).hue_products
    wanted = hue_target(histograms=votes, weights=WEIGHTS, prior=prior, prior_weight=prior_weight)
    due = centered(wanted) @ centered(hue_histogram(one.target))
    assert estimate_moved_hue(products, WEIGHTS, prior_weight) == pytest.approx(due, abs=1e-9)
    both = estimate_moved_hue(np.stack([products, products]), WEIGHTS, prior_weight)
    assert both.tolist() == pytest.approx([due, due], abs=1e-9)


def test_without_a_prior_its_weight_counts_as_none(scene):
    one = scene(5, size=SIZE, terms=4, color=True)
    votes = np.stack([hue_histogram(picture) for picture in one.pictures])
    products = moments_of(one, histograms=votes).hue_products
    assert estimate_moved_hue(products, WEIGHTS, 0.7) == estimate_moved_hue(products, WEIGHTS, 0.0)


def test_the_same_seed_draws_the_same_and_another_does_not(scene):
    one = scene(1, size=SIZE, terms=3, color=True)
    first, second = moments_of(one), moments_of(one)
    other = moments_of(one, Plan(seed=1))
    assert np.array_equal(first.windows, second.windows)
    assert np.array_equal(first.hue_pixels, second.hue_pixels)
    assert not np.array_equal(first.windows, other.windows)


@pytest.mark.parametrize("lost", [7, 9])
def test_a_hole_smaller_than_a_run(scene, lost):
    one = scene(1, size=SIZE, terms=4, color=True)
    mask = np.zeros(SIZE, dtype=bool)
    mask.ravel()[300 : 300 + lost] = True
    tiny = replace(one, lost_mask=mask)
    due = score(pred=rounded(tiny, WEIGHTS), target=tiny.target, lost_mask=mask)
    assert moments_of(tiny).estimate(WEIGHTS)[1] == pytest.approx(due.masked_ssim, abs=1e-6)
