from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.damage.bank import PolygonBank
from ensemble.damage.polygons import Damage, DamageRule
from ensemble.errors import ArrayError

Facts = dict[str, NDArray[np.int64]]


@pytest.fixture(scope="module")
def bank() -> PolygonBank:
    return PolygonBank.of(7, each=48)


@pytest.fixture(scope="module")
def drawn(bank: PolygonBank, describe: Callable[[list[Damage]], Facts]) -> Facts:
    rng = np.random.default_rng(5)
    return describe([bank.draw(rng, size=(256, 256))[0] for _ in range(4000)])


def test_same_distribution_as_the_literal_rule(
    drawn: Facts, literal_facts: Facts, p_values: Callable[..., dict[str, float]]
) -> None:
    values = p_values(drawn, literal_facts)
    assert min(values.values()) > 1e-4, values


def test_the_mask_is_the_damages_own(bank: PolygonBank) -> None:
    for seed, size in enumerate([(64, 64), (96, 40), (8, 8), (33, 90)] * 5):
        damage, mask = bank.draw(np.random.default_rng(seed), size=size)
        np.testing.assert_array_equal(mask, damage.lost_mask())
        assert mask.sum() >= DamageRule.at(size).min_pixels
        assert damage.size == size


def test_pure_given_the_seed_and_the_generator() -> None:
    one, other = (PolygonBank.of(3, each=2) for _ in range(2))
    for seed in range(10):
        first, second = (
            bank.draw(np.random.default_rng(seed), size=(48, 48)) for bank in (one, other)
        )
        np.testing.assert_array_equal(first[1], second[1])
        assert first[0].fill == second[0].fill
    moved = PolygonBank.of(4, each=2)
    assert (moved.polygons[0][9] != one.polygons[0][9]).any()


def test_every_shelf_holds_unit_polygons_of_its_count(bank: PolygonBank) -> None:
    for shelves in bank.polygons:
        assert [shelf.shape for shelf in shelves] == [(48, count, 2) for count in range(3, 21)]
        for shelf in shelves:
            np.testing.assert_allclose(shelf.min(axis=1), 0.0)
            np.testing.assert_allclose(shelf.max(axis=1), 1.0)


def test_refusals_state_the_rule(bank: PolygonBank) -> None:
    with pytest.raises(ArrayError, match=r"`each >= 1` must hold .* \(each=0\)"):
        PolygonBank.of(0, each=0)
    with pytest.raises(ArrayError, match="at least 8 px a side"):
        bank.draw(np.random.default_rng(0), size=(4, 64))
