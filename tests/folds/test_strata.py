from __future__ import annotations

import numpy as np
import pytest

from ensemble.errors import ConfigError, DataError
from ensemble.folds.strata import make_strata, score_drivers


def test_drivers_of_a_picture_worked_by_hand() -> None:
    target = np.zeros((2, 2, 3), dtype=np.uint8)
    target[0, :] = (200, 100, 0)
    lost = np.array([[True, False], [False, False]])
    brightness, colourfulness, damaged = score_drivers(target=target, lost_mask=lost)
    # Half the pixels have R - G = 100 and (R + G) / 2 - B = 150, half have 0 and 0.
    assert colourfulness == pytest.approx(np.hypot(50, 75) + 0.3 * np.hypot(50, 75))
    assert brightness == pytest.approx(118.5 / 2, abs=0.5)
    assert damaged == 0.25


def test_a_gray_picture_has_no_colour() -> None:
    gray = np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), 3, axis=2)
    drivers = score_drivers(target=gray, lost_mask=np.zeros((8, 8), bool))
    assert drivers.tolist() == [31.5, 0.0, 0.0]


def test_strata_are_equally_filled_combinations_of_ranks() -> None:
    rng = np.random.default_rng(0)
    drivers = rng.uniform(size=(4000, 2))
    strata = np.array(make_strata(drivers, n_levels=2))
    expected = 2 * (drivers[:, 0] > np.median(drivers[:, 0])) + (
        drivers[:, 1] > np.median(drivers[:, 1])
    )
    np.testing.assert_array_equal(strata, expected)
    assert make_strata(np.exp(9 * drivers), n_levels=2) == tuple(strata.tolist())


def test_three_levels_and_ties() -> None:
    assert make_strata(np.array([[0.0], [1], [2], [3], [4], [5]]), n_levels=3) == (0, 0, 1, 1, 2, 2)
    assert make_strata(np.zeros((5, 3)), n_levels=3) == (0,) * 5


def test_errors() -> None:
    with pytest.raises(ConfigError, match=r"`n_levels >= 1` must hold, but got 0"):
        make_strata(np.zeros((2, 1)), n_levels=0)
    with pytest.raises(DataError, match=r"row 1 is \[nan\]"):
        make_strata(np.array([[0.0], [np.nan]]))
