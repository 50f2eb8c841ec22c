from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polygenerator
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ensemble.damage import draw
from ensemble.damage.draw import (
    KINDS,
    MIN_PIXELS,
    Damage,
    DamageRule,
    apply_damage,
    draw_damage,
    draw_unit_polygon,
)
from ensemble.errors import ArrayError
from tests.reference.damage_rule import literal_damage

Facts = dict[str, NDArray[np.int64]]
P_SAME = 1e-4
P_OTHER = 1e-8


@pytest.fixture(scope="module")
def sampled(describe: Callable[[list[Damage]], Facts]) -> Facts:
    return describe([draw_damage(size=(256, 256), seed=seed) for seed in range(3000)])


@pytest.mark.parametrize("seed", range(25))
def test_at_512_equals_the_literal_generator_of_that_seed(seed: int) -> None:
    random.seed(seed)
    literal = literal_damage(side=512, min_side=50)
    damage = draw_damage(size=(512, 512), seed=seed)
    np.testing.assert_array_equal(damage.lost_mask(), literal.mask)
    assert (KINDS.index(damage.kind), damage.fill) == (literal.kind, literal.fill)


def test_same_distribution_as_the_literal_rule(
    sampled: Facts, literal_facts: Facts, p_values: Callable[..., dict[str, float]]
) -> None:
    values = p_values(sampled, literal_facts)
    assert min(values.values()) > P_SAME, values


@pytest.mark.parametrize(
    ("fact", "change"),
    [
        ("area", lambda facts: facts["area"] * 1.25),
        ("fill", lambda facts: np.minimum(facts["fill"] + 32, 255)),
        ("points", lambda facts: np.maximum(facts["points"], 5)),
        ("kind", lambda facts: np.where(facts["fill"] < 64, 0, facts["kind"])),
        ("top", lambda facts: facts["top"] + 18),
        ("width", lambda facts: facts["width"] - 12),
    ],
)
def test_the_comparison_sees_a_wrong_rule(
    fact: str,
    change: Callable[[Facts], NDArray[np.int64]],
    sampled: Facts,
    literal_facts: Facts,
    p_values: Callable[..., dict[str, float]],
) -> None:
    assert p_values(sampled | {fact: change(sampled)}, literal_facts)[fact] < P_OTHER


@given(
    st.tuples(st.integers(8, 80), st.integers(8, 80)),
    st.integers(min_value=-(2**40), max_value=2**40),
)
def test_the_rule_holds_at_any_size(size: tuple[int, int], seed: int) -> None:
    damage, rule = draw_damage(size=size, seed=seed), DamageRule.at(size)
    mask, (x0, y0, x1, y1) = damage.lost_mask(), damage.box
    assert mask.shape == size
    assert mask.dtype == np.bool_
    assert mask.sum() >= rule.min_pixels >= MIN_PIXELS
    assert mask[y0:y1, x0:x1].sum() == mask.sum()
    assert y1 - y0 >= rule.min_sides[0]
    assert x1 - x0 >= rule.min_sides[1]
    assert 3 <= len(damage.points) <= 20
    assert (damage.points.min(axis=0) == (x0, y0)).all()
    assert (damage.points.max(axis=0) == (x1, y1)).all()
    assert 0 <= damage.fill <= 255


@pytest.mark.parametrize(
    ("size", "sides", "pixels"),
    [
        ((512, 512), (50, 50), 626),
        ((256, 256), (25, 25), 145),
        ((256, 512), (25, 50), 301),
        ((64, 64), (6, 6), 10),
        ((32, 32), (4, 4), 7),
    ],
)
def test_the_rule_scales(size: tuple[int, int], sides: tuple[int, int], pixels: int) -> None:
    assert DamageRule.at(size) == DamageRule(sides, pixels)


def test_seeds_differ_and_threads_agree() -> None:
    def mask(seed: int) -> bytes:
        return draw_damage(size=(96, 96), seed=seed).lost_mask().tobytes()

    alone = [mask(seed) for seed in range(60)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(mask, range(60)))
    assert together == alone
    assert len(set(alone)) == 60


def test_the_callers_random_is_neither_read_nor_moved() -> None:
    random.seed(1)
    before, first = random.getstate(), draw_damage(size=(64, 64), seed=5)
    assert random.getstate() == before
    random.seed(2)
    assert np.array_equal(draw_damage(size=(64, 64), seed=5).points, first.points)
    assert polygenerator.random is random


def test_a_polygon_that_polygenerator_gives_up_is_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes = iter([None, np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)])])
    monkeypatch.setattr(draw, "draw_unit_polygon", lambda *_: next(outcomes))
    assert draw_damage(size=(64, 64), seed=0).lost_mask().sum() > 9
    assert next(outcomes, "used up") == "used up"


def test_a_broken_cycle_is_reported_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(num_points: int) -> None:
        raise AssertionError("the edges do not form a cycle")

    monkeypatch.setattr(draw._import_polygenerator(), "random_polygon", broken)
    assert draw_unit_polygon(random.Random(0), "simple", 5) is None
    assert draw_unit_polygon(random.Random(0), "convex", 5) is not None


def test_apply_fills_the_hole_and_nothing_else() -> None:
    gray = np.arange(64 * 48, dtype=np.uint8).reshape(64, 48)
    damage = draw_damage(size=(64, 48), seed=3)
    damaged, mask = apply_damage(gray, damage), damage.lost_mask()
    assert (damaged[mask] == damage.fill).all()
    np.testing.assert_array_equal(damaged[~mask], gray[~mask])
    assert gray[mask].std() > 0


def test_refusals_state_the_rule() -> None:
    with pytest.raises(ArrayError, match=r"at least 8 px a side, but got \(7, 64\)"):
        draw_damage(size=(7, 64), seed=0)
    with pytest.raises(ArrayError, match=r"size \(64, 64\) cannot fall on a picture of \(64, 65\)"):
        apply_damage(np.zeros((64, 65), np.uint8), draw_damage(size=(64, 64), seed=0))
