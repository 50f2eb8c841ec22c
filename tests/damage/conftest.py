from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from ensemble.damage.draw import KINDS, Damage
from tests.reference.damage_rule import LiteralDamage, literal_damage

Facts = dict[str, NDArray[np.int64]]
EDGES = ("top", "bottom", "left", "right")


@pytest.fixture(scope="session")
def literal_facts() -> Facts:
    """What 1200 damages of the literal rule look like at 256 px."""
    state = random.getstate()
    random.seed(20)
    facts = _tabulate([_literal_row(literal_damage(side=256, min_side=25)) for _ in range(1200)])
    random.setstate(state)
    return facts


@pytest.fixture(scope="session")
def describe() -> Callable[[list[Damage]], Facts]:
    """Tabulate area, fill, points, kind and the box of damages, one array a fact."""

    def facts(damages: list[Damage]) -> Facts:
        return _tabulate([_row(damage) for damage in damages])

    return facts


@pytest.fixture(scope="session")
def p_values() -> Callable[[Facts, Facts], dict[str, float]]:
    """Chance of so large a difference, fact by fact, if both were drawn by the same rule."""

    def compare(one: Facts, other: Facts) -> dict[str, float]:
        values = {
            name: float(stats.ks_2samp(one[name], other[name]).pvalue)
            for name in ("area", "fill", "share", *EDGES, "height", "width")
        }
        for name in ("kind", "points"):
            table = np.stack([np.bincount(facts[name], minlength=21) for facts in (one, other)])
            values[name] = float(stats.chi2_contingency(table[:, table.any(axis=0)]).pvalue)
        return values

    return compare


def _row(damage: Damage) -> tuple[int, ...]:
    left, top, right, bottom = damage.box
    area = int(damage.lost_mask().sum())
    corners = (top, bottom, left, right)
    return area, damage.fill, KINDS.index(damage.kind), len(damage.points), *corners


def _literal_row(damage: LiteralDamage) -> tuple[int, ...]:
    return int(damage.mask.sum()), damage.fill, damage.kind, damage.n_points, *damage.corners


def _tabulate(rows: list[tuple[int, ...]]) -> Facts:
    names = ("area", "fill", "kind", "points", *EDGES)
    facts = dict(zip(names, np.array(rows).T, strict=True))
    height, width = facts["bottom"] - facts["top"], facts["right"] - facts["left"]
    # the share of its box ties the area to the box it was accepted in
    share = 10_000 * facts["area"] // (height * width)
    return facts | {"height": height, "width": width, "share": share}
