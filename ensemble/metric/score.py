"""The competition's score.

    score = 0.2 ssim + 0.4 masked_ssim + 0.4 hue

per picture, then the mean over pictures. It is not symmetric: the data range of both SSIM terms is
that of pred, so a washed-out pred loses twice. Arguments are keyword-only for that reason.

To score many candidates of one target, `prepare` it once and call `PreparedTarget.score`.

Undefined pictures raise `ScoreError` and are named: fewer than 7 lost pixels or a side under 7
(where scikit-image raises too), and a constant pred against a target with a flat window, for which
the formula is 0 / 0 (scikit-image returns NaN or the quotient of two rounding errors).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb, check_gray, check_mask, check_rgb
from ensemble.errors import ScoreError
from ensemble.metric.hue import Histogram, hue_correlation, unit_hue_histogram
from ensemble.metric.ssim import (
    WINDOW,
    Planes,
    Runs,
    data_range,
    find_runs,
    gather,
    ssim,
    ssim_of_lost,
    to_planes,
)
from ensemble.parallel import map_in_order
from ensemble.vocabulary import Stage

TERM_WEIGHTS: Mapping[str, float] = MappingProxyType({"ssim": 0.2, "masked_ssim": 0.4, "hue": 0.4})
"""The terms and their weights in the competition's score; the one place that names them."""

TERMS = tuple(TERM_WEIGHTS)
STAGE_TERMS: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {"restoration": ("ssim", "masked_ssim"), "colorization": TERMS}
)
"""The terms of each stage: a gray picture has no hue."""


def weigh(stage: Stage, terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score (...) of terms (..., T), T in the order of `TERMS`.

    The score of a gray restoration is the weighted mean of its own two terms, so that 1 is perfect.

    >>> weigh("restoration", np.array([1.0, 1.0, 0.0])).round(12)
    np.float64(1.0)
    """
    own = STAGE_TERMS[stage]
    weights = np.array([TERM_WEIGHTS[name] if name in own else 0.0 for name in TERMS])
    return np.asarray(terms @ (weights / sum(TERM_WEIGHTS[name] for name in own)))


@dataclass(frozen=True)
class GrayScore:
    """The two terms of a gray picture, each at most 1; higher is better."""

    ssim: float
    masked_ssim: float

    @property
    def score(self) -> float:
        """The mean of the terms by their weights: for RGB the competition's score."""
        names = [field.name for field in fields(self)]
        weighted = sum(TERM_WEIGHTS[name] * getattr(self, name) for name in names)
        return float(weighted / sum(TERM_WEIGHTS[name] for name in names))

    def as_dict(self) -> dict[str, float]:
        """`score`, then each term."""
        return {"score": self.score, **{f.name: getattr(self, f.name) for f in fields(self)}}


@dataclass(frozen=True)
class Score(GrayScore):
    """The three terms of an RGB picture, each at most 1; higher is better."""

    hue: float


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
        return GrayScore(*self._compute_ssim(np.ascontiguousarray(gray)[None]))

    def _compute_ssim(self, pred: Planes) -> tuple[float, float]:
        if pred.shape[1:] != self.planes.shape[1:]:
            raise ScoreError(
                f"{self.name}: pred must be as large as its target, {self.planes.shape[1:]}, "
                f"but is {pred.shape[1:]}"
            )
        pred_range = data_range(pred)
        whole = ssim(pred=pred, target=self.planes, pred_range=pred_range)
        lost = gather(pred, self.runs)
        masked = ssim_of_lost(pred=lost, target=self.lost, pred_range=pred_range)
        if math.isnan(whole) or math.isnan(masked):
            raise ScoreError(
                f"{self.name}: the score is undefined (0 / 0): pred is constant, every value "
                f"{int(pred.min())}, and the target has a flat window; pred must not be constant"
            )
        return whole, masked


@dataclass(frozen=True)
class PreparedTarget(PreparedGray):
    """An RGB target with all that does not depend on pred; make it with `prepare`."""

    histogram: Histogram

    def score(self, pred: Rgb) -> Score:
        """Score `pred`, (H, W, 3) uint8 of the target's size.

        Raises:
            ArrayError: `pred` is no RGB picture.
            ScoreError: Another size, or a pred for which the score is undefined.
        """
        planes = to_planes(check_rgb(pred, name=f"{self.name}: pred"))
        terms = self._compute_ssim(planes)
        return Score(
            *terms, hue_correlation(pred=unit_hue_histogram(planes), target=self.histogram)
        )


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
    planes = to_planes(check_rgb(target, name=f"{name}: target"))
    runs = _find_lost(planes, lost_mask, name)
    return PreparedTarget(name, planes, runs, gather(planes, runs), unit_hue_histogram(planes))


def prepare_gray(*, target: Gray, lost_mask: Mask, name: str = "picture") -> PreparedGray:
    """The same for a gray target, (H, W) uint8; see `prepare`."""
    planes = np.ascontiguousarray(check_gray(target, name=f"{name}: target"))[None]
    runs = _find_lost(planes, lost_mask, name)
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


@dataclass(frozen=True)
class Pair:
    """One prediction and its ground truth; the fields are the arguments of `score`."""

    name: str
    pred: Rgb
    target: Rgb
    lost_mask: Mask


def score_pairs(loaders: Iterable[Callable[[], Pair]]) -> Iterator[tuple[str, Score]]:
    """Score more pictures than fit in memory: load, score, free, in threads, on all cores.

    Decoding a PNG costs more than scoring it, so the threads call the loaders too. At most two
    pairs a thread are in memory at once. Names and scores come in order.

    Raises:
        ScoreError: The first picture, in order, whose score is undefined.
    """
    return map_in_order(_load_and_score, loaders)


def _load_and_score(load: Callable[[], Pair]) -> tuple[str, Score]:
    pair = load()
    return pair.name, score(**vars(pair))


def _find_lost(planes: Planes, lost_mask: Mask, name: str) -> Runs:
    shape = planes.shape[1:]
    if min(shape) < WINDOW:
        raise ScoreError(
            f"{name}: a picture must be at least {WINDOW} pixels high and wide "
            f"to be scored, but is {shape}"
        )
    runs = find_runs(check_mask(lost_mask, shape=shape, name=f"{name}: lost_mask"))
    lost = int(np.diff(runs, axis=1).sum())
    if lost < WINDOW:
        raise ScoreError(
            f"{name}: at least {WINDOW} pixels must be lost for the masked SSIM, "
            f"but the mask marks {lost}"
        )
    return runs
