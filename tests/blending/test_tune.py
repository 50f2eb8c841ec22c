from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ensemble.blending import evidence as collecting
from ensemble.blending import tune as module
from ensemble.blending.candidate import Candidate, score_exactly
from ensemble.blending.decide.shortlist import (
    MINIMUM_RISK,
    PLAIN,
    SLIDES_PLAIN,
    TUNED,
    TUNED_COMPOSITION,
    Shortlist,
    decode_for_minimum_risk,
    list_finalists,
    make_shortlist,
    rank_compositions,
)
from ensemble.blending.search import SearchResult
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics import objective as estimating
from ensemble.blending.statistics.objective import Objective
from ensemble.blending.statistics.sampling import Plan
from ensemble.blending.tune import Settings, tune
from ensemble.composition.recipe import SLIDES, Composition, StageRecipe
from ensemble.metric.score import weigh

PLAIN_OPTIONS = Composition(hue="none")
SETTINGS = Settings(trials=25)


def space_of(evidence, **options):
    return SearchSpace(views=evidence.views, fixed=PLAIN_OPTIONS, **options)


@pytest.fixture
def tuned(color_evidence):
    evidence = color_evidence()
    space = space_of(evidence, chroma=("mean", "preserving"))
    return evidence, tune(evidence, space, evidence.image_ids, SETTINGS)


def test_what_is_reported_is_exact(tuned):
    evidence, result = tuned
    rows = list(result.rows)
    evidence.scored.clear()
    again = score_exactly(evidence, list(result.rows.values()), evidence.image_ids)
    for name, terms in zip(rows, again, strict=True):
        assert np.array_equal(result.terms[name], terms)


def test_rows_are_members_plain_means_and_each_step(tuned):
    _, result = tuned
    assert list(result.rows) == ["a", "b", "c", SLIDES_PLAIN, PLAIN, TUNED_COMPOSITION, TUNED]


def test_the_tuned_blend_is_no_worse_than_any_baseline(tuned):
    evidence, result = tuned
    score = {n: weigh(evidence.stage, terms).mean() for n, terms in result.terms.items()}
    assert score[TUNED] >= max(score[n] for n in ("a", "b", "c", PLAIN, TUNED_COMPOSITION))


def test_a_step_is_kept_only_where_it_is_convincing(tuned):
    _, result = tuned
    convincing = [judged.name for judged in result.verdicts if judged.cross_fitted.significant]
    assert [judged.name for judged in result.verdicts] == [
        f"the {TUNED_COMPOSITION}",
        f"the {TUNED}",
    ]
    assert result.kept_name == (convincing[-1].removeprefix("the ") if convincing else PLAIN)
    assert result.kept == result.rows[result.kept_name]


def test_minimum_risk_is_a_step_of_its_own_after_the_means(gray_evidence, monkeypatch):
    searches = []
    real = module._search

    def count(*args, **options):
        searches.append(args)
        return real(*args, **options)

    monkeypatch.setattr(module, "_search", count)
    evidence = gray_evidence(count=12)
    space = space_of(evidence, minimum_risk=True)
    result = tune(evidence, space, evidence.image_ids, SETTINGS)
    assert list(result.cross_fitted) == [TUNED, MINIMUM_RISK]
    assert [v.name for v in result.verdicts] == [f"the {TUNED}", f"the {MINIMUM_RISK}"]
    parts = len(set(evidence.folds.values()))
    assert len(searches) == 1 + parts  # both steps are fitted from one search
    plain, ours = result.rows[PLAIN], result.rows[MINIMUM_RISK]
    assert plain.recipe.decode == "mean"
    # Members that are the truth but for noise: their mean is better, and is kept as the step's.
    assert ours == plain or ours.recipe.decode == "minimum-risk"


def test_candidates_of_minimum_risk_have_several_pictures():
    views = {"a": ("identity", "hflip"), **dict.fromkeys("bcd", ("identity",))}
    space = SearchSpace(
        views=views, fixed=PLAIN_OPTIONS, minimum_risk=True, untrained=frozenset("bcd")
    )
    singles = list(space.singles().values())
    listed = decode_for_minimum_risk(space, singles)
    assert {one.recipe.decode for one in listed} == {"minimum-risk"}
    assert all(one.forward_passes > 1 for one in listed)
    weights = [set(one.recipe.weights) for one in listed]
    # `a` alone, all with all views and with one, all but one, those that have not learned with all
    # of their views (here all but `a` too, and listed once).
    assert weights == [{"a"}, *[{*"abcd"}] * 2, *({*"abcd"} - {gone} for gone in "abcd")]
    learned = replace(space, untrained=frozenset("cd"))
    assert set(decode_for_minimum_risk(learned, singles)[-1].recipe.weights) == {*"cd"}
    several = replace(space, untrained=frozenset("ab"))
    last = decode_for_minimum_risk(several, singles)[-1].recipe
    assert last.views == {"a": ("identity", "hflip"), "b": ("identity",)}
    alone = replace(space, untrained=frozenset("d"))
    assert decode_for_minimum_risk(alone, singles) == listed
    assert len({one.key for one in listed}) == len(listed)


def objective_of(evidence, **options):
    ids = evidence.image_ids
    return Objective(
        evidence, space_of(evidence, **options), ids, plan=Plan.for_photographs(len(ids), seed=0)
    )


def test_a_part_is_fitted_to_its_own_photographs(gray_evidence):
    """One member is right about the photographs of one fold, the other about the other's."""
    evidence = gray_evidence(members=("a", "b"))
    for image_id, member, view in evidence.predictions:
        if evidence.folds[image_id] == "ab".index(member):
            evidence.predictions[image_id, member, view] = evidence.subjects[image_id].target
    objective = objective_of(evidence, minimum_risk=True)
    for fold, right in enumerate("ab"):
        rows = np.flatnonzero(np.array(list(evidence.folds.values())) == fold)
        for step in (TUNED, MINIMUM_RISK):
            assert module._fit(objective, step, SETTINGS, {}, rows).recipe.weights == {right: 1.0}


def test_compositions_of_the_mean_are_ranked_on_some_rows(color_evidence):
    evidence = color_evidence()
    objective = objective_of(evidence, chroma=("mean", "preserving"), hue=("none", "score"))
    orders = []
    for rows in (np.arange(4), np.arange(4, 8)):
        ranked = rank_compositions(objective, rows)
        values = [objective.value(one, rows) for one in ranked]
        assert values == sorted(values, reverse=True)
        assert module._fit(objective, TUNED_COMPOSITION, SETTINGS, {}, rows) == ranked[0]
        orders.append([one.key for one in ranked])
    assert orders[0] != orders[1]
    assert len(orders[0]) == 2 * (1 + 11) + 1  # weights of the prior, and the slides' composition
    assert {one.composition.prior_weight for one in ranked} >= {0.0, 0.5, 1.0}


def test_the_best_of_each_composition_is_scored_exactly():
    """Estimates err by more between compositions than within one."""
    space = SearchSpace(views=dict.fromkeys("ab", ("identity",)), hue=("none", "score"))
    a = np.linspace(0.9, 0.1, 13).round(2)
    moved = [
        Candidate(StageRecipe(weights={"a": w, "b": 1 - w}, views=space.views)) for w in a.tolist()
    ]
    unmoved = [replace(one, composition=PLAIN_OPTIONS) for one in moved[:2]]
    ranked = [(one, -float(place)) for place, one in enumerate([*moved, *unmoved])]
    found = SearchResult(tuple(ranked), done=15, wanted=15)
    estimates = SimpleNamespace(
        space=space,
        image_ids=("P",),
        value=lambda one, rows: one.composition.prior_weight - (one.composition.hue == "none"),
    )
    steps = make_shortlist(estimates, found).steps
    best, *others = rank_compositions(estimates, np.arange(1))
    slides = Candidate(space.plain_mean().recipe, SLIDES)
    singles = list(space.singles().values())
    assert steps[TUNED_COMPOSITION] == (best, *others[:7], slides)
    tuned = [*moved[:8], moved[0], unmoved[0], *singles, *steps[TUNED_COMPOSITION]]
    assert steps[TUNED] == tuple(tuned)
    finalists = list_finalists(estimates, found, np.arange(1))
    assert finalists == [*moved[:3], unmoved[0], best]


def test_photographs_are_spaced_out_evenly():
    assert module._space_out(5) == [0, 1, 2, 3, 4]
    few = module._space_out(1000)
    assert (len(few), few[0], few[-1]) == (96, 0, 999)
    assert set(np.diff(few)) == {10, 11}


def test_force_tuned_overrides(color_evidence):
    evidence = color_evidence()
    settings = replace(SETTINGS, force_tuned=True)
    result = tune(evidence, space_of(evidence), evidence.image_ids, settings)
    assert result.kept_name == TUNED


def test_the_same_seed_gives_the_same_bit_for_bit(gray_evidence, tmp_path, monkeypatch):
    results = []
    for threads, storage in ((1, None), (2, str(tmp_path / "study.log"))):
        monkeypatch.setattr(collecting, "count_cores", lambda threads=threads: threads)
        monkeypatch.setattr(estimating, "count_cores", lambda threads=threads: threads)
        evidence, settings = gray_evidence(), replace(SETTINGS, storage=storage)
        results.append(tune(evidence, space_of(evidence), evidence.image_ids, settings))
    first, second = results
    assert first.kept.key == second.kept.key
    assert first.rows[TUNED].key == second.rows[TUNED].key
    for name, terms in first.terms.items():
        assert np.array_equal(terms, second.terms[name])
    for name, terms in first.cross_fitted.items():
        assert np.array_equal(terms, second.cross_fitted[name])


def test_one_fold_is_cross_fitted_in_halves_and_says_so(gray_evidence):
    evidence = gray_evidence(folds=1)
    result = tune(evidence, space_of(evidence), evidence.image_ids, SETTINGS)
    assert "Only one fold is finished: cross-fitting splits its groups in halves" in result.notes[0]
    assert set(result.cross_fitted) == {TUNED}


def test_one_group_keeps_the_plain_mean(gray_evidence):
    evidence = gray_evidence(count=2)
    result = tune(evidence, space_of(evidence), evidence.image_ids, SETTINGS)
    assert result.kept_name == PLAIN
    assert "nothing can be cross-fitted" in result.notes[0]


def test_an_interrupted_search_keeps_the_best_so_far(gray_evidence, monkeypatch):
    evidence, calls = gray_evidence(), []
    real = Objective.value

    def interrupted(self, candidate, rows=None):
        calls.append(rows)
        if len(calls) == 14:
            raise KeyboardInterrupt
        return real(self, candidate, rows)

    monkeypatch.setattr(Objective, "value", interrupted)
    result = tune(evidence, space_of(evidence), evidence.image_ids, SETTINGS)
    assert result.found.missing == 12
    assert "Interrupted: 13 of 25 trials are done and the best so far is used" in result.notes[0]
    assert result.verdicts
    assert max(Counter(rows.tobytes() for rows in calls if rows is not None).values()) < 25


def test_an_interrupted_cross_fit_keeps_the_tuned_blend_and_says_so(gray_evidence, monkeypatch):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "cross_fit", interrupted)
    evidence = gray_evidence()
    result = tune(evidence, space_of(evidence), evidence.image_ids, SETTINGS)
    assert result.kept_name == TUNED
    assert "nothing says that it generalizes" in result.notes[0]


def test_a_shortlist_is_narrowed_to_what_is_not_convincingly_worse():
    space = SearchSpace(views={"a": ("identity",)}, hue=("none", "score"))
    many = [
        Candidate(space.plain_mean().recipe, Composition(prior_weight=w / 10)) for w in range(4)
    ]
    best, noisy, close, worse = many
    listed = Shortlist(space, {TUNED: tuple(many), "alone": (worse,)})
    base = np.random.default_rng(0).uniform(0.3, 0.6, (50, 3))
    swing = np.tile([[0.2], [-0.2]], (25, 1))
    terms = {
        best.key: base,
        noisy.key: base - 0.04 + swing,  # the standard error of the difference is 0.029
        close.key: base - 1e-9 + 1e-7 * swing,
        worse.key: base - 0.001 + 0.01 * swing,  # 0.0003
    }
    narrow = listed.narrow("colorization", terms)
    assert narrow.steps == {TUNED: (best, noisy, close), "alone": (worse,)}
    assert narrow.space is space


def test_the_plain_mean_is_a_steps_best_where_no_candidate_is_better():
    space = SearchSpace(views=dict.fromkeys("ab", ("identity",)))
    plain, single = space.plain_mean(), space.singles()["a"]
    listed = Shortlist(space, {TUNED: (single,)})
    low, high = np.full((5, 3), 0.3), np.full((5, 3), 0.4)
    for best, other in ((plain, single), (single, plain)):
        terms = {best.key: high, other.key: low}
        assert listed.choose_best("restoration", terms) == {TUNED: best}


def test_narrowing_keeps_every_row_and_needs_fewer_scores(color_evidence, monkeypatch):
    options = {"chroma": ("mean", "preserving"), "hue": ("none", "score")}
    results, scored = [], []
    for few in (4, 1000):
        monkeypatch.setattr(module, "FIT_PHOTOGRAPHS", few)
        evidence = color_evidence()
        results.append(tune(evidence, space_of(evidence, **options), evidence.image_ids, SETTINGS))
        scored.append(sum(map(len, evidence.scored.values())))
    narrowed, whole = results
    assert scored[0] < scored[1]
    assert list(narrowed.rows) == list(whole.rows)
    assert np.array_equal(narrowed.terms[PLAIN], whole.terms[PLAIN])
