"""A data set of the competition's size, made from a folder of real photographs.

The competition's organizers counted 2,456 groups of alike photographs and 2,162 single ones among
29,603. So that a rehearsal meets groups of such sizes, each source photograph is divided into
`cut` x `cut` regions that do not overlap, and a region is a group: 2,162 in 4,618 regions give one
photograph, the others share the rest. With `cut` 1 a region is a whole source photograph. That is
sharper, but 849 sources then give groups of 65 photographs.

A photograph is a square of 60 to 100 % of a region's side, perhaps mirrored, with an exposure, a
gamma and a white balance of its own, enlarged to `size`, with grain that makes its PNG as large as
that of a photograph which was not enlarged. All of it follows from the photograph's name: the same
folder and arguments give the same bytes, and what is there already is not made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Rgb, luma
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.data.demo import write_test_table, write_train_tables
from ensemble.data.layout import TEST_INPUT, TEST_TARGET, TRAIN_GT, TRAIN_INPUT
from ensemble.data.png import encode_png
from ensemble.errors import ConfigError
from ensemble.parallel import Progress, map_with_bar, seed_of, silent

SINGLE = 2_162 / (2_162 + 2_456)
"""Share of the competition's groups that have one photograph."""
GRAIN = 1.5
"""Standard deviation of the grain, in gray levels."""
SOURCES_KEPT = 1_000
TEST_COUNT = 100


@dataclass(frozen=True)
class Region:
    """A part of a source photograph: `cut` x `cut` of them do not overlap."""

    source: Path
    row: int
    column: int
    cut: int

    @property
    def label(self) -> str:
        """The name of the group."""
        return f"{self.source.stem}-{self.row}-{self.column}"


def make_photographs(
    photos: Path,
    folder: Path,
    *,
    count: int,
    size: int = 512,
    cut: int = 2,
    test_count: int = TEST_COUNT,
    progress: Progress = silent,
) -> None:
    """Make training pairs, test photographs with their answers, the CSVs and `groups.csv`.

    Args:
        photos: Folder of JPEGs or PNGs.
        folder: `data/` of a workspace; photographs that it holds are kept.
        count: Training pairs.
        size: Side of every photograph in pixels.
        cut: Regions along each side of a source photograph.
        test_count: Test photographs, each of a region that gives no training photograph.
        progress: Shown meanwhile.

    Raises:
        ConfigError: There are too few source photographs.
    """
    regions = find_regions(photos, cut)
    if len(regions) < test_count + 2:
        raise ConfigError(f"`{photos}` gives {len(regions)} regions; {test_count + 2} are needed")
    train = name_photographs("TRAIN", 5, share_out(regions[test_count:], count))
    test = name_photographs("TEST", 3, regions[:test_count])
    jobs = [(name, region, TRAIN_INPUT, TRAIN_GT) for name, region in train.items()]
    jobs += [(name, region, TEST_INPUT, TEST_TARGET) for name, region in test.items()]
    for room in (TRAIN_INPUT, TRAIN_GT, TEST_INPUT, TEST_TARGET):
        (folder / room).mkdir(parents=True, exist_ok=True)

    def make(job: tuple[str, Region, str, str]) -> None:
        name, region, damaged_room, target_room = job
        damaged, target = (folder / room / f"{name}.png" for room in (damaged_room, target_room))
        if damaged.is_file() and target.is_file():
            return
        pixels = draw_photograph(region, name, size)
        damage = draw_damage(size=(size, size), seed=seed_of("damage", name))
        _write(target, pixels)
        _write(damaged, apply_damage(luma(pixels), damage))

    map_with_bar(make, jobs, what="making photographs", progress=progress)
    write_test_table(folder, list(test))
    write_train_tables(folder, list(train), [region.label for region in train.values()])


def find_regions(photos: Path, cut: int) -> list[Region]:
    """The regions of every photograph of a folder, shuffled, the same for the same names."""
    suffixes = (".jpg", ".jpeg", ".png")
    sources = sorted(path for path in photos.iterdir() if path.suffix.lower() in suffixes)
    cells = [(row, column) for row in range(cut) for column in range(cut)]
    regions = [Region(source, *cell, cut) for source in sources for cell in cells]
    return sorted(regions, key=lambda region: seed_of("region", region.label))


def share_out(regions: Sequence[Region], count: int) -> list[Region]:
    """The region of each photograph: `SINGLE` of the regions once, the others equally often."""
    n_single = min(round(SINGLE * len(regions)), count)
    shared = regions[n_single:]
    drawn = [*regions[:n_single], *(shared[k % len(shared)] for k in range(count - n_single))]
    order = np.random.default_rng(seed_of("order", count)).permutation(len(drawn))
    return [drawn[k] for k in order]


def name_photographs(prefix: str, digits: int, regions: Sequence[Region]) -> dict[str, Region]:
    """Regions by the names of their photographs, such as `TRAIN_00000`."""
    return {f"{prefix}_{index:0{digits}d}": region for index, region in enumerate(regions)}


def draw_photograph(region: Region, name: str, size: int) -> Rgb:
    """One photograph of a region, (size, size, 3) uint8; it follows from its name."""
    rng = np.random.default_rng(seed_of("photograph", name))
    source = _read(region.source)
    side = min(source.shape[:2]) // region.cut
    top, left = region.row * side, region.column * side
    window = round(side * rng.uniform(0.6, 1.0))
    top, left = (start + int(rng.integers(side - window + 1)) for start in (top, left))
    crop = source[top : top + window, left : left + window]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    pixels = cv2.resize(
        cv2.LUT(np.ascontiguousarray(crop), _draw_curves(rng)),
        (size, size),
        interpolation=cv2.INTER_CUBIC,
    )
    grain = (GRAIN * rng.standard_normal((size, size), dtype=np.float32)).round()
    gray_grain = cv2.merge([grain.astype(np.int16)] * 3)
    return np.asarray(cv2.add(pixels, gray_grain, dtype=cv2.CV_8U), dtype=np.uint8)


def _draw_curves(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A tone curve a channel, (1, 256, 3) uint8: exposure and gamma, then white balance."""
    levels = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.7, 1.4)
    gains = rng.uniform(0.8, 1.2) * rng.uniform(0.92, 1.08, size=3)
    curves: Any = np.clip(255 * levels * gains, 0, 255).round().astype(np.uint8)
    return curves[None]


@lru_cache(SOURCES_KEPT)
def _read(path: Path) -> Rgb:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ConfigError(f"`{path}` cannot be decoded; remove it")
    return np.asarray(picture, dtype=np.uint8)


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a PNG whole or not at all, without waiting for the disk: it can be made again."""
    part = path.with_suffix(".part")
    part.write_bytes(encode_png(pixels))
    part.replace(path)
