from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ensemble.metric.masked_ssim import gather, masked_ssim, runs_of
from ensemble.metric.score import planar

masks = hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(masks)
def test_runs_mark_the_lost_pixels_and_no_other(lost_mask: np.ndarray) -> None:
    marked = np.zeros(lost_mask.size, bool)
    runs = runs_of(lost_mask)
    for start, end in runs:
        assert start < end
        marked[start:end] = True
    assert (marked.reshape(lost_mask.shape) == lost_mask).all()
    assert (runs[1:, 0] > runs[:-1, 1]).all()


@given(masks, st.integers(0, 99))
def test_gather_is_boolean_indexing(lost_mask: np.ndarray, seed: int) -> None:
    shape = (*lost_mask.shape, 3)
    picture = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    assert (gather(planar(picture), runs_of(lost_mask)) == picture[lost_mask].T).all()


def test_masked_ssim_sees_the_direction_of_the_scan_line(case) -> None:  # type: ignore[no-untyped-def]
    """Neither transposing nor flipping both pictures and the mask leaves the term as it is."""
    _, pred, target, lost_mask = case("average")

    def term(turn) -> float:  # type: ignore[no-untyped-def]
        runs = runs_of(turn(lost_mask))
        pixels = [gather(planar(turn(picture)), runs) for picture in (pred, target)]
        return masked_ssim(pred=pixels[0], target=pixels[1], pred_range=int(np.ptp(pred)))

    straight = term(lambda array: array)
    assert abs(term(lambda array: array.swapaxes(0, 1)) - straight) > 1e-3
    assert abs(term(lambda array: array[:, ::-1]) - straight) > 1e-6
    assert term(lambda array: array[::-1, ::-1]) == pytest.approx(straight, abs=1e-13)
