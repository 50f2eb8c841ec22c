"""Photographs of a folder, gray, at the size asked for, with fresh damage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ensemble.arrays import Gray, Mask
from ensemble.damage.draw import apply_damage, draw_damage


@dataclass(frozen=True, eq=False)
class Case:
    name: str
    seed: int
    gray: Gray
    damaged: Gray
    lost_mask: Mask


def cases(paths: list[Path], *, side: int, seeds: list[int]) -> Iterator[Case]:
    """Every photograph with one damage a seed; resized by Lanczos where it has another size."""
    for index, path in enumerate(paths):
        picture: Image.Image = Image.open(path)
        if picture.size != (side, side):
            picture = picture.resize((side, side), Image.Resampling.LANCZOS)
        gray = np.asarray(picture.convert("L"))
        for seed in seeds:
            own = (seed * 1000 + side) * 100_000 + index
            damage = draw_damage(size=gray.shape, seed=own)
            yield Case(path.name, own, gray, apply_damage(gray, damage), damage.lost_mask())


def intersection_over_union(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max(int((one | other).sum()), 1))
