from __future__ import annotations

import math

import numpy as np
import pytest

from ensemble.damage.wedges import EDGES, RADII, WEDGE_FEATURES, WEDGES, wedge_misfits


def _slow(hopes: np.ndarray, y: int, x: int, radius: int) -> list[float]:
    """By shape: the mean of |hope - shape| over the disc, least over turns, by plain loops."""
    height, width = hopes.shape
    disc = [
        (v, u)
        for v in range(-radius, radius + 1)
        for u in range(-radius, radius + 1)
        if 0 < math.hypot(v, u) <= radius + 0.3
    ]
    turns = [2 * math.pi * k / 32 for k in range(32)]

    def hope(v: int, u: int) -> float:
        inside = 0 <= y + v < height and 0 <= x + u < width
        return float(hopes[y + v, x + u]) if inside else 0.0

    def in_wedge(v: int, u: int, turn: float, width: int) -> bool:
        cosine = (u * math.cos(turn) + v * math.sin(turn)) / math.hypot(v, u)
        return math.degrees(math.acos(max(-1.0, min(1.0, cosine)))) <= width / 2 + 1e-4

    def in_half(v: int, u: int, turn: float, edge: float) -> bool:
        return math.cos(turn) * u + math.sin(turn) * v <= edge

    shapes = [(in_half, edge) for edge in EDGES] + [(in_wedge, wedge) for wedge in WEDGES]
    return [
        min(
            sum(abs(hope(v, u) - shape(v, u, turn, size)) for v, u in disc) / len(disc)
            for turn in turns
        )
        for shape, size in shapes
    ]


def test_equals_a_slow_count_also_at_the_border() -> None:
    hopes = np.random.default_rng(0).random((20, 24)).astype(np.float32)
    pixels = np.array([[10, 11], [0, 0], [19, 3], [7, 23]])
    found = wedge_misfits(hopes, pixels)
    assert found.shape == (4, len(WEDGE_FEATURES))
    for row, (y, x) in zip(found, pixels, strict=True):
        expected = [misfit for radius in RADII for misfit in _slow(hopes, y, x, radius)]
        np.testing.assert_allclose(row, expected, atol=2e-5)


@pytest.mark.parametrize("slope", [0.0, 0.4, 1.0, -2.5])
def test_a_rim_pixel_fits_an_edge_and_a_clinging_one_the_edge_that_leaves_it_out(
    slope: float,
) -> None:
    rows, columns = np.indices((40, 40))
    hopes = (rows - 20 >= slope * (columns - 20)).astype(np.float32)
    above = 19 if abs(slope) <= 1 else 17
    hopes[above, 20] = 1.0
    rim, clinging = (
        dict(zip(WEDGE_FEATURES, row, strict=True))
        for row in wedge_misfits(hopes, np.array([[20, 20], [above, 20]]))
    )
    taken, left = "misfit in radius 6: edge at 0.5", "misfit in radius 6: edge at -0.5"
    assert rim[taken] < 0.06
    assert clinging[left] < clinging[taken] - 0.04


def test_a_vertex_fits_the_wedge_of_its_angle() -> None:
    rows, columns = np.indices((40, 40))
    hopes = ((rows >= 20) & (columns >= 20)).astype(np.float32)
    (row,) = wedge_misfits(hopes, np.array([[20, 20]]))
    misfits = dict(zip(WEDGE_FEATURES, row, strict=True))
    assert misfits["misfit in radius 6: wedge of 90"] == pytest.approx(0.0, abs=1e-6)
    assert misfits["misfit in radius 6: wedge of 45"] > 0.05
    assert misfits["misfit in radius 6: wedge of 150"] > 0.05


def test_no_pixels_give_no_rows() -> None:
    empty = np.empty((0, 2), np.int64)
    assert wedge_misfits(np.zeros((9, 9), np.float32), empty).shape == (0, len(WEDGE_FEATURES))
