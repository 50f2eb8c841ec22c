from __future__ import annotations

import numpy as np
import pytest

from ensemble.composition.quantise import quantise
from ensemble.errors import ArrayError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clips_and_rounds_to_the_nearest_level(dtype: type) -> None:
    levels = np.arange(256)
    picture = np.concatenate([levels - 0.49, levels + 0.49, [-1e9, 1e9]]).astype(dtype)
    expected = [*levels.tolist(), *levels.tolist(), 0, 255]
    assert quantise(picture).tolist() == expected
    assert quantise(picture).dtype == np.uint8


def test_rounds_halves_to_even_so_that_it_has_no_bias() -> None:
    halves = np.arange(255) + 0.5
    error = quantise(halves).astype(float) - halves
    assert abs(error.mean()) < 0.01


def test_keeps_uint8_as_it_is() -> None:
    picture = np.arange(256, dtype=np.uint8)
    assert np.array_equal(quantise(picture), picture)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_what_is_not_finite(bad: float) -> None:
    with pytest.raises(ArrayError, match="1 of its 3 values are not"):
        quantise(np.array([0.0, bad, 3.0]))
