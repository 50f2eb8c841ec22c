"""Demo data in the competition's layout, cropped from photographs that come with the packages.

scikit-image and scikit-learn ship these colour photographs inside their wheels; nothing is
downloaded and nothing is synthetic but the damage, as in the competition itself.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from ensemble.arrays import Rgb, luma
from ensemble.damage.polygons import apply_damage, sample_damage
from ensemble.data.png import encode_png, write_png
from ensemble.errors import ConfigError
from ensemble.workspace import atomic_path, atomic_write

SOURCES = (
    ("skimage.data", "astronaut.png"),
    ("skimage.data", "chelsea.png"),
    ("skimage.data", "coffee.png"),
    ("skimage.data", "hubble_deep_field.jpg"),
    ("skimage.data", "ihc.png"),
    ("skimage.data", "motorcycle_left.png"),
    ("skimage.data", "retina.jpg"),
    ("skimage.data", "rocket.jpg"),
    ("sklearn.datasets.images", "china.jpg"),
    ("sklearn.datasets.images", "flower.jpg"),
)
REGIONS_PER_SOURCE = 12
"""Large photographs must not drown the others."""
LEAST_CONTRAST = 12.0
"""Standard deviation of gray under which a crop is a backdrop, not a photograph."""


@dataclass(frozen=True)
class Region:
    """A part of a source photograph that no other region overlaps: one group.

    Attributes:
        name: The source and the place, such as `coffee-1-0`.
        pixels: (h, w, 3) uint8.
    """

    name: str
    pixels: Rgb


@dataclass(frozen=True)
class Crop:
    """One photograph of the demo, (size, size, 3) uint8, and the region it is from."""

    group: str
    pixels: Rgb


def build_demo(folder: Path, *, size: int, n_train: int, n_test: int, seed: int) -> None:
    """Make `train_gt`, `train_input`, `test_input`, `test_target`, CSVs and a sample submission.

    Crops of one region may overlap, so they share a group, which `groups.csv` tells; regions of
    test photographs give no training photograph.

    Args:
        folder: Where to make it, whole or not at all; an existing folder is replaced.
        size: Side of every photograph in pixels.
        n_train: Training pairs.
        n_test: Test photographs.
        seed: Of the crops and the damage; the same seed gives the same bytes.

    Raises:
        ConfigError: The shipped photographs are too small for such a size, or too few.
    """
    rng = np.random.default_rng(seed)
    regions = _shuffled_regions(size, rng)
    needed_test = max(1, round(len(regions) * n_test / (n_train + n_test)))
    if len(regions) < 2 or needed_test >= len(regions):
        raise ConfigError(
            f"the shipped photographs have {len(regions)} regions of {size} px, too few for "
            f"{n_train} training and {n_test} test photographs apart; choose a smaller --size"
        )
    test = list(_crops(regions[:needed_test], size, n_test, rng))
    train = list(_crops(regions[needed_test:], size, n_train, rng))
    with atomic_path(folder) as temporary:
        _write_train(temporary, train, seed)
        _write_test(temporary, test, seed)


def _shuffled_regions(size: int, rng: np.random.Generator) -> list[Region]:
    regions = [region for source in SOURCES for region in _regions(*source, size, rng)]
    return [regions[index] for index in rng.permutation(len(regions))]


def _regions(package: str, file: str, size: int, rng: np.random.Generator) -> list[Region]:
    """Non-overlapping squares of twice the size, or of the size where a photograph is small."""
    picture = np.asarray(
        Image.open(io.BytesIO((files(package) / file).read_bytes())).convert("RGB")
    )
    side = min(2 * size, *picture.shape[:2])
    if side < size:
        return []
    found = [
        Region(f"{Path(file).stem}-{y // side}-{x // side}", picture[y : y + side, x : x + side])
        for y in range(0, picture.shape[0] - side + 1, side)
        for x in range(0, picture.shape[1] - side + 1, side)
    ]
    busy = [region for region in found if luma(region.pixels).std() >= LEAST_CONTRAST]
    kept = rng.permutation(len(busy))[:REGIONS_PER_SOURCE]
    return [busy[index] for index in sorted(kept)]


def _crops(
    regions: Sequence[Region], size: int, count: int, rng: np.random.Generator
) -> Iterator[Crop]:
    """Random square crops, region after region, reduced to `size` with Lanczos."""
    for index in range(count):
        region = regions[index % len(regions)]
        side = int(rng.integers(size, min(region.pixels.shape[:2]) + 1))
        y, x = (int(rng.integers(0, length - side + 1)) for length in region.pixels.shape[:2])
        crop = Image.fromarray(region.pixels[y : y + side, x : x + side])
        pixels = np.asarray(crop.resize((size, size), Image.Resampling.LANCZOS))
        yield Crop(region.name, pixels)


def _write_train(folder: Path, crops: Sequence[Crop], seed: int) -> None:
    names = [f"TRAIN_{index:05d}" for index in range(len(crops))]
    for index, (name, crop) in enumerate(zip(names, crops, strict=True)):
        write_png(folder / "train_gt" / f"{name}.png", crop.pixels)
        _write_damaged(folder / "train_input" / f"{name}.png", crop, seed + 2 * index)
    pairs = [[f"./train_input/{name}.png", f"./train_gt/{name}.png"] for name in names]
    _write_csv(folder / "train.csv", [["input_image_path", "gt_image_path"], *pairs])
    groups = [[name, crop.group] for name, crop in zip(names, crops, strict=True)]
    _write_csv(folder / "groups.csv", [["image", "label"], *groups])


def _write_test(folder: Path, crops: Sequence[Crop], seed: int) -> None:
    names = [f"TEST_{index:03d}" for index in range(len(crops))]
    for index, (name, crop) in enumerate(zip(names, crops, strict=True)):
        write_png(folder / "test_target" / f"{name}.png", crop.pixels)
        _write_damaged(folder / "test_input" / f"{name}.png", crop, seed + 2 * index + 1)
    rows = [[f"./test_input/{name}.png"] for name in names]
    _write_csv(folder / "test.csv", [["input_image_path"], *rows])
    blank = encode_png(np.zeros_like(crops[0].pixels))
    with zipfile.ZipFile(folder / "sample_submission.zip", "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(f"{name}.png"), blank)


def _write_damaged(path: Path, crop: Crop, seed: int) -> None:
    damage = sample_damage(size=crop.pixels.shape[:2], seed=seed)
    write_png(path, apply_damage(luma(crop.pixels), damage))


def _write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    atomic_write(path, text.getvalue())
