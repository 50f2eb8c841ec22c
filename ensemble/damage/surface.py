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
in proportion to the hole; that of a sparse factorization grows faster.

Sources: Schweikert, "An interpolation curve using a spline in tension", 1966; Briggs, Henson,
McCormick, "A Multigrid Tutorial", 2000, chapter 3 (the cycle); Saad, "Iterative Methods for Sparse
Linear Systems", 2003, algorithms 9.1 and 12.1 (conjugate gradients, Chebyshev's iteration).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask
from ensemble.errors import ArrayError

_MARGIN = 3
"""The equations of a lost pixel reach two pixels out; one more keeps the box's edges away."""
_ACCURACY = 0.01
_SMOOTHINGS = 3
_MOST_STEPS = 300
_TENT = np.array([0.25, 0.75, 0.75, 0.25])

Plane = NDArray[np.float64]


@dataclass(frozen=True)
class Energy:
    """Weights of the two kinds of energy, at a pixel's distance; one of them may be 0."""

    bending: float
    tension: float

    def coarsen(self) -> Energy:
        """The same energy on pixels of twice the side: curvatures count a quarter."""
        return Energy(self.bending / 4, self.tension)

    def apply(self, plane: Plane, lost: Plane) -> Plane:
        """The energy's gradient at the lost pixels, halved; `lost` is 1 there and 0 elsewhere."""
        laplacian = _laplacian(plane)
        gradient = -self.tension * laplacian
        if self.bending:
            gradient += self.bending * _laplacian(laplacian)
        return gradient * lost

    def bounds(self) -> tuple[float, float]:
        """Eigenvalues of `apply` between those of the finest waves: of D they are 2 and 8."""
        return 4 * self.bending + 2 * self.tension, 64 * self.bending + 8 * self.tension


def fit_surface(picture: Plane, lost_mask: Mask, energy: Energy) -> Plane:
    """Find the (n,) lost pixels, in raster order, of the surface of least energy.

    They are exact to about 0.01 of the unit of `picture`, (H, W) float64, of which what is lost is
    not read. At least one pixel of `lost_mask`, (H, W) bool, is lost and one is not.
    """
    box = _box(lost_mask)
    inside = lost_mask[box]
    lost = inside.astype(np.float64)
    rim = (cv2.dilate(lost, np.ones((3, 3))) > 0) & ~inside
    surface = np.where(inside, picture[box][rim].mean(), picture[box])
    surface += _correct(energy.apply(surface, lost), _coarser_holes(lost), energy)
    return np.asarray(surface[inside])


def _box(lost_mask: Mask) -> tuple[slice, slice]:
    """The hole's bounding box with a margin, as far as the picture goes."""
    sides = (np.flatnonzero(lost_mask.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(max(at[0] - _MARGIN, 0), at[-1] + _MARGIN + 1) for at in sides)
    return rows, columns


def _coarser_holes(lost: Plane) -> list[Plane]:
    """The hole at full size, half, a quarter, ...; a coarse pixel is lost if all its four are."""
    holes = [lost]
    while holes[-1].any():
        height, width = holes[-1].shape
        even = np.pad(holes[-1], ((0, height % 2), (0, width % 2)), mode="edge")
        blocks = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2)
        holes.append(blocks.min(axis=(1, 3)))
    return holes[:-1]


def _correct(gradient: Plane, holes: list[Plane], energy: Energy) -> Plane:
    """What is to be added to a surface for the gradient of its energy to vanish.

    The preconditioned residual estimates the error that is left, in gray levels, so it says when
    to stop.
    """
    residual = -gradient
    correction = direction = np.zeros_like(residual)
    product = 1.0
    for _ in range(_MOST_STEPS):
        error = _cycle(residual, holes, energy)
        if np.abs(error).max() < _ACCURACY:
            return correction + error
        before, product = product, float(np.vdot(error, residual))
        direction = error + product / before * direction
        image = energy.apply(direction, holes[0])
        step = product / float(np.vdot(direction, image))
        correction = correction + step * direction
        residual = residual - step * image
    raise ArrayError(
        f"a hole of {int(holes[0].sum())} pixels could not be filled in {_MOST_STEPS} steps; use "
        "another method for this photograph"
    )


def _cycle(residual: Plane, holes: list[Plane], energy: Energy) -> Plane:
    """Estimate the error of a surface from the residual: one symmetric V-cycle."""
    lost = holes[0]
    error = _smooth(residual, lost, energy)
    if len(holes) == 1:
        return error
    left = residual - energy.apply(error, lost)
    coarse = _cycle(_restrict(left) * holes[1], holes[1:], energy.coarsen())
    error += _prolong(coarse, lost.shape) * lost
    return error + _smooth(residual - energy.apply(error, lost), lost, energy)


def _prolong(coarse: Plane, shape: tuple[int, ...]) -> Plane:
    """A plane on pixels of half the side, (H, W), by bilinear interpolation."""
    height, width = coarse.shape
    fine = cv2.resize(coarse, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine[: shape[0], : shape[1]], dtype=np.float64)


def _restrict(fine: Plane) -> Plane:
    """The transpose of `_prolong`: conjugate gradients need a symmetric cycle."""
    height, width = fine.shape
    even = np.pad(fine, ((0, height % 2), (0, width % 2)))
    sums = cv2.sepFilter2D(
        even, cv2.CV_64F, _TENT, _TENT, anchor=(1, 1), borderType=cv2.BORDER_REFLECT
    )
    return np.ascontiguousarray(sums[::2, ::2])


def _smooth(residual: Plane, lost: Plane, energy: Energy) -> Plane:
    """The error without its coarse waves: some steps of Chebyshev's iteration from zero."""
    low, high = energy.bounds()
    middle, half = (high + low) / 2, (high - low) / 2
    ratio = half / middle
    step = residual / middle
    error = step.copy()
    for _ in range(_SMOOTHINGS - 1):
        residual = residual - energy.apply(step, lost)
        following = 1 / (2 / (half / middle) - ratio)
        step = following * ratio * step + 2 * following / half * residual
        ratio = following
        error += step
    return error


def _laplacian(plane: Plane) -> Plane:
    """-D of a plane: sums of the differences to its neighbors."""
    found = cv2.Laplacian(plane, cv2.CV_64F, ksize=1, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(found, dtype=np.float64)
