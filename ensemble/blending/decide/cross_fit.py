"""Cross-fit: tune on some groups, score on the others, and keep only what gains there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.candidate import Candidate, Terms, score_exactly
from ensemble.blending.evidence import Evidence
from ensemble.blending.statistics.objective import Rows
from ensemble.metric.score import TERMS, weigh
from ensemble.parallel import Advance
from ensemble.vocabulary import Stage

RESAMPLES = 2000
ERRORS_NEEDED = 2.0
GROUPS_NEEDED = 10
"""A standard error of fewer groups is itself too uncertain."""

Fit = Callable[[Rows], Candidate]
"""Tunes on some rows of the photographs and on nothing else."""


@dataclass(frozen=True)
class PairedGain:
    """The gain of one blend over another, paired by photographs."""

    gain: float  # mean difference of the score
    error: float  # its standard error; photographs of one group count as one observation
    low: float  # lower end of the 95 % bootstrap interval over groups
    high: float  # its upper end
    groups: int

    @property
    def significant(self) -> bool:
        """Whether the gain exceeds two standard errors, and there are groups enough to tell."""
        return self.groups >= GROUPS_NEEDED and self.gain > ERRORS_NEEDED * self.error


def measure_gain(
    differences: NDArray[np.float64], groups: Sequence[str], *, seed: int
) -> PairedGain:
    """Measure the mean of paired differences (N,) whose photographs belong to (N,) groups.

    With d_g the sum of (difference - mean) over group g, the clustered standard error is
    sqrt(G / (G - 1) * sum d_g^2) / N. With one group it is undefined: infinity.
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


def divide(folds: Sequence[int], groups: Sequence[str], *, seed: int) -> list[Rows]:
    """The rows of each fold; with one fold only, of two halves of its groups."""
    labels = np.asarray(folds)
    if len(np.unique(labels)) == 1:
        names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        order = np.random.default_rng(seed).permutation(len(names))
        labels = (2 * order >= len(names))[codes]
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def cross_fit(
    evidence: Evidence,
    image_ids: Sequence[str],
    parts: Sequence[Rows],
    fit: Fit,
    advance: Advance = lambda _: None,
) -> Terms:
    """Score N photographs exactly with blends tuned without their part of `parts`: (N, T) terms."""
    terms = np.zeros((len(image_ids), len(TERMS)))
    every = np.arange(len(image_ids))
    for left_out in parts:
        tuned = fit(np.setdiff1d(every, left_out))
        ids = [image_ids[row] for row in left_out]
        terms[left_out] = score_exactly(evidence, [tuned], ids, advance)[0]
    return terms


@dataclass(frozen=True)
class Verdict:
    """The comparison of one step of tuning, in and out of sample, with a simpler blend."""

    name: str
    against: str
    in_sample: float
    cross_fitted: PairedGain

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        found = self.cross_fitted
        verb = "Kept" if found.significant else "Did not keep"
        sign = "exceeds" if found.significant else "does not exceed"
        reason = f"which {sign} {ERRORS_NEEDED:g} standard errors"
        if found.groups < GROUPS_NEEDED:
            reason = f"but a verdict needs {GROUPS_NEEDED} groups"
        error = "unknown" if found.groups < 2 else f"{found.error:.4f}"
        return (
            f"{verb} {self.name}: tuned on some groups and scored on the others, it gains "
            f"{found.gain:+z.4f} over {self.against} (standard error {error}, 95 % interval "
            f"{found.low:+z.4f} to {found.high:+z.4f} over {found.groups} groups; in sample "
            f"{self.in_sample:+z.4f}), {reason}."
        )


def choose_step(
    stage: Stage,  # the stage
    # exact terms (N, T), in sample, of the plain blend and of each step
    terms: Mapping[str, Terms],
    crossed: Mapping[str, Terms],  # cross-fitted terms (N, T) of each step, simplest first
    *,
    groups: Sequence[str],  # the group of each of the N photographs
    plain: str,  # the plain blend's name
    seed: int,  # seed of the bootstrap
) -> tuple[str, tuple[Verdict, ...]]:
    """The last step of tuning that gains significantly over the one kept before; the verdicts."""
    kept, baseline, verdicts = plain, weigh(stage, terms[plain]), []
    for step, cross in crossed.items():
        outside = weigh(stage, cross)
        inside = float((weigh(stage, terms[step]) - weigh(stage, terms[kept])).mean())
        gain = measure_gain(outside - baseline, groups, seed=seed)
        verdicts.append(Verdict(f"the {step}", f"the {kept}", inside, gain))
        if gain.significant:
            kept, baseline = step, outside
    return kept, tuple(verdicts)
