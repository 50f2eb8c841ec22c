from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array, sparray
from scipy.sparse.linalg import spsolve

from ensemble.arrays import Mask
from ensemble.damage import surface
from ensemble.damage.draw import draw_damage
from ensemble.damage.surface import Energy, fit_surface
from ensemble.errors import ArrayError

ENERGIES = {
    "harmonic": Energy(0.0, 1.0),
    "biharmonic": Energy(1.0, 0.0),
    "spline": Energy(1.0, 0.4),
}
PICTURE = skimage.data.camera()[100:227, 150:299].astype(np.float64)


def _holes() -> dict[str, Mask]:
    holes = {
        f"polygon {seed}": draw_damage(size=PICTURE.shape, seed=seed).lost_mask()
        for seed in range(3)
    }
    height, width = PICTURE.shape
    for name, rows, columns in (
        ("corner", slice(0, 60), slice(70, width)),
        ("side to side", slice(30, 90), slice(0, width)),
        ("half", slice(0, height), slice(0, 50)),
        ("row", slice(40, 41), slice(5, 100)),
    ):
        holes[name] = np.zeros(PICTURE.shape, dtype=bool)
        holes[name][rows, columns] = True
    holes["scattered"] = np.random.default_rng(0).random(PICTURE.shape) < 0.7
    holes["two"] = holes["row"] | holes["corner"]
    return holes


HOLES = _holes()


def _laplacian(shape: tuple[int, ...]) -> sparray:
    """The graph Laplacian of a grid: degrees less adjacency, from a list of its edges."""
    number = np.arange(shape[0] * shape[1]).reshape(shape)
    across = [number[:, :-1].ravel(), number[:, 1:].ravel()]
    down = [number[:-1].ravel(), number[1:].ravel()]
    first, second = np.concatenate([across, down], axis=1)
    ones = np.ones(len(first))
    adjacency = coo_array((ones, (first, second)), shape=(number.size, number.size)).tocsr()
    adjacency = adjacency + adjacency.T
    return diags_array(adjacency.sum(axis=1)) - adjacency


def _solve_directly(
    picture: NDArray[np.float64], lost: Mask, energy: Energy
) -> NDArray[np.float64]:
    """The minimum of the energy over the whole picture, by one sparse factorization."""
    matrix = _laplacian(picture.shape).tocsr()
    whole = (energy.bending * matrix @ matrix + energy.tension * matrix).tocsr()
    there = lost.ravel()
    right = -(whole[there][:, ~there] @ picture.ravel()[~there])
    return np.asarray(spsolve(whole[there][:, there].tocsc(), right))


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("name", ENERGIES)
def test_the_surface_has_the_least_energy(name: str, hole: str) -> None:
    found = fit_surface(PICTURE, HOLES[hole], ENERGIES[name])
    due = _solve_directly(PICTURE, HOLES[hole], ENERGIES[name])
    assert np.abs(found - due).max() < 0.1


def test_the_three_surfaces_differ_by_more_than_the_accuracy() -> None:
    lost = HOLES["polygon 1"]
    harmonic, biharmonic, spline = (fit_surface(PICTURE, lost, e) for e in ENERGIES.values())
    assert np.abs(harmonic - biharmonic).max() > 10
    assert np.abs(harmonic - spline).max() > 2
    assert np.abs(spline - biharmonic).max() > 2


@pytest.mark.parametrize("name", ENERGIES)
def test_what_is_lost_is_not_read(name: str) -> None:
    lost = HOLES["polygon 0"]
    other = np.where(lost, np.nan_to_num(np.inf), PICTURE)
    found = fit_surface(other, lost, ENERGIES[name])
    np.testing.assert_array_equal(found, fit_surface(PICTURE, lost, ENERGIES[name]))


def test_bending_alone_continues_a_slope_and_tension_alone_does_not() -> None:
    ramp = np.broadcast_to(np.arange(60.0), (40, 60)).copy()
    lost = np.zeros(ramp.shape, dtype=bool)
    lost[10:30, 20:40] = True
    for energy in ENERGIES.values():
        assert np.abs(fit_surface(ramp, lost, energy) - ramp[lost]).max() < 0.05
    roof = np.minimum(ramp, 59 - ramp)
    top = {name: fit_surface(roof, lost, energy).max() for name, energy in ENERGIES.items()}
    assert top["biharmonic"] > top["spline"] + 0.2 > top["harmonic"] + 0.4


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_interpolation_and_restriction_are_transposes(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lost = (rng.random((height, width)) < 0.7).astype(np.float64)
    lost_of_coarse = (rng.random(((height + 1) // 2, (width + 1) // 2)) < 0.7).astype(np.float64)
    fine, coarse = (at * rng.normal(size=at.shape) for at in (lost, lost_of_coarse))
    up = np.vdot(surface._prolong(coarse, lost), fine)
    down = np.vdot(coarse, surface._restrict(fine, lost_of_coarse))
    assert np.isclose(up, down, rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_interpolation_is_bilinear_at_lost_pixels(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lost = (rng.random((height, width)) < 0.7).astype(np.float64)
    coarse = rng.normal(size=((height + 1) // 2, (width + 1) // 2))
    due = cv2.resize(coarse, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)[:height, :width]
    np.testing.assert_allclose(surface._prolong(coarse, lost), lost * due, rtol=0, atol=1e-12)


@pytest.mark.parametrize("hole", HOLES)
def test_few_steps_are_needed(monkeypatch: pytest.MonkeyPatch, hole: str) -> None:
    """A cycle with an error in it still leads to the surface, but more slowly."""
    for name, most in {"harmonic": 8, "spline": 11, "biharmonic": 18}.items():
        monkeypatch.setattr(surface, "_MOST_STEPS", most)
        fit_surface(PICTURE, HOLES[hole], ENERGIES[name])


def test_the_order_in_memory_does_not_matter() -> None:
    lost, energy = HOLES["polygon 0"], ENERGIES["spline"]
    due = fit_surface(PICTURE, lost, energy)
    found = fit_surface(np.asfortranarray(PICTURE), np.asfortranarray(lost), energy)
    np.testing.assert_array_equal(found, due)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 14), st.integers(1, 14), st.floats(0.02, 0.98), st.integers(0, 2**32 - 1),
    st.sampled_from(sorted(ENERGIES)),
)  # fmt: skip
def test_any_hole_is_filled(height: int, width: int, share: float, seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    lost = rng.random((height, width)) < share
    lost.flat[rng.integers(lost.size)] = True
    lost.flat[rng.integers(lost.size)] = False
    picture = rng.uniform(0, 255, lost.shape)
    if lost.any():
        found = fit_surface(picture, lost, ENERGIES[name])
        assert np.abs(found - _solve_directly(picture, lost, ENERGIES[name])).max() < 0.1


def test_a_surface_that_is_not_found_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "_MOST_STEPS", 2)
    with pytest.raises(ArrayError, match="could not be filled in 2 steps; use another method"):
        fit_surface(PICTURE, HOLES["polygon 0"], ENERGIES["biharmonic"])
