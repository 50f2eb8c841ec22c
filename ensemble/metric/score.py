"""The competition's score of one picture.

    score = 0.2 ssim + 0.4 masked_ssim + 0.4 hue

per picture, then the mean over pictures. It is not symmetric: the data range of both SSIM terms is
that of pred, so a washed-out pred loses twice. Arguments are keyword-only for that reason.

The ground truth never changes while candidates do: `prepare` it once, then score each candidate
with `PreparedTarget.score`.

Undefined pictures raise `ScoreError` and are named: fewer than 7 lost pixels or a side under 7
(where scikit-image raises too), and a constant pred against a target with a flat window, for which
the formula is 0 / 0 (scikit-image returns NaN or the quotient of two rounding errors).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb, check_gray, check_mask, check_rgb
from ensemble.errors import ScoreError
from ensemble.metric.hue import Histogram, hue_correlation, hue_histogram
from ensemble.metric.masked_ssim import Runs, gather, masked_ssim, runs_of
from ensemble.metric.ssim import WINDOW, Planes, data_range, ssim
from ensemble.vocabulary import Stage

TERM_WEIGHTS: Mapping[str, float] = MappingProxyType({"ssim": 0.2, "masked_ssim": 0.4, "hue": 0.4})
"""The terms and their weights in the competition's score; the one place that names them."""

TERMS = tuple(TERM_WEIGHTS)
STAGE_TERMS: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {"restoration": ("ssim", "masked_ssim"), "colorization": TERMS}
)
"""The terms that a stage's pictures have: a gray picture has no hue."""


def weigh(stage: Stage, terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score (...) of terms (..., T), T in the order of `TERMS`.

    A restoration's is the mean of its own terms by their weights, so that 1 is perfect.

    >>> weigh("restoration", np.array([1.0, 1.0, 0.0])).round(12)
    np.float64(1.0)
    """
    own = STAGE_TERMS[stage]
    weights = np.array([TERM_WEIGHTS[name] if name in own else 0.0 for name in TERMS])
    return np.asarray(terms @ (weights / sum(TERM_WEIGHTS[name] for name in own)))


class _Terms:
    """What both kinds of score have in common."""

    @property
    def score(self) -> float:
        """The mean of the terms by their weights: for RGB the competition's score."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        weighted = sum(TERM_WEIGHTS[name] * getattr(self, name) for name in names)
        return float(weighted / sum(TERM_WEIGHTS[name] for name in names))

    def as_dict(self) -> dict[str, float]:
        """`score`, then each term."""
        return {"score": self.score, **{f.name: getattr(self, f.name) for f in fields(self)}}  # type: ignore[arg-type]


@dataclass(frozen=True)
class Score(_Terms):
    """The three terms of one RGB picture, each at most 1; higher is better."""

    ssim: float
    masked_ssim: float
    hue: float


@dataclass(frozen=True)
class GrayScore(_Terms):
    """The two terms a gray picture has: what a restoration is judged by."""

    ssim: float
    masked_ssim: float


def mean_of(scores: Sequence[Score]) -> dict[str, float]:
    """The mean score and the mean of each term over pictures, as `Score.as_dict`."""
    rows = [one.as_dict() for one in scores]
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


@dataclass(frozen=True)
class PreparedGray:
    """A gray target with all that does not depend on pred; make it with `prepare_gray`."""

    name: str
    planes: Planes
    runs: Runs
    lost: NDArray[np.uint8]

    def score(self, pred: Gray) -> GrayScore:
        """Score `pred`, (H, W) uint8 of the target's size.

        Raises:
            ArrayError: `pred` is no gray picture.
            ScoreError: Another size, or a pred for which the score is undefined.
        """
        gray = check_gray(pred, name=f"{self.name}: pred")
        _check_size(self, gray)
        return GrayScore(*_ssim_terms(self, np.ascontiguousarray(gray)[None]))


@dataclass(frozen=True)
class PreparedTarget:
    """An RGB target with all that does not depend on pred; make it with `prepare`."""

    name: str
    planes: Planes
    runs: Runs
    lost: NDArray[np.uint8]
    histogram: Histogram

    def score(self, pred: Rgb) -> Score:
        """Score `pred`, (H, W, 3) uint8 of the target's size.

        Raises:
            ArrayError: `pred` is no RGB picture.
            ScoreError: Another size, or a pred for which the score is undefined.
        """
        rgb = check_rgb(pred, name=f"{self.name}: pred")
        _check_size(self, rgb)
        planes = planar(rgb)
        of_hue = hue_correlation(pred=hue_histogram(planes), target=self.histogram)
        return Score(*_ssim_terms(self, planes), of_hue)


Prepared = PreparedTarget | PreparedGray


def prepare(*, target: Rgb, lost_mask: Mask, name: str = "picture") -> PreparedTarget:
    """Do once what every score against `target` needs.

    Args:
        target: The ground truth, (H, W, 3) uint8, H and W at least 7.
        lost_mask: (H, W) bool, True where the input was lost, at least 7 pixels.
        name: What errors call the picture.

    Raises:
        ArrayError: An array of another shape or dtype.
        ScoreError: The score is undefined for this target or mask.

    >>> target = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    >>> prepared = prepare(target=target, lost_mask=np.ones((32, 32), dtype=bool))
    >>> [round(prepared.score(pred).score, 3) for pred in (target, 255 - target)]
    [1.0, -0.565]
    """
    planes = planar(check_rgb(target, name=f"{name}: target"))
    runs = _checked_runs(target.shape, lost_mask, name)
    return PreparedTarget(name, planes, runs, gather(planes, runs), hue_histogram(planes))


def prepare_gray(*, target: Gray, lost_mask: Mask, name: str = "picture") -> PreparedGray:
    """The same for a gray target, (H, W) uint8; see `prepare`."""
    planes = np.ascontiguousarray(check_gray(target, name=f"{name}: target"))[None]
    runs = _checked_runs(target.shape, lost_mask, name)
    return PreparedGray(name, planes, runs, gather(planes, runs))


def score(*, pred: Rgb, target: Rgb, lost_mask: Mask, name: str = "picture") -> Score:
    """The competition's score of one picture; see `prepare` for the arguments and the errors.

    >>> target = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    >>> lost_mask = np.zeros((32, 32), dtype=bool)
    >>> lost_mask[8:24, 8:24] = True
    >>> found = score(pred=target // 2, target=target, lost_mask=lost_mask)
    >>> round(found.ssim, 2), round(found.masked_ssim, 2), round(found.hue, 2)
    (0.64, 0.64, 0.86)
    """
    return prepare(target=target, lost_mask=lost_mask, name=name).score(pred)


def gray_score(*, pred: Gray, target: Gray, lost_mask: Mask, name: str = "picture") -> GrayScore:
    """The score of a gray restoration; see `prepare_gray`."""
    return prepare_gray(target=target, lost_mask=lost_mask, name=name).score(pred)


def planar(rgb: Rgb) -> Planes:
    """The planes (3, H, W) of a picture (H, W, 3), contiguous."""
    planes = np.empty((3, *rgb.shape[:2]), dtype=np.uint8)
    cv2.split(np.ascontiguousarray(rgb), list(planes))
    return planes


def _ssim_terms(prepared: Prepared, planes: Planes) -> tuple[float, float]:
    pred_range = data_range(planes)
    whole = ssim(pred=planes, target=prepared.planes, pred_range=pred_range)
    lost = gather(planes, prepared.runs)
    masked = masked_ssim(pred=lost, target=prepared.lost, pred_range=pred_range)
    if math.isnan(whole) or math.isnan(masked):
        raise ScoreError(
            f"{prepared.name}: the score is undefined (0 / 0): pred is constant, every value "
            f"{int(planes.min())}, and the target has a flat window; pred must not be constant"
        )
    return whole, masked


def _check_size(prepared: Prepared, pred: NDArray[np.uint8]) -> None:
    due = prepared.planes.shape[1:]
    if pred.shape[:2] != due:
        raise ScoreError(
            f"{prepared.name}: pred must be as large as its target, {due}, but is {pred.shape[:2]}"
        )


def _checked_runs(shape: tuple[int, ...], lost_mask: Mask, name: str) -> Runs:
    if min(shape[:2]) < WINDOW:
        raise ScoreError(
            f"{name}: a picture must be at least {WINDOW} pixels high and wide "
            f"to be scored, but is {tuple(shape[:2])}"
        )
    runs = runs_of(check_mask(lost_mask, shape=shape, name=f"{name}: lost_mask"))
    lost = int(np.diff(runs, axis=1).sum())
    if lost < WINDOW:
        raise ScoreError(
            f"{name}: at least {WINDOW} pixels must be lost for the masked SSIM, "
            f"but the mask marks {lost}"
        )
    return runs
