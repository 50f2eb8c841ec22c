"""Tune one stage: search, score the best exactly, cross-fit, decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import optuna

from ensemble.blending.candidate import Candidate, Terms, score_exactly
from ensemble.blending.decide.cross_fit import Verdict, choose_step, cross_fit, divide
from ensemble.blending.decide.shortlist import (
    MINIMUM_RISK,
    PLAIN,
    TUNED,
    TUNED_COMPOSITION,
    decode_for_minimum_risk,
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
from ensemble.parallel import Advance, Progress, Say, silent
from ensemble.vocabulary import Stage

FIT_PHOTOGRAPHS = 96
"""Photographs on which every candidate of a shortlist, and of a cross-fitted step, is scored."""

ONE_GROUP = "There is one group of photographs only: nothing can be cross-fitted."
HALVES = (
    "Only one fold is finished: cross-fitting splits its groups in halves and tunes on half the "
    "photographs; train more folds for a better answer."
)
NOT_CROSS_FITTED = (
    "Interrupted before cross-fitting was done: the best so far is kept, but nothing says that it "
    "generalizes; run the same command again."
)


@dataclass(frozen=True)
class Settings:
    """How to tune."""

    trials: int = 200
    sampler: str = "tpe"  # one of `SAMPLERS`
    seed: int = 0  # seed of everything drawn
    jobs: int = 1  # trials at once; with more than one the result is not reproducible
    storage: str | None = None  # where the study is kept, see `open_storage`; None for memory
    force_tuned: bool = False  # keep the tuned blend whatever cross-fitting says
    sample: int = 0  # tune and score on this many photographs; 0 for all
    # whether all members of a stage share one set of views, or each has its own
    views_per: Literal["stage", "member"] = "stage"


@dataclass(frozen=True)
class Tuned:
    """A tuned stage."""

    kept: Candidate  # the blend to use
    kept_name: str  # which of `rows` it is
    # candidates by name: each member alone, the plain means, the tuned ones
    rows: Mapping[str, Candidate]
    terms: Mapping[str, Terms]  # exact terms (N, T) of each of `rows`
    # exact terms (N, T) of each step, tuned without the photograph's part
    cross_fitted: Mapping[str, Terms]
    verdicts: tuple[Verdict, ...]  # one on each step
    found: SearchResult
    study: str  # the name of its study
    image_ids: tuple[str, ...]  # the N photographs
    notes: tuple[str, ...]  # sentences on what is missing or special


def tune(
    evidence: Evidence,
    space: SearchSpace,
    image_ids: Sequence[str],
    settings: Settings,
    *,
    progress: Progress = silent,
    say: Say = lambda _: None,
) -> Tuned:
    """Search, score the best exactly, cross-fit, and decide, on some photographs."""
    ids, stage = tuple(image_ids), evidence.stage
    plan = Plan.for_photographs(len(ids), seed=settings.seed)
    with progress(f"{stage}: collecting statistics", len(ids)) as advance:
        objective = Objective(evidence, space, ids, plan=plan, advance=advance)
    storage = None if settings.storage is None else open_storage(settings.storage, say)
    drawn = f"{evidence.digest} {sorted(ids)}"
    study = open_study(storage, name_study(stage, evidence=drawn, space=space, plan=plan))
    with progress(f"{stage}: trials", settings.trials) as advance:
        found = _search(objective.value, study, space, settings, advance)
    listed = make_shortlist(objective, found)
    if len(ids) > FIT_PHOTOGRAPHS:
        few = [ids[row] for row in _space_out(len(ids))]
        listed = listed.narrow(stage, listed.score(evidence, few))
    with progress(f"{stage}: scoring the best exactly", len(ids)) as advance:
        exact = listed.score(evidence, ids, advance)
    rows = {**listed.baselines, **listed.choose_best(stage, exact)}
    terms = {name: exact[one.key] for name, one in rows.items()}
    fewer = replace(settings, trials=min(found.done, settings.trials))
    crossed, notes = _cross_fit(objective, tuple(listed.steps), fewer, progress)
    groups = [evidence.groups[image_id] for image_id in ids]
    kept_name, verdicts = _decide(stage, terms, crossed, groups, settings)
    if found.missing:
        interruption = (
            f"Interrupted: {found.done} of {found.wanted} trials are done and the best so far is "
            "used; run the same command again for the rest."
        )
        notes = (interruption, *notes)
    return Tuned(
        kept=rows[kept_name],
        kept_name=kept_name,
        rows=rows,
        terms=terms,
        cross_fitted=crossed,
        verdicts=verdicts,
        found=found,
        study=study.study_name,
        image_ids=ids,
        notes=notes,
    )


def _space_out(count: int) -> list[int]:
    """At most `FIT_PHOTOGRAPHS` of 0..count-1, evenly spaced."""
    spaced = np.linspace(0, count - 1, min(FIT_PHOTOGRAPHS, count)).round()
    return [int(place) for place in spaced]


def _search(
    value: Value,
    study: optuna.Study,
    space: SearchSpace,
    settings: Settings,
    advance: Advance = lambda _: None,
) -> SearchResult:
    return search(
        study,
        space,
        value,
        sampler=settings.sampler,
        trials=settings.trials,
        seed=settings.seed,
        jobs=settings.jobs,
        advance=advance,
    )


def _cross_fit(
    objective: Objective, steps: Sequence[str], settings: Settings, progress: Progress
) -> tuple[dict[str, Terms], tuple[str, ...]]:
    """Terms of each step, tuned without the photograph's part; and notes."""
    evidence, ids = objective.evidence, objective.image_ids
    groups = [evidence.groups[image_id] for image_id in ids]
    if len(set(groups)) < 2:
        return {}, (ONE_GROUP,)
    folds = [evidence.folds[image_id] for image_id in ids]
    notes = (HALVES,) if len(set(folds)) == 1 else ()
    parts = divide(folds, groups, seed=settings.seed)
    crossed: dict[str, Terms] = {}
    searched: dict[bytes, SearchResult] = {}
    try:
        for step in steps:
            fit = partial(_fit, objective, step, settings, searched)
            with progress(f"{evidence.stage}: cross-fitting the {step}", len(ids)) as advance:
                crossed[step] = cross_fit(evidence, ids, parts, fit, advance)
    except KeyboardInterrupt:
        return {}, (*notes, NOT_CROSS_FITTED)
    return crossed, notes


def _fit(
    objective: Objective,
    step: str,
    settings: Settings,
    searched: dict[bytes, SearchResult],
    rows: Rows,
) -> Candidate:
    """Tune on some rows only: as on all, but in memory and with fewer exact scores."""
    if step == TUNED_COMPOSITION:
        return rank_compositions(objective, rows)[0]
    key = rows.tobytes()  # two steps want the same search
    if key not in searched:
        value = partial(objective.value, rows=rows)
        searched[key] = _search(value, open_study(None, "cross-fit"), objective.space, settings)
    found = searched[key]
    if found.missing:
        raise KeyboardInterrupt
    if step == MINIMUM_RISK:
        listed = decode_for_minimum_risk(objective.space, [one for one, _ in found.ranked])
    else:
        listed = list_finalists(objective, found, rows)
    ids = [objective.image_ids[rows[place]] for place in _space_out(len(rows))]
    exact = score_exactly(objective.evidence, listed, ids)
    return listed[int(weigh(objective.evidence.stage, exact).mean(axis=1).argmax())]


def _decide(
    stage: Stage,
    terms: Mapping[str, Terms],
    crossed: Mapping[str, Terms],
    groups: Sequence[str],
    settings: Settings,
) -> tuple[str, tuple[Verdict, ...]]:
    if not crossed:
        interrupted = len(set(groups)) > 1
        return (TUNED if interrupted or settings.force_tuned else PLAIN), ()
    kept, verdicts = choose_step(
        stage, terms, crossed, groups=groups, plain=PLAIN, seed=settings.seed
    )
    return (TUNED if settings.force_tuned else kept), verdicts
