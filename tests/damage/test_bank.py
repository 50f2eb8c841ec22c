from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.damage.bank import EACH, PolygonBank, make_bank
from ensemble.damage.draw import Damage, DamageRule
from ensemble.errors import ArrayError

Facts = dict[str, NDArray[np.int64]]


@pytest.fixture(scope="module")
def bank() -> PolygonBank:
    return make_bank(7)


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


def test_pure_given_the_seed_and_the_generator(bank: PolygonBank) -> None:
    again, other = make_bank(7), make_bank(8)
    for seed in range(10):
        first, second = (
            one.draw(np.random.default_rng(seed), size=(48, 48)) for one in (bank, again)
        )
        np.testing.assert_array_equal(first[1], second[1])
        assert first[0].fill == second[0].fill
    assert (other.polygons[0][9] != bank.polygons[0][9]).any()


def test_every_shelf_holds_unit_polygons_of_its_count(bank: PolygonBank) -> None:
    for shelves in bank.polygons:
        assert [shelf.shape for shelf in shelves] == [(EACH, count, 2) for count in range(3, 21)]
        for shelf in shelves:
            np.testing.assert_allclose(shelf.min(axis=1), 0.0)
            np.testing.assert_allclose(shelf.max(axis=1), 1.0)


def test_a_picture_too_small_is_refused(bank: PolygonBank) -> None:
    with pytest.raises(ArrayError, match="at least 8 px a side"):
        bank.draw(np.random.default_rng(0), size=(4, 64))
