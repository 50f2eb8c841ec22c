"""The smoothest surface through the known pixels: three fills by one solver.

Of all pictures that agree with the known pixels, the one of least energy is wanted,

    bending * sum (D u)^2 + tension * sum (u[p] - u[q])^2,

where D u is a pixel's number of neighbors times its value less their sum, p and q are neighbors,
and neighbors outside the picture do not count, so its edges are free. Its lost pixels solve

    (bending * D D + tension * D) u = 0   in the hole.

Tension alone is the harmonic surface, a soap film: each lost pixel is the mean of its neighbors.
Bending alone is the biharmonic one, a thin plate that keeps the slopes at the rim. Both together
are a spline in tension.

The system is solved by conjugate gradients, preconditioned by a multigrid cycle, so the time grows
in proportion to the hole; that of a sparse factorization grows faster. All planes are (H, W)
float64. Every sum has one order, so the surface is the same on every processor.

Sources: Schweikert, "An interpolation curve using a spline in tension", 1966; Briggs, Henson,
McCormick, "A Multigrid Tutorial", 2000, chapter 3 (the cycle); Saad, "Iterative Methods for Sparse
Linear Systems", 2003, algorithms 9.1 and 12.1 (conjugate gradients, Chebyshev's iteration).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask
from ensemble.compiled import kernel
from ensemble.errors import ArrayError

_MARGIN = 3
"""The equations of a lost pixel reach two pixels out; one more keeps the box's edges away."""
_ACCURACY = 0.01
_SMOOTHINGS = 3
_MOST_STEPS = 300

Plane = NDArray[np.float64]


class Energy(NamedTuple):
    """Weights of the two kinds of energy, at a pixel's distance; one of them may be 0."""

    bending: float
    tension: float


def fit_surface(picture: Plane, lost_mask: Mask, energy: Energy) -> Plane:
    """Find the (n,) lost pixels, in raster order, of the surface of least energy.

    They are exact to about 0.01 of the unit of `picture`, (H, W) float64, of which what is lost is
    not read. At least one pixel of `lost_mask`, (H, W) bool, is lost and one is not.
    """
    box = _box(lost_mask)
    inside = lost_mask[box]
    lost = inside.astype(np.float64, order="C")
    rim = (cv2.dilate(lost, np.ones((3, 3))) > 0) & ~inside
    surface = np.ascontiguousarray(np.where(inside, picture[box][rim].mean(), picture[box]))
    if not _correct(surface, lost, energy, _MOST_STEPS):
        raise ArrayError(
            f"a hole of {int(lost.sum())} pixels could not be filled in {_MOST_STEPS} steps; use "
            "another method for this photograph"
        )
    return np.asarray(surface[inside])


def _box(lost_mask: Mask) -> tuple[slice, slice]:
    """The hole's bounding box with a margin, as far as the picture goes."""
    sides = (np.flatnonzero(lost_mask.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(max(at[0] - _MARGIN, 0), at[-1] + _MARGIN + 1) for at in sides)
    return rows, columns


@kernel
def _correct(surface: Any, lost: Any, energy: Any, most_steps: int) -> bool:
    """Change a surface where `lost` is 1, not 0, until its energy's gradient vanishes there.

    The preconditioned residual estimates the error that is left, in gray levels, so it says when
    to stop. Returns whether that was within the most steps.
    """
    holes = _coarser_holes(lost)
    residual, direction = np.zeros(lost.shape), np.zeros(lost.shape)
    _subtract_gradient(residual, surface, lost, energy)
    product = 1.0
    for _ in range(most_steps):
        error = _cycle(residual, holes, energy)
        if np.abs(error).max() < _ACCURACY:
            _add(surface, 1.0, error)
            return True
        before, product = product, _dot(error, residual)
        _add(error, product / before, direction)
        direction = error
        change = np.zeros(lost.shape)
        _subtract_gradient(change, direction, lost, energy)
        step = -product / _dot(direction, change)
        _add(surface, step, direction)
        _add(residual, step, change)
    return False


@kernel
def _coarser_holes(lost: Any) -> Any:
    """The hole at full size, half, a quarter, ...; a coarse pixel is lost if all its four are."""
    holes = [lost]
    while True:
        fine = holes[-1]
        coarse = np.ones(((fine.shape[0] + 1) // 2, (fine.shape[1] + 1) // 2))
        for y in range(fine.shape[0]):
            for x in range(fine.shape[1]):
                coarse[y // 2, x // 2] *= fine[y, x]
        if not coarse.any():
            return holes
        holes.append(coarse)


@kernel
def _cycle(residual: Any, holes: Any, energy: Any) -> Any:
    """Estimate the error of a surface from the residual: one symmetric V-cycle."""
    lost = holes[0]
    error = _smooth(residual, lost, energy)
    if len(holes) == 1:
        return error
    residual = residual.copy()
    _subtract_gradient(residual, error, lost, energy)
    # On pixels of twice the side curvatures count a quarter.
    coarser = Energy(energy.bending / 4, energy.tension)
    coarse = _cycle(_restrict(residual, holes[1]), holes[1:], coarser)
    correction = _prolong(coarse, lost)
    _add(error, 1.0, correction)
    _subtract_gradient(residual, correction, lost, energy)
    _add(error, 1.0, _smooth(residual, lost, energy))
    return error


@kernel
def _smooth(residual: Any, lost: Any, energy: Any) -> Any:
    """The error without its coarse waves: some steps of Chebyshev's iteration from zero."""
    # The finest waves have eigenvalues between these: of D, between 2 and 8.
    low = 4 * energy.bending + 2 * energy.tension
    high = 64 * energy.bending + 8 * energy.tension
    middle, half = (high + low) / 2, (high - low) / 2
    ratio = half / middle
    residual = residual.copy()
    step, error = np.zeros(lost.shape), np.zeros(lost.shape)
    _add(step, 1 / middle, residual)
    _add(error, 1.0, step)
    for _ in range(_SMOOTHINGS - 1):
        _subtract_gradient(residual, step, lost, energy)
        following = 1 / (2 / (half / middle) - ratio)
        before, now = following * ratio, 2 * following / half
        for y in range(lost.shape[0]):
            for x in range(lost.shape[1]):
                step[y, x] = before * step[y, x] + now * residual[y, x]
                error[y, x] += step[y, x]
        ratio = following
    return error


@kernel
def _subtract_gradient(residual: Any, plane: Any, lost: Any, energy: Any) -> None:
    """Subtract half the gradient of a plane's energy, at the lost pixels."""
    once = _laplacian(plane)
    twice = _laplacian(once) if energy.bending else once
    for y in range(lost.shape[0]):
        for x in range(lost.shape[1]):
            gradient = energy.bending * twice[y, x] - energy.tension * once[y, x]
            residual[y, x] -= lost[y, x] * gradient


@kernel
def _laplacian(plane: Any) -> Any:
    """-D of a plane: sums of the differences to its neighbors."""
    height, width = plane.shape
    sums = np.empty(plane.shape)
    for y in range(height):
        above, here, below = plane[max(y - 1, 0)], plane[y], plane[min(y + 1, height - 1)]
        for x in range(1, width - 1):
            sums[y, x] = above[x] + here[x - 1] - 4 * here[x] + here[x + 1] + below[x]
        for x in (0, width - 1):
            left, right = here[max(x - 1, 0)], here[min(x + 1, width - 1)]
            sums[y, x] = above[x] + left - 4 * here[x] + right + below[x]
    return sums


@kernel
def _prolong(coarse: Any, lost: Any) -> Any:
    """The lost pixels on pixels of half the side, by bilinear interpolation."""
    fine = np.empty(lost.shape)
    row = np.empty(coarse.shape[1])
    for y in range(lost.shape[0]):
        near, far = coarse[y // 2], coarse[_beside(y, coarse.shape[0])]
        for x in range(len(row)):
            row[x] = 0.75 * near[x] + 0.25 * far[x]
        for x in range(lost.shape[1]):
            level = 0.75 * row[x // 2] + 0.25 * row[_beside(x, len(row))]
            fine[y, x] = lost[y, x] * level
    return fine


@kernel
def _restrict(fine: Any, lost: Any) -> Any:
    """The transpose of `_prolong`: conjugate gradients need a symmetric cycle."""
    coarse = np.zeros(lost.shape)
    tall = np.zeros((lost.shape[0], fine.shape[1]))
    for y in range(fine.shape[0]):
        near, far = tall[y // 2], tall[_beside(y, len(tall))]
        for x in range(len(near)):
            near[x] += 0.75 * fine[y, x]
            far[x] += 0.25 * fine[y, x]
    for y in range(lost.shape[0]):
        for x in range(fine.shape[1]):
            coarse[y, x // 2] += 0.75 * tall[y, x]
            coarse[y, _beside(x, lost.shape[1])] += 0.25 * tall[y, x]
        for x in range(lost.shape[1]):
            coarse[y, x] *= lost[y, x]
    return coarse


@kernel
def _beside(at: int, length: int) -> int:
    """The coarse pixel that is second nearest to a fine one, within the coarse plane."""
    return min(max(at // 2 + 2 * (at % 2) - 1, 0), length - 1)


@kernel
def _add(plane: Any, factor: float, other: Any) -> None:
    """Add a multiple of another plane to a plane."""
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            plane[y, x] += factor * other[y, x]


@kernel
def _dot(one: Any, other: Any) -> float:
    """The sum of products; by columns first, so that vector instructions need no other order."""
    sums = np.zeros(one.shape[1])
    for y in range(one.shape[0]):
        for x in range(one.shape[1]):
            sums[x] += one[y, x] * other[y, x]
    return sums.sum()
