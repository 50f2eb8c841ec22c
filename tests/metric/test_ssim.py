from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ensemble.metric.ssim import data_range, find_runs, gather, ssim, ssim_of_lost, to_planes
from tests.reference.corpus import Case, flat_cases, hard_cases
from tests.reference.exact import exact_ssim
from tests.reference.score import literal_ssim

SMALL = [case for case in hard_cases() if case.target.size < 4000] + flat_cases()


def our_ssim(case: Case) -> float:
    return ssim(
        pred=to_planes(case.pred), target=to_planes(case.target), pred_range=int(np.ptp(case.pred))
    )


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_ssim_is_the_rational_one_to_the_last_digits(case: Case) -> None:
    exact = sum(
        exact_ssim(
            pred=case.pred[..., channel],
            target=case.target[..., channel],
            data_range=int(np.ptp(case.pred)),
        )
        for channel in range(3)
    )
    assert our_ssim(case) == pytest.approx(float(exact / 3), abs=1e-15, rel=1e-14)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_masked_ssim_is_the_rational_one_to_the_last_digits(case: Case) -> None:
    runs, pred_range = find_runs(case.lost_mask), int(np.ptp(case.pred))
    pred, target = gather(to_planes(case.pred), runs), gather(to_planes(case.target), runs)
    exact = sum(exact_ssim(pred=pred[c], target=target[c], data_range=pred_range) for c in range(3))
    found = ssim_of_lost(pred=pred, target=target, pred_range=pred_range)
    assert found == pytest.approx(float(exact / 3), abs=1e-15, rel=1e-14)


@pytest.mark.parametrize("case", flat_cases(), ids=lambda case: case.name)
def test_a_range_of_one_over_flat_areas_is_where_the_literal_ssim_rounds(case: Case) -> None:
    """Why the tolerance of 1e-12 is not claimed there: it is not ours that is off."""
    off = abs(literal_ssim(pred=case.pred, target=case.target) - our_ssim(case))
    assert 1e-12 < off < 3e-9


def test_a_constant_pred_scores_nothing_over_a_textured_target() -> None:
    target = np.random.default_rng(0).integers(0, 256, (1, 12, 12), dtype=np.uint8)
    assert ssim(pred=np.full_like(target, 9), target=target, pred_range=0) == 0


def test_a_constant_pred_over_a_flat_window_is_nan_without_a_warning() -> None:
    flat = np.full((1, 8, 8), 3, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(ssim(pred=flat, target=flat, pred_range=0))


def test_window_sums_hold_the_brightest_pictures() -> None:
    """A 7 x 7 window of 255 sums to 12,495 and its squares to 6,372,450 a picture."""
    white = np.full((3, 40, 40), 255, np.uint8)
    white[0, 0, 0] = 0
    assert ssim(pred=white, target=white.copy(), pred_range=255) == pytest.approx(1, abs=1e-14)


def test_data_range_is_over_all_channels() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[..., 2] = 255
    assert data_range(picture) == 255
    assert data_range(picture[..., :2]) == 0


masks = hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(masks)
def test_runs_mark_the_lost_pixels_and_no_other(lost_mask: np.ndarray) -> None:
    marked = np.zeros(lost_mask.size, bool)
    runs = find_runs(lost_mask)
    for start, end in runs:
        assert start < end
        marked[start:end] = True
    assert (marked.reshape(lost_mask.shape) == lost_mask).all()
    assert (runs[1:, 0] > runs[:-1, 1]).all()


@given(masks, st.integers(0, 99))
def test_gather_is_boolean_indexing(lost_mask: np.ndarray, seed: int) -> None:
    shape = (*lost_mask.shape, 3)
    picture = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    assert (gather(to_planes(picture), find_runs(lost_mask)) == picture[lost_mask].T).all()


def test_masked_ssim_sees_the_direction_of_the_scan_line(case) -> None:  # type: ignore[no-untyped-def]
    """Neither transposing nor flipping both pictures and the mask leaves the term as it is."""
    _, pred, target, lost_mask = case("average")

    def term(turn) -> float:  # type: ignore[no-untyped-def]
        runs = find_runs(turn(lost_mask))
        pixels = [gather(to_planes(turn(picture)), runs) for picture in (pred, target)]
        return ssim_of_lost(pred=pixels[0], target=pixels[1], pred_range=int(np.ptp(pred)))

    straight = term(lambda array: array)
    assert abs(term(lambda array: array.swapaxes(0, 1)) - straight) > 1e-3
    assert abs(term(lambda array: array[:, ::-1]) - straight) > 1e-6
    assert term(lambda array: array[::-1, ::-1]) == pytest.approx(straight, abs=1e-13)
