"""The fast objective: what a candidate would score, from statistics collected once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from ensemble.blending.candidate import Candidate, Subject
from ensemble.blending.evidence import Evidence
from ensemble.blending.exact import Terms, exact_scores
from ensemble.blending.moments import PhotoMoments, Settle, photo_moments, wanted_hue
from ensemble.blending.sampling import Indices, Plan
from ensemble.blending.space import SearchSpace
from ensemble.composition.hue_target import hue_histogram
from ensemble.composition.luma import lock_luma
from ensemble.composition.recipe import Composition, StageRecipe
from ensemble.metric.score import TERMS, weigh
from ensemble.parallel import count_cores
from ensemble.vocabulary import View

CALIBRATED = 48
FULL_RANGE = 255.0
KEPT = 64

ESTIMATED = {"prior_weight"}
"""Options whose effect is estimated anew in every trial, see `wanted_hue`, so never calibrated."""

Rows = NDArray[np.int64]


class Objective:
    """Estimates of candidates on some photographs; a trial touches no picture.

    The statistics describe a linear blend of settled member-views (pasted back, or luma-locked).
    What composition does beyond that is calibrated: for each combination of options, the plain
    mean is composed and scored exactly on a few photographs, and the mean difference to its
    estimate is added to every estimate with these options. Hue transport is done once for all
    trials in that way: it hardly changes either SSIM, and its hue term is that of the wanted
    histogram.

    Args:
        evidence: What to read.
        space: What will be asked for.
        image_ids: The photographs.
        plan: How much of each to read.
        jobs: Threads, for collecting and for estimating; -1 for all cores.
        advance: Told 1 for each photograph that is collected.
    """

    def __init__(
        self,
        evidence: Evidence,
        space: SearchSpace,
        image_ids: Sequence[str],
        *,
        plan: Plan,
        jobs: int = 1,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.evidence, self.space, self.image_ids = evidence, space, tuple(image_ids)
        self.jobs = jobs if jobs > 0 else count_cores()
        self.terms = [(m, v) for m in space.members for v in space.views[m]]
        self.drawn = [(m, v) for m, v in self.terms if m not in space.voters]
        self.moments = self._collect(plan, advance)
        self._kept: dict[tuple[object, ...], Terms] = {}
        every = np.linspace(0, len(image_ids) - 1, min(CALIBRATED, len(image_ids)))
        self._calibrated = np.unique(every.round().astype(np.int64))
        self._residuals = self._calibrate()

    def estimate(self, candidate: Candidate, rows: Rows) -> Terms:
        """(n, T) estimated terms of some rows of `image_ids`, not calibrated."""
        shares = _shares(candidate.recipe)
        options = candidate.composition
        drawn = np.array([shares.get(term, 0.0) for term in self.drawn])
        weights = (drawn / drawn.sum()).tolist()
        terms = self._blended(weights, rows, full=options.data_range == "full").copy()
        if options.hue != "none":
            votes = [shares.get(term, 0.0) for term in self.terms]
            terms[:, TERMS.index("hue")] = wanted_hue(
                self._products[rows], votes, options.prior_weight
            )
        return terms

    def value(self, candidate: Candidate, rows: Rows | None = None) -> float:
        """The estimated mean score over all photographs, or over some rows of `image_ids`."""
        kept = np.arange(len(self.image_ids)) if rows is None else rows
        estimated = self.estimate(candidate, kept).mean(axis=0)
        residual = self._residual(candidate.composition, kept)
        return float(weigh(self.evidence.stage, estimated + residual))

    def _residual(self, options: Composition, rows: Rows) -> Terms:
        residuals = self._residuals.get(_key(options))
        if residuals is None:
            return np.zeros(len(TERMS))
        within = np.isin(self._calibrated, rows)
        return np.asarray(
            residuals[within].mean(axis=0) if within.any() else residuals.mean(axis=0)
        )

    def _blended(self, weights: list[float], rows: Rows, *, full: bool) -> Terms:
        """Terms of a linear blend; kept for a while, for many options share one."""
        filled = full and self.evidence.stage == "colorization"
        key = (tuple(weights), rows.tobytes(), filled)
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = self._estimated(weights, rows, FULL_RANGE if filled else None)
        return self._kept[key]

    def _estimated(self, weights: list[float], rows: Rows, pred_range: float | None) -> Terms:
        estimate = partial(_estimate_all, weights=weights, pred_range=pred_range)
        moments = [self.moments[row] for row in rows]
        if self.jobs == 1:
            return estimate(moments)
        size = -(-len(moments) // self.jobs)
        parts = [moments[start : start + size] for start in range(0, len(moments), size)]
        return np.concatenate(list(self._pool.map(estimate, parts)))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.jobs)

    @cached_property
    def _products(self) -> NDArray[np.float64]:
        return np.stack([photo.hue_products for photo in self.moments])

    def _collect(self, plan: Plan, advance: Callable[[int], None]) -> list[PhotoMoments]:
        def one(image_id: str) -> PhotoMoments:
            collected = self._photo(plan, image_id)
            advance(1)
            return collected

        parallel = joblib.Parallel(n_jobs=self.jobs, prefer="threads")
        return list(parallel(joblib.delayed(one)(image_id) for image_id in self.image_ids))

    def _photo(self, plan: Plan, image_id: str) -> PhotoMoments:
        subject, read = self.evidence.subject(image_id), self.evidence.reader(image_id)
        pictures = np.stack([read(member, view) for member, view in self.drawn])
        settle, free = settling(self.evidence.stage, subject, self.space.fixed)
        return photo_moments(
            plan,
            image_id=image_id,
            target=subject.target,
            pictures=pictures,
            lost_mask=subject.lost_mask,
            free=free,
            settle=settle,
            hue_gray=subject.gray if self._locks else None,
            votes=self._votes(read) if self._wants_hue else None,
            prior=subject.prior,
        )

    @property
    def _locks(self) -> bool:
        return self.evidence.stage == "colorization" and self.space.fixed.luma_lock

    @property
    def _wants_hue(self) -> bool:
        hues = {options.hue for options in self.space.compositions()}
        return self.evidence.stage == "colorization" and hues != {"none"}

    def _votes(self, read: Callable[[str, View], NDArray[Any]]) -> NDArray[np.float64]:
        said = [read(member, view) for member, view in self.terms]
        return np.stack([one if one.ndim == 1 else hue_histogram(one) for one in said])

    def _calibrate(self) -> dict[str, Terms]:
        """By options, (n, T) exact less estimated terms of the plain mean."""
        if self.evidence.stage == "restoration":
            return {}
        mean = self.space.plain_mean().recipe
        anchors = [Candidate(mean, options) for options in self.space.every_composition()]
        ids = [self.image_ids[row] for row in self._calibrated]
        exact = exact_scores(self.evidence, anchors, ids, jobs=self.jobs)
        estimated = [self.estimate(anchor, self._calibrated) for anchor in anchors]
        pairs = zip(anchors, exact, estimated, strict=True)
        return {_key(a.composition): found - guess for a, found, guess in pairs}


def settling(
    stage: str, subject: Subject, options: Composition
) -> tuple[Settle | None, NDArray[np.bool_] | None]:
    """What composition does to each pixel of a member-view, and where these can still differ.

    Returns:
        The function for `photo_moments`, and the mask of the pixels that are free.
    """
    gray, located = subject.gray.ravel(), subject.located.ravel()
    if stage == "restoration" and options.paste_back:

        def paste(pixels: NDArray[np.uint8], at: Indices) -> NDArray[np.uint8]:
            return np.where(located[at], pixels, gray[at])

        return paste, subject.located
    if stage == "colorization" and options.luma_lock:

        def lock(pixels: NDArray[np.uint8], at: Indices) -> NDArray[np.uint8]:
            return lock_luma(rgb=pixels, gray=np.broadcast_to(gray[at], pixels.shape[:2]))

        return lock, None
    return None, None


def _estimate_all(
    moments: Sequence[PhotoMoments], *, weights: list[float], pred_range: float | None
) -> Terms:
    return np.array([photo.estimate(weights, pred_range) for photo in moments])


def _shares(recipe: StageRecipe) -> dict[tuple[str, View], float]:
    return {(member, view): weight for member, view, weight in recipe.terms()}


def _key(options: Composition) -> str:
    """Which calibration an estimate needs: that of all options, but those in `ESTIMATED`."""
    return options.model_dump_json(exclude=ESTIMATED)
