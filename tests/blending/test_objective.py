from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from ensemble.blending import evidence as collecting
from ensemble.blending.candidate import score_exactly
from ensemble.blending.samplers import draw_params
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics import objective as estimating
from ensemble.blending.statistics.objective import Objective
from ensemble.blending.statistics.sampling import Plan
from ensemble.composition.recipe import SLIDES, Composition
from ensemble.metric.score import weigh


def compared(evidence, space, count=30):
    """Estimated and exact mean scores of random candidates."""
    objective = Objective(evidence, space, evidence.image_ids, plan=Plan())
    rng = np.random.default_rng(0)
    candidates = [space.decode(draw_params(space, rng)) for _ in range(count)]
    exact = weigh(evidence.stage, score_exactly(evidence, candidates, evidence.image_ids))
    return np.array([objective.value(one) for one in candidates]), exact.mean(axis=1)


def test_it_ranks_restorations_as_the_exact_score_does(gray_evidence):
    evidence = gray_evidence()
    space = SearchSpace(views=evidence.views, fixed=Composition(hue="none"))
    estimated, exact = compared(evidence, space)
    assert spearmanr(estimated, exact)[0] > 0.99
    assert np.abs(estimated - exact - (estimated - exact).mean()).max() < 0.005


@pytest.mark.parametrize("fixed", [SLIDES, Composition(hue="none")])
def test_it_ranks_colorizations_as_the_exact_score_does(color_evidence, fixed):
    evidence = color_evidence()
    estimated, exact = compared(evidence, SearchSpace(views=evidence.views, fixed=fixed))
    assert spearmanr(estimated, exact)[0] > 0.97
    assert np.abs(estimated - exact - (estimated - exact).mean()).max() < 0.01


def test_it_is_exact_for_the_plain_mean_it_was_calibrated_on(color_evidence):
    evidence = color_evidence()
    space = SearchSpace(
        views=evidence.views, chroma=("mean", "median", "preserving"), hue=("none", "score")
    )
    objective = Objective(evidence, space, evidence.image_ids, plan=Plan())
    mean = space.plain_mean()
    for options in space.compositions():
        one = type(mean)(mean.recipe, options)
        exact = weigh(evidence.stage, score_exactly(evidence, [one], evidence.image_ids)).mean()
        assert objective.value(one) == pytest.approx(exact, abs=1e-12)


def test_rows_are_all_that_is_read_of_it(gray_evidence):
    evidence = gray_evidence()
    space = SearchSpace(views=evidence.views, fixed=Composition(hue="none"))
    whole = Objective(evidence, space, evidence.image_ids, plan=Plan())
    some = Objective(evidence, space, evidence.image_ids[2:5], plan=Plan())
    one = space.plain_mean()
    assert whole.value(one, np.array([2, 3, 4])) == some.value(one)


def test_a_calibration_on_other_photographs_is_not_used(color_evidence, monkeypatch):
    monkeypatch.setattr(estimating, "CALIBRATED", 1)  # the first photograph
    evidence = color_evidence()
    space = SearchSpace(views=evidence.views, chroma=("mean", "median"), hue=("none", "score"))
    objective = Objective(evidence, space, evidence.image_ids, plan=Plan())
    mean, others = space.plain_mean(), np.arange(1, len(evidence.image_ids))
    due = objective.estimate(mean, others).mean(axis=0)
    assert objective.value(mean, others) == pytest.approx(float(weigh(evidence.stage, due)))
    every = np.arange(len(evidence.image_ids))
    due = objective.estimate(mean, every).mean(axis=0)
    assert objective.value(mean) != pytest.approx(float(weigh(evidence.stage, due)), abs=1e-9)


def test_threads_change_nothing(color_evidence, monkeypatch):
    values = set()
    for threads in (1, 2, 3):
        monkeypatch.setattr(collecting, "count_cores", lambda threads=threads: threads)
        monkeypatch.setattr(estimating, "count_cores", lambda threads=threads: threads)
        evidence = color_evidence()
        space = SearchSpace(views=evidence.views, hue=("none", "score"))
        objective = Objective(evidence, space, evidence.image_ids, plan=Plan())
        values.add(objective.value(space.plain_mean()))
    assert len(values) == 1
