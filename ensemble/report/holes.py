"""Located holes to look at, and how well they were located where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from skimage.segmentation import find_boundaries

from ensemble.arrays import Gray, Mask, Rgb
from ensemble.damage.locate import locate_hole
from ensemble.data.competition import Competition, Sample
from ensemble.data.photographs import drawn_mask
from ensemble.parallel import Progress, map_with_bar, silent
from ensemble.report.sheets import Cell, draw_grid

GOOD_IOU = 0.99
RED = (230, 30, 30)
ENLARGED = 2
"""A hole is outlined in a picture so many times as large: the line then hides little of it."""


class Hole(NamedTuple):
    """One photograph's located hole.

    The mask (H, W) bool was located, or drawn by hand with a confidence of 1; `iou` is its overlap
    with the truth, 0..1, None where that is not known. A person should look at a doubtful one.
    """

    image_id: str
    damaged: Gray
    lost_mask: Mask
    confidence: float
    doubtful: bool
    iou: float | None


def find_hole(competition: Competition, image_id: str) -> Hole:
    """Locate one photograph's hole; a mask drawn by hand stands as it is."""
    if not competition.is_test(image_id):
        return judge_hole(competition.train_sample(image_id))
    damaged = competition.test_input(image_id)
    drawn = drawn_mask(competition, image_id)
    if drawn is not None:
        return Hole(image_id, damaged, drawn, 1.0, False, None)
    found = locate_hole(damaged)
    return Hole(image_id, damaged, found.lost_mask, found.confidence, found.doubtful, None)


def judge_hole(sample: Sample) -> Hole:
    """Locate a training photograph's hole, and compare it with the true one."""
    found = locate_hole(sample.damaged)
    iou = measure_iou(found.lost_mask, sample.lost_mask, sample.damaged, found.fill)
    return Hole(
        sample.image_id, sample.damaged, found.lost_mask, found.confidence, found.doubtful, iou
    )


def find_holes(
    competition: Competition, image_ids: Sequence[str], progress: Progress = silent
) -> list[Hole]:
    """Locate the holes of some photographs, the doubtful ones first."""
    find = partial(find_hole, competition)
    holes = map_with_bar(find, image_ids, what="locating holes", progress=progress)
    return sorted(holes, key=lambda hole: (not hole.doubtful, hole.confidence))


def draw_holes(holes: Sequence[Hole], *, columns: int) -> Rgb:
    """A grid of outlined holes; the doubtful ones have a red caption."""
    cells = []
    for hole in holes:
        judged = "" if hole.iou is None else f", IoU {hole.iou:.3f}"
        caption = f"{hole.image_id}{judged}{', doubtful' if hole.doubtful else ''}"
        cells.append(Cell(draw_outline(hole.damaged, hole.lost_mask), caption, hole.doubtful))
    return draw_grid(cells, columns=columns)


def draw_outline(gray: Gray, lost_mask: Mask) -> Rgb:
    """Draw a hole's rim in red: (H * ENLARGED, W * ENLARGED, 3) uint8."""
    block = np.ones((ENLARGED, ENLARGED), dtype=np.uint8)
    picture = np.stack([np.kron(gray, block)] * 3, axis=-1)
    mask = np.kron(lost_mask, block)
    rim = find_boundaries(mask, connectivity=1, mode="inner")  # type: ignore[no-untyped-call]
    picture[rim] = RED
    return picture


def describe_accuracy(holes: Sequence[Hole]) -> str:
    """Say how well training holes were located."""
    ious = np.array([hole.iou for hole in holes], dtype=float)
    failed = ious < GOOD_IOU
    flagged = np.array([hole.doubtful for hole in holes])
    return (
        f"against the true holes: mean IoU {ious.mean():.4f}, IoU >= {GOOD_IOU} on "
        f"{1 - failed.mean():.1%}, {flagged[failed].sum()} of {failed.sum()} failures flagged, "
        f"{flagged.mean():.1%} flagged in all"
    )


def measure_iou(mask: Mask, truth: Mask, damaged: Gray, fill: int) -> float:
    """Overlap where it can be judged: a lost pixel whose true gray is the fill shows no damage."""
    judged = truth | (damaged != fill)
    union = (mask | truth) & judged
    return float((mask & truth & judged).sum() / max(1, union.sum()))
