"""The objective of a search: estimated scores of candidates, from statistics collected once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.candidate import Candidate, Terms, score_exactly
from ensemble.blending.evidence import Evidence, Subject, map_photographs
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics.moments import (
    PhotoMoments,
    Precompose,
    collect_moments,
    estimate_moved_hue,
)
from ensemble.blending.statistics.sampling import Indices, Plan
from ensemble.composition.hue_target import hue_histogram
from ensemble.composition.luma import lock_luma
from ensemble.composition.recipe import Composition
from ensemble.metric.score import TERMS, weigh
from ensemble.parallel import Advance, count_cores, split_in_batches
from ensemble.vocabulary import View

CALIBRATED = 48
FULL_RANGE = 255.0
KEPT = 64

ESTIMATED = {"prior_weight"}
"""Options that every trial estimates, see `estimate_moved_hue`, so that none is calibrated."""

Rows = NDArray[np.int64]


class Objective:
    """Estimated scores of candidates on some photographs; a trial reads no picture.

    The statistics describe a linear blend of member-views that are pasted back, or luma-locked,
    before the blend. The rest of composition is calibrated: for each combination of options, the
    plain mean is composed and scored exactly on a few photographs, and the mean difference from its
    estimate is added to every estimate with these options. So hue transport is done once for all
    trials. It hardly changes either SSIM, and its hue term is close to that of the wanted
    histogram.
    """

    def __init__(
        self,
        evidence: Evidence,
        space: SearchSpace,
        image_ids: Sequence[str],
        *,
        plan: Plan,
        advance: Advance = lambda _: None,
    ) -> None:
        self.evidence, self.space, self.image_ids = evidence, space, tuple(image_ids)
        self.terms = [(m, v) for m in space.members for v in space.views[m]]
        self.drawn = [(m, v) for m, v in self.terms if m not in space.histogram_members]
        self.moments = map_photographs(partial(self._collect, plan), self.image_ids, advance)
        self._kept: dict[tuple[object, ...], Terms] = {}
        every = np.linspace(0, len(image_ids) - 1, min(CALIBRATED, len(image_ids)))
        self._calibrated = np.unique(every.round().astype(np.int64))
        self._residuals = self._calibrate()

    def estimate(self, candidate: Candidate, rows: Rows) -> Terms:
        """(n, T) estimated terms of some rows of `image_ids`, not calibrated."""
        shares = {(m, v): weight for m, v, weight in candidate.recipe.terms()}
        options = candidate.composition
        drawn = np.array([shares.get(term, 0.0) for term in self.drawn])
        weights = (drawn / drawn.sum()).tolist()
        terms = self._estimate_blend(weights, rows, full=options.data_range == "full").copy()
        if options.hue != "none":
            every = [shares.get(term, 0.0) for term in self.terms]
            terms[:, TERMS.index("hue")] = estimate_moved_hue(
                self._products[rows], every, options.prior_weight
            )
        return terms

    def value(self, candidate: Candidate, rows: Rows | None = None) -> float:
        """The estimated mean score over all photographs, or over some rows of `image_ids`."""
        kept = np.arange(len(self.image_ids)) if rows is None else rows
        estimated = self.estimate(candidate, kept).mean(axis=0)
        residual = self._residual(candidate.composition, kept)
        return float(weigh(self.evidence.stage, estimated + residual))

    def _residual(self, options: Composition, rows: Rows) -> Terms:
        residuals = self._residuals.get(_calibration_key(options))
        within = np.isin(self._calibrated, rows)
        if residuals is None or not within.any():  # nothing of other photographs is used
            return np.zeros(len(TERMS))
        return np.asarray(residuals[within].mean(axis=0))

    def _estimate_blend(self, weights: list[float], rows: Rows, *, full: bool) -> Terms:
        """Terms of a linear blend; cached, because many options share one."""
        filled = full and self.evidence.stage == "colorization"
        key = (tuple(weights), rows.tobytes(), filled)
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = self._estimate_rows(weights, rows, FULL_RANGE if filled else None)
        return self._kept[key]

    def _estimate_rows(self, weights: list[float], rows: Rows, pred_range: float | None) -> Terms:
        given = np.array(weights, dtype=np.float32)

        def estimate(moments: Sequence[PhotoMoments]) -> Terms:
            return np.array([photo.estimate(given, pred_range) for photo in moments])

        moments = [self.moments[row] for row in rows]
        # A gray estimate takes 10 microseconds, most of them under Python's lock.
        if self.evidence.stage == "restoration":
            return estimate(moments)
        parts = split_in_batches(moments, -(-len(moments) // count_cores()))
        return np.concatenate(list(self._pool.map(estimate, parts)))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(count_cores())

    @cached_property
    def _products(self) -> NDArray[np.float64]:
        return np.stack([photo.hue_products for photo in self.moments])

    def _collect(self, plan: Plan, image_id: str) -> PhotoMoments:
        subject, read = self.evidence.subject(image_id), self.evidence.reader(image_id)
        precompose, free = _make_precompose(self.evidence.stage, subject, self.space.fixed)
        color = self.evidence.stage == "colorization"
        moved = any(options.hue != "none" for options in self.space.compositions())
        return collect_moments(
            plan,
            image_id=image_id,
            target=subject.target,
            pictures=np.stack([read(member, view) for member, view in self.drawn]),
            lost_mask=subject.lost_mask,
            free=free,
            precompose=precompose,
            hue_gray=subject.gray if color and self.space.fixed.luma_lock else None,
            histograms=self._count_hues(read) if color and moved else None,
            prior=subject.prior,
        )

    def _count_hues(self, read: Callable[[str, View], NDArray[Any]]) -> NDArray[np.float64]:
        predictions = [read(member, view) for member, view in self.terms]
        return np.stack([one if one.ndim == 1 else hue_histogram(one) for one in predictions])

    def _calibrate(self) -> dict[str, Terms]:
        """By options, (n, T) exact less estimated terms of the plain mean."""
        if self.evidence.stage == "restoration":
            return {}
        mean = self.space.plain_mean().recipe
        anchors = [Candidate(mean, options) for options in self.space.every_composition()]
        ids = [self.image_ids[row] for row in self._calibrated]
        exact = score_exactly(self.evidence, anchors, ids)
        return {
            _calibration_key(one.composition): terms - self.estimate(one, self._calibrated)
            for one, terms in zip(anchors, exact, strict=True)
        }


def _make_precompose(
    stage: str, subject: Subject, options: Composition
) -> tuple[Precompose | None, NDArray[np.bool_] | None]:
    """The part of composition that acts on each pixel of a member-view, and the free pixels."""
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


def _calibration_key(options: Composition) -> str:
    return options.model_dump_json(exclude=ESTIMATED)
