from __future__ import annotations

import pytest

from ensemble.training.progress import rate_factor


def test_constant_stays() -> None:
    assert {rate_factor("constant", update=u, updates=10) for u in range(12)} == {1.0}


def test_cosine_falls_from_one_to_zero() -> None:
    values = [rate_factor("cosine", update=u, updates=100) for u in range(101)]
    assert values[0] == 1
    assert values[50] == pytest.approx(0.5)
    assert values[-1] == pytest.approx(0)
    assert values == sorted(values, reverse=True)


def test_one_cycle_peaks_after_three_tenths() -> None:
    values = [rate_factor("one-cycle", update=u, updates=100) for u in range(101)]
    assert values[0] == pytest.approx(1 / 25)
    assert max(range(101), key=values.__getitem__) == 30
    assert values[30] == 1
    assert values[-1] == pytest.approx(1e-4)
    assert values[:31] == sorted(values[:31])


def test_past_the_end_it_stays_at_the_last_value() -> None:
    assert rate_factor("cosine", update=300, updates=100) == pytest.approx(0)


def test_a_training_of_one_update_ends_at_the_last_value() -> None:
    assert rate_factor("cosine", update=1, updates=1) == pytest.approx(0)
    assert rate_factor("one-cycle", update=1, updates=1) == pytest.approx(1e-4)
    assert rate_factor("cosine", update=0, updates=0) == 1
