"""Demo data in the competition's layout, cropped from photographs that come with the packages.

scikit-image and scikit-learn ship these color photographs inside their wheels; nothing is
downloaded and nothing is synthetic but the damage, as in the competition itself.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ensemble.arrays import Rgb, luma
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.data.layout import (
    SAMPLE_SUBMISSION,
    TEST_COLUMNS,
    TEST_INPUT,
    TEST_TARGET,
    TRAIN_COLUMNS,
    TRAIN_GT,
    TRAIN_INPUT,
)
from ensemble.data.png import encode_png, write_png
from ensemble.data.tables import write_columns
from ensemble.errors import ConfigError
from ensemble.files import atomic_path, atomic_write

MARKER = "demo.txt"
"""Marks a demo set; a folder without this file is never replaced."""
SOURCES = (
    ("skimage.data", "astronaut.png"),
    ("skimage.data", "chelsea.png"),
    ("skimage.data", "coffee.png"),
    ("skimage.data", "motorcycle_left.png"),
    ("skimage.data", "rocket.jpg"),
    ("sklearn.datasets.images", "china.jpg"),
    ("sklearn.datasets.images", "flower.jpg"),
)
LEAST_CONTRAST = 12.0
"""Standard deviation of gray under which a region is a backdrop, not a photograph."""
LEAST_SLACK = 1.25
"""How much longer than a crop's side a region's must be, so that crops differ."""
WINDOWS, DRAWS = 2, 100
"""A crop is the liveliest of so many new windows, from at most so many draws."""
_EPOCH = (1980, 1, 1, 0, 0, 0)

Window = tuple[int, int, int]


class Crop(NamedTuple):
    """Pixels (h, w, 3) uint8 of a source, and the region they are of, such as `coffee-1-0`.

    No region overlaps another, so each is a group; it is the crop of all of itself.
    """

    group: str
    pixels: Rgb


class Demo(NamedTuple):
    """The photographs of a demo: no region gives both training and test photographs."""

    train: tuple[Crop, ...]
    test: tuple[Crop, ...]


def build_demo(folder: Path, *, size: int, n_train: int, n_test: int, seed: int) -> None:
    """Make `train_gt`, `train_input`, `test_input`, `test_target`, CSVs and a sample submission.

    They are made whole or not at all, in the place of an earlier demo set; the same seed gives the
    same bytes. `size` is the side of every photograph in pixels.

    Raises:
        ConfigError: As for `crop_demo`, or the folder holds other data than a demo set.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise ConfigError(
            f"`{folder}` holds data that `ens demo` did not make, which it never replaces; work "
            "elsewhere, with `ens --root demo demo`, or move the folder away"
        )
    demo = crop_demo(size=size, n_train=n_train, n_test=n_test, seed=seed)
    with atomic_path(folder) as temporary:
        names = [f"TRAIN_{index:05d}" for index in range(n_train)]
        _write_pairs(temporary, names, demo.train, (TRAIN_INPUT, TRAIN_GT), seed)
        write_train_tables(temporary, names, [crop.group for crop in demo.train])
        _write_test(temporary, demo.test, seed)
        sources = ", ".join(Path(file).stem for _, file in SOURCES)
        text = (
            f"Made by `ens demo` (size {size}, seed {seed}); it may replace this folder.\n\n"
            f"Crops of photographs that scikit-image and scikit-learn ship: {sources}.\n"
            "Their authors and licenses are named in those packages' data folders.\n"
        )
        atomic_write(temporary / MARKER, text)


def crop_demo(*, size: int, n_train: int, n_test: int, seed: int) -> Demo:
    """Crop the photographs that `build_demo` writes.

    Crops of one region may overlap, so they share a group, which `groups.csv` tells. Regions never
    overlap, and a region of test photographs gives no training photograph.

    Raises:
        ConfigError: The shipped photographs are too small for such a size, or too few.
    """
    rng = np.random.default_rng(seed)
    found = [region for source in SOURCES for region in _regions(*source, size)]
    regions = [found[index] for index in rng.permutation(len(found))]
    needed_test = max(1, round(len(regions) * n_test / (n_train + n_test)))
    if len(regions) < 2 or needed_test >= len(regions):
        raise ConfigError(
            f"the shipped photographs have {len(regions)} regions of {size} px, too few for "
            f"{n_train} training and {n_test} test photographs apart; choose a smaller --size"
        )
    test = tuple(_crops(regions[:needed_test], size, n_test, rng))
    return Demo(tuple(_crops(regions[needed_test:], size, n_train, rng)), test)


def write_train_tables(folder: Path, names: Sequence[str], groups: Sequence[str]) -> None:
    """Write `train.csv`, and `groups.csv` with the group of each photograph."""
    paths = ([f"./{room}/{name}.png" for name in names] for room in (TRAIN_INPUT, TRAIN_GT))
    write_columns(folder / "train.csv", dict(zip(TRAIN_COLUMNS, paths, strict=True)))
    write_columns(folder / "groups.csv", {"image": list(names), "label": list(groups)})


def write_test_table(folder: Path, names: Sequence[str]) -> None:
    """Write `test.csv`."""
    paths = [f"./{TEST_INPUT}/{name}.png" for name in names]
    write_columns(folder / "test.csv", {TEST_COLUMNS[0]: paths})


def _regions(package: str, file: str, size: int) -> list[Crop]:
    """Non-overlapping squares of one and a half times the size, or what a photograph allows."""
    picture = np.asarray(
        Image.open(io.BytesIO((files(package) / file).read_bytes())).convert("RGB")
    )
    side = min(3 * size // 2, *picture.shape[:2])
    if side < LEAST_SLACK * size:
        return []
    found = [
        Crop(f"{Path(file).stem}-{y // side}-{x // side}", picture[y : y + side, x : x + side])
        for y in range(0, picture.shape[0] - side + 1, side)
        for x in range(0, picture.shape[1] - side + 1, side)
    ]
    return [region for region in found if luma(region.pixels).std() >= LEAST_CONTRAST]


def _crops(
    regions: Sequence[Crop], size: int, count: int, rng: np.random.Generator
) -> Iterator[Crop]:
    """Distinct square crops, region after region, reduced to `size` with Lanczos."""
    seen: dict[str, set[Window]] = {region.group: set() for region in regions}
    for index in range(count):
        region = regions[index % len(regions)]
        windows = _new_windows(region, size, seen[region.group], rng)
        if not windows:
            raise ConfigError(
                f"region {region.group} has no more new crops of {size} px after {index} of "
                f"{count} photographs; ask for fewer"
            )
        window = max(windows, key=lambda w: float(luma(_cut(region, w)).std()))
        seen[region.group].add(window)
        crop = Image.fromarray(_cut(region, window))
        pixels = np.asarray(crop.resize((size, size), Image.Resampling.LANCZOS))
        yield Crop(region.group, pixels)


def _new_windows(
    region: Crop, size: int, seen: set[Window], rng: np.random.Generator
) -> list[Window]:
    found: list[Window] = []
    longest = region.pixels.shape[0]
    for _ in range(DRAWS):
        side = int(rng.integers(size, longest + 1))
        y, x = (int(place) for place in rng.integers(0, longest - side + 1, size=2))
        if (y, x, side) not in seen:
            found.append((y, x, side))
        if len(found) == WINDOWS:
            break
    return found


def _cut(region: Crop, window: Window) -> Rgb:
    y, x, side = window
    return region.pixels[y : y + side, x : x + side]


def _write_test(folder: Path, crops: Sequence[Crop], seed: int) -> None:
    names = [f"TEST_{index:03d}" for index in range(len(crops))]
    _write_pairs(folder, names, crops, (TEST_INPUT, TEST_TARGET), seed + 1)
    write_test_table(folder, names)
    blank = encode_png(np.zeros_like(crops[0].pixels))
    with zipfile.ZipFile(folder / SAMPLE_SUBMISSION, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(f"{name}.png", _EPOCH), blank)


def _write_pairs(
    folder: Path, names: list[str], crops: Sequence[Crop], rooms: tuple[str, str], seed: int
) -> None:
    """Write damaged photographs and their targets; each damage has a seed of its own."""
    for index, (name, crop) in enumerate(zip(names, crops, strict=True)):
        damage = draw_damage(size=crop.pixels.shape[:2], seed=seed + 2 * index)
        write_png(folder / rooms[0] / f"{name}.png", apply_damage(luma(crop.pixels), damage))
        write_png(folder / rooms[1] / f"{name}.png", crop.pixels)
