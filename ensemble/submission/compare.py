"""Where two submissions differ, photograph by photograph."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ensemble.arrays import Rgb, luma
from ensemble.data.pairs import PngSource
from ensemble.data.png import decode_rgb
from ensemble.errors import DataError, MissingFileError
from ensemble.metric.hue import hue_correlation, unit_hue_histogram
from ensemble.metric.ssim import to_planes
from ensemble.parallel import Progress, map_with_bar, silent
from ensemble.workspace import Workspace


class Difference(NamedTuple):
    """How two answers to one photograph differ."""

    name: str  # the file
    mean: float  # mean absolute difference of the channels, 0..255
    luma: float  # the same of the lumas: small where only colors differ
    changed: float  # share of the pixels that differ, 0..1
    hue: float  # correlation of the hue histograms, the score's hue term of one against the other


def measure_difference(name: str, first: Rgb, second: Rgb) -> Difference:
    """Compare two answers (H, W, 3) uint8 of one size."""
    apart = np.abs(first.astype(np.int16) - second)
    lumas = np.abs(luma(first).astype(np.int16) - luma(second))
    histograms = [unit_hue_histogram(to_planes(picture)) for picture in (first, second)]
    return Difference(
        name,
        mean=float(apart.mean()),
        luma=float(lumas.mean()),
        changed=float(apart.any(axis=-1).mean()),
        hue=hue_correlation(pred=histograms[1], target=histograms[0]),
    )


class TwoZips:
    """Two submissions of the same photographs, each a zip or a folder of PNGs.

    Raises:
        MissingFileError: One is not there.
        DataError: One is neither, or they do not hold the same names.
    """

    def __init__(self, first: Path, second: Path) -> None:
        self.sources = (PngSource(first), PngSource(second))
        one, other = (set(source.names) for source in self.sources)
        if one != other or not one:
            odd = min(one ^ other, default="none at all")
            raise DataError(
                f"`{first}` and `{second}` must hold the same pictures, but {len(one ^ other)} are "
                f"in one only, `{odd}` among them; compare submissions of one test set"
            )

    def read(self, name: str) -> tuple[Rgb, Rgb]:
        """Both answers to one photograph; DataError if one is unreadable, or their sizes differ."""
        first, second = (
            decode_rgb(source.read(name), name=f"{source.path}/{name}") for source in self.sources
        )
        if first.shape != second.shape:
            raise DataError(
                f"`{name}` must have one size, but is {first.shape[:2]} in "
                f"`{self.sources[0].path}` and {second.shape[:2]} in `{self.sources[1].path}`"
            )
        return first, second

    def measure(self, progress: Progress = silent) -> list[Difference]:
        """The difference of every photograph, the largest first."""

        def measure(name: str) -> Difference:
            return measure_difference(name, *self.read(name))

        names = self.sources[0].names
        found = map_with_bar(measure, names, what="comparing", progress=progress)
        return sorted(found, key=lambda one: (-one.mean, one.name))

    def draw(self, name: str) -> tuple[Rgb, Rgb, Rgb]:
        """Both answers, and where they differ: white where it is most, (H, W, 3) uint8."""
        first, second = self.read(name)
        apart = np.abs(first.astype(np.int16) - second).max(axis=-1)
        scaled = (apart * (255 / max(1, int(apart.max())))).round().astype(np.uint8)
        return first, second, np.repeat(scaled[..., None], 3, axis=-1)


def find_submission(workspace: Workspace, text: str) -> Path:
    """The zip or folder at a path, or the submission of that name.

    Raises:
        MissingFileError: There is neither.
    """
    path = Path(text)
    if path.exists():
        return path
    named = workspace.submissions / f"{text}.zip"
    if not named.exists():
        raise MissingFileError(
            f"`{text}` must be a zip, a folder or the name of a submission, but neither `{path}` "
            f"nor `{named}` is there"
        )
    return named
