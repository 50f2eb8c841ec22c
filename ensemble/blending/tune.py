"""Tune one stage: search, score the best exactly, cross-fit, decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Literal

import numpy as np
import optuna

from ensemble.blending.candidate import Candidate, Terms, score_exactly
from ensemble.blending.decide.cross_fit import Verdict, choose_step, cross_fit, divide
from ensemble.blending.decide.shortlist import (
    PLAIN,
    TUNED,
    TUNED_COMPOSITION,
    Shortlist,
    list_finalists,
    make_shortlist,
    rank_compositions,
)
from ensemble.blending.evidence import Evidence
from ensemble.blending.search import (
    SearchResult,
    Value,
    name_study,
    open_storage,
    open_study,
    search,
)
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics.objective import Objective, Rows
from ensemble.blending.statistics.sampling import Plan
from ensemble.metric.score import weigh
from ensemble.parallel import Advance, Progress, count_cores, silent

FIT_PHOTOGRAPHS = 96
"""Most photographs on which a cross-fitted step scores its finalists exactly."""

ONE_GROUP = "There is one group of photographs only: nothing can be cross-fitted."
HALVES = (
    "Only one fold is finished: cross-fitting splits its groups in halves and tunes on half the "
    "photographs; train more folds for a better answer."
)
NOT_CROSS_FITTED = (
    "Interrupted before cross-fitting was done: the best so far is kept, but nothing says that it "
    "generalises; run the same command again."
)


@dataclass(frozen=True)
class Settings:
    """How to tune.

    Attributes:
        trials: Trials of the study.
        sampler: One of `SAMPLERS`.
        seed: Seed of everything drawn.
        jobs: joblib jobs that run trials; with more than one the result is not reproducible.
        threads: joblib jobs that collect and score; changes no result.
        storage: Where the study is kept, see `open_storage`; None for memory.
        force_tuned: Keep the tuned blend whatever cross-fitting says.
        sample: Tune and score on this many photographs; 0 for all.
        views_per: Whether all members of a stage share one set of views, or each has its own.
    """

    trials: int = 200
    sampler: str = "tpe"
    seed: int = 0
    jobs: int = 1
    threads: int = field(default_factory=count_cores)
    storage: str | None = None
    force_tuned: bool = False
    sample: int = 0
    views_per: Literal["stage", "member"] = "stage"


@dataclass(frozen=True)
class Tuned:
    """A tuned stage.

    Attributes:
        kept: The blend to use.
        kept_name: Which of `rows` it is.
        rows: Candidates by name: each member alone, the plain means, the tuned ones.
        terms: Exact terms (N, T) of each of `rows`.
        cross_fitted: Exact terms (N, T) of each step, tuned without the photograph's part.
        verdicts: The verdict on each step.
        found: The search.
        image_ids: The N photographs.
        notes: Sentences on what is missing or special.
    """

    kept: Candidate
    kept_name: str
    rows: Mapping[str, Candidate]
    terms: Mapping[str, Terms]
    cross_fitted: Mapping[str, Terms]
    verdicts: tuple[Verdict, ...]
    found: SearchResult
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
        evidence: Predictions and targets.
        space: The candidates.
        image_ids: Which photographs.
        settings: How.
        progress: Opens a progress bar.
    """
    task = _Task(evidence, space, tuple(image_ids), settings, progress)
    objective = task.collect()
    found = task.search(objective)
    listed = make_shortlist(objective, found)
    exact = task.score(listed)
    rows = {**listed.baselines, **listed.choose_best(evidence.stage, exact)}
    terms = {name: exact[one.key] for name, one in rows.items()}
    crossed, notes = task.cross_fit(objective, tuple(listed.steps), trials=found.done)
    kept_name, verdicts = task.decide(terms, crossed)
    if found.missing:
        interruption = (
            f"Interrupted: {found.done} of {found.wanted} trials are done and the best so far is "
            "used; run the same command again for the rest."
        )
        notes = (interruption, *notes)
    return Tuned(
        rows[kept_name], kept_name, rows, terms, crossed, verdicts, found, task.image_ids, notes
    )


@dataclass(frozen=True, eq=False)
class _Task:
    """The steps of `tune`."""

    evidence: Evidence
    space: SearchSpace
    image_ids: tuple[str, ...]
    settings: Settings
    progress: Progress

    @cached_property
    def plan(self) -> Plan:
        return Plan.for_photographs(len(self.image_ids), seed=self.settings.seed)

    @cached_property
    def groups(self) -> list[str]:
        return [self.evidence.groups[image_id] for image_id in self.image_ids]

    def collect(self) -> Objective:
        with self._open_bar("collecting statistics", len(self.image_ids)) as advance:
            return Objective(
                self.evidence,
                self.space,
                self.image_ids,
                plan=self.plan,
                jobs=self.settings.threads,
                advance=advance,
            )

    def search(self, objective: Objective) -> SearchResult:
        settings, evidence = self.settings, self.evidence
        storage = None if settings.storage is None else open_storage(settings.storage)
        drawn = f"{evidence.digest} {sorted(self.image_ids)}"
        name = name_study(evidence.stage, evidence=drawn, space=self.space, plan=self.plan)
        with self._open_bar("trials", settings.trials) as advance:
            study = open_study(storage, name)
            return self._run_trials(study, objective.value, settings.trials, advance)

    def score(self, listed: Shortlist) -> dict[str, Terms]:
        """Exact terms of everything listed, by key."""
        candidates, settings = listed.candidates, self.settings
        with self._open_bar("scoring the best exactly", len(self.image_ids)) as advance:
            terms = score_exactly(
                self.evidence,
                list(candidates.values()),
                self.image_ids,
                jobs=settings.threads,
                advance=advance,
            )
        return dict(zip(candidates, terms, strict=True))

    def cross_fit(
        self, objective: Objective, steps: Sequence[str], *, trials: int
    ) -> tuple[dict[str, Terms], tuple[str, ...]]:
        """Terms of each step, tuned without the photograph's part by as many trials; and notes."""
        if len(set(self.groups)) < 2:
            return {}, (ONE_GROUP,)
        folds = [self.evidence.folds[image_id] for image_id in self.image_ids]
        notes = (HALVES,) if len(set(folds)) == 1 else ()
        parts = divide(folds, self.groups, seed=self.settings.seed)
        crossed = {}
        try:
            for step in steps:
                with self._open_bar(f"cross-fitting the {step}", len(self.image_ids)) as advance:
                    crossed[step] = cross_fit(
                        self.evidence,
                        self.image_ids,
                        parts,
                        partial(self._fit, objective, step, min(trials, self.settings.trials)),
                        jobs=self.settings.threads,
                        advance=advance,
                    )
        except KeyboardInterrupt:
            return {}, (*notes, NOT_CROSS_FITTED)
        return crossed, notes

    def decide(
        self, terms: Mapping[str, Terms], crossed: Mapping[str, Terms]
    ) -> tuple[str, tuple[Verdict, ...]]:
        if not crossed:
            interrupted = len(set(self.groups)) > 1
            return (TUNED if interrupted or self.settings.force_tuned else PLAIN), ()
        kept, verdicts = choose_step(
            self.evidence.stage,
            terms,
            crossed,
            groups=self.groups,
            plain=PLAIN,
            seed=self.settings.seed,
        )
        return (TUNED if self.settings.force_tuned else kept), verdicts

    def _fit(self, objective: Objective, step: str, trials: int, rows: Rows) -> Candidate:
        """Tune on some rows only: as on all, but in memory and with fewer exact scores."""
        if step == TUNED_COMPOSITION:
            return rank_compositions(objective, rows)[0]
        value = partial(objective.value, rows=rows)
        found = self._run_trials(open_study(None, "cross-fit"), value, trials)
        if found.missing:
            raise KeyboardInterrupt
        listed = list_finalists(objective, found, rows)
        spaced = np.linspace(0, len(rows) - 1, min(FIT_PHOTOGRAPHS, len(rows))).round()
        ids = [self.image_ids[row] for row in rows[np.unique(spaced.astype(np.int64))]]
        exact = score_exactly(self.evidence, listed, ids, jobs=self.settings.threads)
        return listed[int(weigh(self.evidence.stage, exact).mean(axis=1).argmax())]

    def _run_trials(
        self, study: optuna.Study, value: Value, trials: int, advance: Advance = lambda _: None
    ) -> SearchResult:
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

    def _open_bar(self, what: str, count: int) -> AbstractContextManager[Advance]:
        return self.progress(f"{self.evidence.stage}: {what}", count)
