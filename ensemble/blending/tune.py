"""Tuning one stage: search, exact scores, cross-fit, verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import optuna

from ensemble.blending.candidate import Candidate
from ensemble.blending.cross_fit import cross_fitted, parts_of
from ensemble.blending.evidence import Evidence
from ensemble.blending.exact import Terms, exact_scores
from ensemble.blending.objective import Objective, Rows
from ensemble.blending.sampling import Plan
from ensemble.blending.search import Found, Value, search
from ensemble.blending.shortlist import (
    OPTIONS,
    PLAIN,
    TUNED,
    Shortlist,
    contenders,
    options_only,
    shortlist,
)
from ensemble.blending.space import SearchSpace
from ensemble.blending.study import open_storage, open_study, study_name
from ensemble.blending.verdict import Judged, climb
from ensemble.metric.score import weigh
from ensemble.parallel import Advance, Progress, count_cores, silent

FIT_PHOTOGRAPHS = 96
"""Most photographs on which a cross-fitted step scores its contenders exactly."""


@dataclass(frozen=True)
class Settings:
    """How to tune.

    Attributes:
        trials: Trials of the study.
        sampler: One of `STRATEGIES`.
        seed: Seed of everything drawn.
        jobs: joblib jobs that run trials; more than one gives up reproducibility.
        threads: joblib jobs that collect and score; changes no result.
        storage: Where the study is kept, see `open_storage`; None for memory.
        force_tuned: Keep the tuned blend whatever cross-fitting says.
        plan: How much of each photograph the search reads; None for `Plan.for_photographs`.
    """

    trials: int = 200
    sampler: str = "tpe"
    seed: int = 0
    jobs: int = 1
    threads: int = field(default_factory=count_cores)
    storage: str | None = None
    force_tuned: bool = False
    plan: Plan | None = None


@dataclass(frozen=True)
class Tuned:
    """A tuned stage, with all the evidence.

    Attributes:
        kept: The blend to use.
        kept_name: Which of `rows` it is.
        rows: Candidates by name: each member alone, the plain means, the tuned ones.
        terms: Exact terms (N, T) of each of `rows`.
        cross_fitted: Exact terms (N, T) of each step, tuned without the photograph's part.
        judged: The verdict on each step.
        found: What the search did.
        image_ids: The N photographs.
        notes: What is missing or special, one sentence each.
    """

    kept: Candidate
    kept_name: str
    rows: Mapping[str, Candidate]
    terms: Mapping[str, Terms]
    cross_fitted: Mapping[str, Terms]
    judged: tuple[Judged, ...]
    found: Found
    image_ids: tuple[str, ...]
    notes: tuple[str, ...]


def tune(
    evidence: Evidence,
    space: SearchSpace,
    image_ids: Sequence[str],
    settings: Settings,
    *,
    progress: Progress = silent,
) -> Tuned:
    """Search, score the best exactly, cross-fit, and decide.

    Args:
        evidence: What to read.
        space: Where to look.
        image_ids: Which photographs.
        settings: How.
        progress: Makes a progress bar from words and a total.
    """
    task = _Task(evidence, space, tuple(image_ids), settings, progress)
    objective = task.collect()
    found = task.search(objective)
    listed = shortlist(objective, found)
    exact = task.score(listed)
    rows = {**listed.baselines, **listed.best(evidence.stage, exact)}
    terms = {name: exact[one.key] for name, one in rows.items()}
    crossed, notes = task.cross_fit(objective, tuple(listed.steps), trials=found.done)
    kept_name, judged = task.decide(terms, crossed)
    notes = (*_interruption(found), *notes)
    return Tuned(
        rows[kept_name], kept_name, rows, terms, crossed, judged, found, task.image_ids, notes
    )


@dataclass(frozen=True, eq=False)
class _Task:
    """One stage's tuning, step by step."""

    evidence: Evidence
    space: SearchSpace
    image_ids: tuple[str, ...]
    settings: Settings
    progress: Progress

    @cached_property
    def plan(self) -> Plan:
        chosen = Plan.for_photographs(len(self.image_ids), seed=self.settings.seed)
        return self.settings.plan or chosen

    def collect(self) -> Objective:
        with self._bar("collecting statistics", len(self.image_ids)) as advance:
            return Objective(
                self.evidence,
                self.space,
                self.image_ids,
                plan=self.plan,
                jobs=self.settings.threads,
                advance=advance,
            )

    def search(self, objective: Objective) -> Found:
        settings, evidence = self.settings, self.evidence
        storage = None if settings.storage is None else open_storage(settings.storage)
        drawn = f"{evidence.digest} {sorted(self.image_ids)}"
        name = study_name(evidence.stage, evidence=drawn, space=self.space, plan=self.plan)
        with self._bar("trials", settings.trials) as advance:
            study = open_study(storage, name)
            return self._search(study, objective.value, advance, settings.trials)

    def score(self, listed: Shortlist) -> dict[str, Terms]:
        """Exact terms of everything listed, by key."""
        with self._bar("scoring the best exactly", len(self.image_ids)) as advance:
            terms = exact_scores(
                self.evidence,
                list(listed.candidates.values()),
                self.image_ids,
                jobs=self.settings.threads,
                advance=advance,
            )
        return dict(zip(listed.candidates, terms, strict=True))

    def cross_fit(
        self, objective: Objective, steps: Sequence[str], *, trials: int
    ) -> tuple[dict[str, Terms], tuple[str, ...]]:
        """Terms of each step, tuned without the photograph's part by as many trials; and notes."""
        if len(self._groups_there) < 2:
            return {}, ("There is one group of photographs only: nothing can be cross-fitted.",)
        parts = parts_of(
            self.image_ids, self.evidence.folds, self.evidence.groups, seed=self.settings.seed
        )
        notes = (_HALVES,) if parts.halves else ()
        crossed = {}
        try:
            for step in steps:
                with self._bar(f"cross-fitting the {step}", len(self.image_ids)) as advance:
                    crossed[step] = cross_fitted(
                        self.evidence,
                        self.image_ids,
                        parts,
                        partial(self._fit, objective, step, min(trials, self.settings.trials)),
                        jobs=self.settings.threads,
                        advance=advance,
                    )
        except KeyboardInterrupt:
            return {}, (*notes, _NOT_CROSS_FITTED)
        return crossed, notes

    def decide(
        self, terms: Mapping[str, Terms], crossed: Mapping[str, Terms]
    ) -> tuple[str, tuple[Judged, ...]]:
        if not crossed and len(self._groups_there) < 2:
            return (TUNED if self.settings.force_tuned else PLAIN), ()
        if not crossed:
            return TUNED, ()
        kept, judged = climb(
            self.evidence.stage,
            terms,
            crossed,
            groups=[self.evidence.groups[image_id] for image_id in self.image_ids],
            plain=PLAIN,
            seed=self.settings.seed,
        )
        return (TUNED if self.settings.force_tuned else kept), judged

    @property
    def _groups_there(self) -> set[str]:
        return {self.evidence.groups[image_id] for image_id in self.image_ids}

    def _fit(self, objective: Objective, step: str, trials: int, rows: Rows) -> Candidate:
        """Tune on some rows only: as on all, but in memory and with fewer exact scores."""
        if step == OPTIONS:
            return options_only(objective, rows)[0]
        value = partial(objective.value, rows=rows)
        study = open_study(None, "cross-fit")
        found = self._search(study, value, lambda _count: None, trials)
        if found.missing:
            raise KeyboardInterrupt
        listed = contenders(objective, found, rows)
        spaced = np.linspace(0, len(rows) - 1, min(FIT_PHOTOGRAPHS, len(rows))).round()
        ids = [self.image_ids[row] for row in rows[np.unique(spaced.astype(np.int64))]]
        exact = exact_scores(self.evidence, listed, ids, jobs=self.settings.threads)
        return listed[int(weigh(self.evidence.stage, exact).mean(axis=1).argmax())]

    def _search(self, study: optuna.Study, value: Value, advance: Advance, trials: int) -> Found:
        settings = self.settings
        return search(
            study,
            self.space,
            value,
            sampler=settings.sampler,
            trials=trials,
            seed=settings.seed,
            jobs=settings.jobs,
            advance=advance,
        )

    def _bar(self, what: str, count: int) -> AbstractContextManager[Advance]:
        return self.progress(f"{self.evidence.stage}: {what}", count)


_HALVES = (
    "Only one fold is finished: cross-fitting splits its groups in halves and tunes on half the "
    "photographs; train more folds for a better answer."
)
_NOT_CROSS_FITTED = (
    "Interrupted before cross-fitting was done: the best so far is kept, but nothing says that it "
    "generalises; run the same command again."
)


def _interruption(found: Found) -> tuple[str, ...]:
    if not found.missing:
        return ()
    return (
        f"Interrupted: {found.done} of {found.wanted} trials are done and the best so far is "
        "used; run the same command again for the rest.",
    )
