"""Damage as the competition's public generator draws it, as a pure function of a seed.

The public generator draws, all from Python's global `random`: a box, whose first corner is uniform
over the places that leave room for the smallest side and whose second is uniform from there to the
picture's end, redrawn until both sides are long enough; 3 to 20 points; one of polygenerator's
three kinds; then it scales the polygon to the box, rounds its vertices to whole pixels and
rasterizes it with scikit-image's `polygon2mask`. Unless that covers more than (side // 2)^2 pixels,
everything is drawn again. Last comes the fill. At 512 px `draw_damage(seed=s)` equals the
generator after `random.seed(s)`, pixel by pixel.
"""

from __future__ import annotations

import importlib.util
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, check_gray
from ensemble.damage.rasterize import rasterize
from ensemble.errors import ArrayError

KINDS = ("simple", "star-shaped", "convex")
MIN_POINTS, MAX_POINTS = 3, 20
MIN_PIXELS = 7  # one window of the masked SSIM, which is undefined below

_FULL_SIZE, _FULL_SIDE = 512, 50
_SMALLEST_SIDE = 4
_SMALLEST_SIZE = 8
_DRAWERS = ("random_polygon", "random_star_shaped_polygon", "random_convex_polygon")
_thread = threading.local()

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Damage:
    """One polygon of one flat gray."""

    # which of `KINDS`, that is of polygenerator's random, star-shaped and convex polygons
    kind: str
    # (P, 2) float64, whole numbers, (x, y) a row, in pixels of the picture. A vertex may lie on the
    # box's far side, one past the last pixel; `lost_mask` clips it
    points: NDArray[np.float64]
    box: Box  # (x0, y0, x1, y1), the far side excluded; the polygon touches all four sides
    fill: int  # the gray, 0 to 255
    size: tuple[int, int]  # (H, W) of the picture

    def lost_mask(self) -> Mask:
        """The lost pixels, (H, W) bool, at least `MIN_PIXELS`.

        Not always connected: a spike thinner than a pixel is sampled at pixel centers, as by the
        generator, and becomes loose pixels.
        """
        mask = np.zeros(self.size, dtype=np.bool_)
        cover(self.points, self.box, mask)
        return mask


@dataclass(frozen=True)
class DamageRule:
    """The generator's two limits, scaled to the size of the picture."""

    # (height, width), the shortest box sides allowed: 50 px at 512, in proportion to each side of
    # the picture, never under 4
    min_sides: tuple[int, int]
    # the fewest lost pixels allowed: one more than the product of the halved sides, (50 // 2)^2 at
    # 512, and never under `MIN_PIXELS`
    min_pixels: int

    @classmethod
    def at(cls, size: tuple[int, int]) -> DamageRule:
        """The rule for pictures of `size` (H, W); ArrayError where a side is under 8 px.

        >>> DamageRule.at((512, 512)), DamageRule.at((256, 384)).min_sides
        (DamageRule(min_sides=(50, 50), min_pixels=626), (25, 38))
        """
        if min(size) < _SMALLEST_SIZE:
            raise ArrayError(
                f"damage needs a picture of at least {_SMALLEST_SIZE} px a side, but got {size}"
            )
        height, width = (max(_SMALLEST_SIDE, round(_FULL_SIDE * n / _FULL_SIZE)) for n in size)
        return cls((height, width), max(MIN_PIXELS, (height // 2) * (width // 2) + 1))


def draw_damage(*, size: tuple[int, int], seed: int) -> Damage:
    """Draw one damage; the same for the same arguments, in any thread or process.

    polygenerator draws from the global `random`; here a private copy of its module draws from a
    generator of its own, so the caller's `random` is neither read nor moved.

    Args:
        size: (H, W) of the picture, each at least 8.
        seed: Any int.

    Raises:
        ArrayError: `size` is too small.

    >>> damage = draw_damage(size=(64, 64), seed=0)
    >>> damage.kind, damage.fill, damage.lost_mask().shape
    ('star-shaped', 31, (64, 64))
    """
    rule, rng = DamageRule.at(size), random.Random(seed)
    (height, width), (min_height, min_width) = size, rule.min_sides
    while True:
        y0, x0 = rng.randint(0, height - min_height), rng.randint(0, width - min_width)
        y1, x1 = rng.randint(y0, height), rng.randint(x0, width)
        if y1 - y0 < min_height or x1 - x0 < min_width:
            continue
        n_points = rng.randint(MIN_POINTS, MAX_POINTS)
        kind, box = rng.choice(KINDS), (x0, y0, x1, y1)
        unit = draw_unit_polygon(rng, kind, n_points)
        if unit is None:
            continue
        points = place(unit, box)
        if cover(points, box, np.zeros(size, dtype=np.bool_)) >= rule.min_pixels:
            return Damage(kind, points, box, rng.randint(0, 255), size)


def apply_damage(gray: Gray, damage: Damage) -> Gray:
    """Return a copy of `gray` with the lost pixels filled.

    Args:
        gray: (H, W) uint8, of the damage's size.
        damage: The pixels to lose and their fill.

    Raises:
        ArrayError: Not a gray picture, or of another size.

    >>> damage = draw_damage(size=(64, 64), seed=0)
    >>> damaged = apply_damage(np.zeros((64, 64), dtype=np.uint8), damage)
    >>> np.array_equal(damaged == damage.fill, damage.lost_mask())
    True
    """
    check_gray(gray, name="gray")
    if gray.shape != damage.size:
        raise ArrayError(f"damage of size {damage.size} cannot fall on a picture of {gray.shape}")
    damaged = gray.copy()
    damaged[damage.lost_mask()] = damage.fill
    return damaged


def draw_unit_polygon(rng: random.Random, kind: str, n_points: int) -> NDArray[np.float64] | None:
    """Draw one of polygenerator's polygons, fitted to the unit square: (P, 2), (x, y) a row.

    None where polygenerator gives up: its `random_polygon` asserts that its edges form one cycle,
    which rounding can break.
    """
    polygenerator = _import_polygenerator()
    vars(polygenerator)["random"] = rng
    drawer: Callable[..., Any] = getattr(polygenerator, _DRAWERS[KINDS.index(kind)])
    try:
        return np.array(drawer(num_points=n_points))[:, ::-1]
    except AssertionError:
        return None


def place(unit: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """Scale a polygon of the unit square, (P, 2) float64, to a box and round it to whole pixels.

    Halves go to even, as Python's `round` takes them.
    """
    x0, y0, x1, y1 = box
    return np.rint(unit * np.array([x1 - x0, y1 - y0])) + np.array([x0, y0])


def cover(points: NDArray[np.float64], box: Box, mask: Mask) -> int:
    """Set a placed polygon's pixels in `mask`, (H, W) bool, all False; return their number."""
    x0, y0, x1, y1 = box
    return rasterize(points.astype(np.int64) - np.array([x0, y0]), mask[y0:y1, x0:x1])


def _import_polygenerator() -> ModuleType:
    """This thread's own copy of polygenerator, whose `random` may be replaced."""
    if not hasattr(_thread, "polygenerator"):
        spec = importlib.util.find_spec("polygenerator")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        _thread.polygenerator = module
    return _thread.polygenerator
