from __future__ import annotations

import numpy as np
import pytest

from ensemble.arrays import Gray
from ensemble.damage.candidates import find_candidates
from ensemble.damage.region_features import REGION_FEATURES, region_features


def _describe(picture: Gray, value: int) -> dict[str, float]:
    (candidate,) = (c for c in find_candidates(picture) if c.value == value)
    features = region_features(picture, candidate)
    assert np.isfinite(features).all()
    return dict(zip(REGION_FEATURES, features, strict=True))


def test_a_rectangle_in_a_flat_surrounding() -> None:
    picture = np.full((64, 64), 90, np.uint8)
    picture[10:20, 12:32] = 95
    facts = _describe(picture, 95)
    assert facts["log share of the picture"] == pytest.approx(np.log(200 / 4096))
    assert facts["log area over the least allowed"] == pytest.approx(np.log(200 / 10))
    assert facts["shorter side over the least allowed"] == pytest.approx(np.log(10 / 6))
    assert facts["share of its box"] == 1.0
    assert facts["share left by a 3 x 3 opening"] == 1.0
    assert (facts["rim: within 2 grays"], facts["rim: within 8 grays"]) == (0.0, 1.0)
    assert facts["rim: mean difference"] == pytest.approx(5 / 64)
    assert facts["rim at the border"] == 0.0
    assert (facts["gap area"], facts["solidity"]) == (0.0, 1.0)
    assert facts["log vertices"] == pytest.approx(np.log(4))
    assert facts["misfit of the polygon"] == 0.0


def test_gaps_border_and_near_rim_are_seen() -> None:
    picture = np.full((64, 64), 90, np.uint8)
    picture[:10, 12:32] = 91
    picture[4:6, 20:22] = 200
    facts = _describe(picture, 91)
    assert facts["gap area"] == pytest.approx(4 / 196)
    assert facts["rim at the border"] == pytest.approx(20 / (60 + 8))
    assert facts["rim: within 2 grays"] == pytest.approx(40 / 48)


def test_a_ragged_region_has_more_vertices_and_misfit_than_a_triangle() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.indices((64, 64))
    triangle = np.where(columns + rows < 50, 77, rng.integers(150, 250, (64, 64)))
    ragged = np.where(
        columns + rows + 8 * np.sin(columns) + rng.integers(-3, 3, (64, 64)) < 50, 77, triangle
    )
    ragged[columns + rows >= 62] = 200
    sharp = _describe(triangle.astype(np.uint8), 77)
    rough = _describe(ragged.astype(np.uint8), 77)
    assert rough["log vertices"] > sharp["log vertices"]
    assert rough["misfit of the polygon"] > sharp["misfit of the polygon"] + 0.05
    assert rough["share left by a 3 x 3 opening"] < sharp["share left by a 3 x 3 opening"]
