from __future__ import annotations

import numpy as np
import pytest

from ensemble.blending.statistics.sampling import Plan, draw_places, spread

SIZE = (40, 50)


def hole(top=10, bottom=20):
    mask = np.zeros(SIZE, dtype=bool)
    mask[top:bottom, 5:30] = True
    return mask


def draw(plan=Plan(), mask=None, free=None, **options):
    mask = hole() if mask is None else mask
    return draw_places(plan, image_id="a", lost_mask=mask, free=free, with_hue=True, **options)


def test_spread_draws_one_from_each_stretch():
    drawn = spread(np.random.default_rng(0), 1000, 10)
    assert (drawn // 100).tolist() == list(range(10))


def test_spread_of_all_is_all():
    assert spread(np.random.default_rng(0), 7, 7).tolist() == list(range(7))


def test_spread_of_more_than_there_are_repeats_some():
    assert set(spread(np.random.default_rng(0), 3, 12).tolist()) == {0, 1, 2}


def test_windows_lie_within_the_picture_and_are_squares_of_7():
    places = draw(Plan(windows=500))
    rows, columns = np.divmod(places.windows, SIZE[1])
    assert (np.ptp(rows, axis=1) == 6).all()
    assert (np.ptp(columns, axis=1) == 6).all()
    assert rows.max() < SIZE[0]
    assert places.shares.sum() == pytest.approx(1, abs=1e-6)


def test_every_window_can_be_drawn():
    places = draw(Plan(windows=34 * 44))
    assert len(set(places.windows[:, 0].tolist())) == 34 * 44


def test_active_windows_are_those_that_touch_what_is_free():
    free = np.zeros(SIZE, dtype=bool)
    free[15:18, 20:24] = True
    places = draw(Plan(windows=400), free=free)
    touching = free.ravel()[places.windows].any(axis=1)
    assert np.array_equal(touching, places.active)
    assert 0.7 < places.active.mean() < 0.8
    # (3 + 6) x (4 + 6) windows of 34 x 44 touch the free rectangle.
    assert places.shares[places.active].sum() == pytest.approx(90 / (34 * 44), rel=1e-5)


@pytest.mark.parametrize("value", [True, False])
def test_all_or_nothing_free(value):
    places = draw(free=np.full(SIZE, value))
    assert (places.active == value).all()
    assert len(places.windows) == Plan().windows


def test_runs_are_lost_pixels_that_follow_one_another():
    places = draw(Plan(runs=30, run_length=12))
    lost = np.flatnonzero(hole())
    rank = {pixel: k for k, pixel in enumerate(lost.tolist())}
    for run in places.runs.tolist():
        assert np.diff([rank[pixel] for pixel in run]).tolist() == [1] * 11


def test_the_draw_depends_on_the_photograph_and_the_seed():
    first = draw().windows
    assert np.array_equal(first, draw().windows)
    assert not np.array_equal(first, draw(Plan(seed=1)).windows)
    other = draw_places(Plan(), image_id="b", lost_mask=hole(), free=None, with_hue=True)
    assert not np.array_equal(first, other.windows)


def test_few_photographs_are_read_more_closely():
    assert Plan.for_photographs(1000, seed=3) == Plan(seed=3)
    assert Plan.for_photographs(100, seed=0).hue_pixels == 3 * Plan().hue_pixels
    assert Plan.for_photographs(1, seed=0).windows == 4 * Plan().windows
