"""Find the pixels that a polygon covers, exactly as `skimage.draw.polygon2mask`, but fast.

A pixel is covered when its center, an integer point, lies inside the polygon by the even-odd rule,
on an edge, or on a vertex. scikit-image asks that of every pixel and every edge; here each row
notes where the edges cross it, then two running parities answer for the row's pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ensemble.compiled import kernel


@kernel
def rasterize(vertices: Any, covered: Any) -> int:
    """Set the pixels that a polygon covers in (H, W) bool, all False, and return their number.

    The vertices are (P, 2) int64, (x, y) a row, P >= 3; they may lie outside the mask.

    Source: the crossing test of O'Rourke's "Computational Geometry in C", section 7.4, which
    scikit-image follows; equal to it pixel by pixel, self-touching polygons included.
    """
    height, width = covered.shape
    right = np.zeros(width + 1, dtype=np.uint8)  # toggles of: an odd number of crossings > x
    left = np.zeros(width + 1, dtype=np.uint8)  # toggles of: an odd number of crossings < x
    count = 0
    first = max(0, vertices[:, 1].min())
    last = min(height - 1, vertices[:, 1].max())
    for y in range(first, last + 1):
        right[:] = 0
        left[:] = 0
        _note_crossings(vertices, y, width, right, left)
        odd_right = np.uint8(0)
        odd_left = np.uint8(0)
        for x in range(width):
            odd_right ^= right[x]
            odd_left ^= left[x]
            if odd_right == 1 or odd_left == 1:
                covered[y, x] = True
                count += 1
        count += _cover_vertices(vertices, y, covered[y])
    return count


@kernel
def _note_crossings(vertices: Any, y: int, width: int, right: Any, left: Any) -> None:
    count = vertices.shape[0]
    for i in range(count):
        xa, ya = vertices[i - 1, 0], vertices[i - 1, 1]
        xb, yb = vertices[i, 0], vertices[i, 1]
        if ya == yb:
            continue
        above = (ya > y) != (yb > y)
        below = (ya < y) != (yb < y)
        if not above and not below:
            continue
        # the edge crosses the row at numerator / run, run > 0
        run = yb - ya
        numerator = xa * run + (y - ya) * (xb - xa)
        if run < 0:
            run, numerator = -run, -numerator
        if above:  # pixels x < crossing: toggled at 0, and back at the first x >= crossing
            right[0] ^= 1
            right[min(max(-((-numerator) // run), 0), width)] ^= 1
        if below:  # pixels x > crossing
            left[min(max(numerator // run + 1, 0), width)] ^= 1


@kernel
def _cover_vertices(vertices: Any, y: int, row: Any) -> int:
    added = 0
    for i in range(vertices.shape[0]):
        x = vertices[i, 0]
        if vertices[i, 1] == y and 0 <= x < row.shape[0] and not row[x]:
            row[x] = True
            added += 1
    return added
