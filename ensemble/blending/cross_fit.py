"""Whether a tuned blend generalises: tuned on some groups, scored on the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.candidate import Candidate
from ensemble.blending.evidence import Evidence
from ensemble.blending.exact import Terms, exact_scores
from ensemble.blending.objective import Rows
from ensemble.errors import ConfigError
from ensemble.metric.score import TERMS

RESAMPLES = 2000
ERRORS_NEEDED = 2.0

Fit = Callable[[Rows], Candidate]
"""Tunes on some rows of the photographs and on nothing else."""


@dataclass(frozen=True)
class PairedGain:
    """How much better one blend is than another, photograph by photograph.

    Attributes:
        gain: Mean difference of the score.
        error: Its standard error; photographs of one group count as one observation.
        low: Lower end of the 95 % bootstrap interval over groups.
        high: Its upper end.
        groups: How many groups there are.
    """

    gain: float
    error: float
    low: float
    high: float
    groups: int

    @property
    def convincing(self) -> bool:
        """Whether the gain exceeds two standard errors, and there is more than one group."""
        return self.groups > 1 and self.gain > ERRORS_NEEDED * self.error


def paired_gain(
    differences: NDArray[np.float64], groups: Sequence[str], *, seed: int
) -> PairedGain:
    """Judge paired differences (N,) whose photographs belong to (N,) groups.

    With d_g the sum of (difference - mean) over group g, the clustered standard error is
    sqrt(G / (G - 1) * sum d_g^2) / N. One group alone has no error to speak of: infinity.
    """
    _, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    count = int(codes.max()) + 1
    sizes = np.bincount(codes, minlength=count)
    sums = np.bincount(codes, weights=differences, minlength=count)
    mean = float(differences.mean())
    clustered = sums - sizes * mean
    error = np.inf
    if count > 1:
        variance = count / (count - 1) * float((clustered**2).sum())
        error = float(np.sqrt(variance)) / len(differences)
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return PairedGain(mean, error, float(low), float(high), count)


@dataclass(frozen=True)
class Parts:
    """A division of photographs for cross-fitting; a group lies in one part.

    Attributes:
        rows: The rows of each part.
        halves: Whether they are halves of one fold for want of a second fold.
    """

    rows: tuple[Rows, ...]
    halves: bool


def parts_of(
    image_ids: Sequence[str], folds: Mapping[str, int], groups: Mapping[str, str], *, seed: int
) -> Parts:
    """One part a fold; with one fold only, two halves of its groups.

    Raises:
        ConfigError: There is one group only.
    """
    labels = np.array([folds[image_id] for image_id in image_ids])
    halves = len(np.unique(labels)) == 1
    if halves:
        names = sorted({groups[image_id] for image_id in image_ids})
        if len(names) < 2:
            raise ConfigError(
                "cross-fitting needs two groups of photographs at least, but all "
                f"{len(image_ids)} belong to `{names[0]}`"
            )
        order = np.random.default_rng(seed).permutation(len(names))
        half = {name: int(2 * order[k] >= len(names)) for k, name in enumerate(names)}
        labels = np.array([half[groups[image_id]] for image_id in image_ids])
    rows = tuple(np.flatnonzero(labels == label) for label in np.unique(labels))
    return Parts(rows, halves)


def cross_fitted(
    evidence: Evidence,
    image_ids: Sequence[str],
    parts: Parts,
    fit: Fit,
    *,
    jobs: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Terms:
    """Score every photograph exactly with a blend that was tuned without its part.

    Args:
        evidence: What to read.
        image_ids: N photographs.
        parts: Their division.
        fit: Tunes on rows.
        jobs: joblib's number of jobs, for the exact scores.
        advance: Told 1 for each photograph that is scored.

    Returns:
        (N, T) terms.
    """
    terms = np.zeros((len(image_ids), len(TERMS)))
    every = np.arange(len(image_ids))
    for left_out in parts.rows:
        tuned = fit(np.setdiff1d(every, left_out))
        ids = [image_ids[row] for row in left_out]
        terms[left_out] = exact_scores(evidence, [tuned], ids, jobs=jobs, advance=advance)[0]
    return terms
