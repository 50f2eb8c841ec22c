from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ensemble.blending.candidate import Candidate, score_exactly
from ensemble.blending.decide.cross_fit import Verdict, choose_step, cross_fit, divide, measure_gain
from ensemble.composition.recipe import Composition, StageRecipe

RNG = np.random.default_rng(0)


def test_without_groups_the_error_is_that_of_a_mean():
    differences = RNG.normal(0.01, 0.1, 50)
    found = measure_gain(differences, [f"g{i}" for i in range(50)], seed=0)
    assert found.gain == pytest.approx(differences.mean())
    assert found.error == pytest.approx(stats.sem(differences))


def test_copies_within_a_group_are_one_observation():
    differences = RNG.normal(0.01, 0.1, 30)
    groups = [f"g{i}" for i in range(30)]
    once = measure_gain(differences, groups, seed=0)
    thrice = measure_gain(np.repeat(differences, 3), np.repeat(groups, 3).tolist(), seed=0)
    assert thrice.error == pytest.approx(once.error)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_a_photograph_counts_alike_in_groups_of_any_size():
    found = measure_gain(np.full(9, 0.2), list("aabbbbbbc"), seed=0)
    assert (found.low, found.high) == pytest.approx((0.2, 0.2))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        differences = rng.normal(0.02, 0.1, 60)
        found = measure_gain(differences, [f"g{i}" for i in range(60)], seed=seed)
        covered += found.low <= 0.02 <= found.high
    assert 180 <= covered <= 198


@pytest.mark.parametrize(("shift", "convincing"), [(0.0, False), (0.05, True), (-0.05, False)])
def test_only_a_gain_of_two_errors_convinces(shift, convincing):
    noise = np.tile([-0.1, 0.1], 50)
    found = measure_gain(noise + shift, [f"g{i}" for i in range(100)], seed=0)
    assert found.significant == convincing


def test_one_group_never_convinces():
    found = measure_gain(np.full(9, 0.5), ["g"] * 9, seed=0)
    assert not found.significant
    assert found.error == np.inf


def test_each_fold_is_a_part():
    parts = divide([0, 1, 0, 3], ["g", "h", "g", "i"], seed=0)
    assert [rows.tolist() for rows in parts] == [[0, 2], [1], [3]]


def test_one_fold_is_halved_by_groups():
    groups = [f"g{i // 4}" for i in range(20)]
    first, second = ({groups[row] for row in rows} for rows in divide([2] * 20, groups, seed=0))
    assert not first & second
    assert {len(first), len(second)} == {2, 3}


@pytest.mark.parametrize("count", [6, 10])
def test_an_even_number_of_groups_is_halved_equally(count):
    parts = divide([0] * count, [f"g{i}" for i in range(count)], seed=3)
    assert [len(rows) for rows in parts] == [count // 2, count // 2]


def test_each_photograph_is_scored_by_what_never_saw_its_part(gray_evidence):
    evidence = gray_evidence()
    ids = evidence.image_ids
    options = Composition(hue="none")
    choices = [Candidate(StageRecipe.single(member), options) for member in ("a", "b")]
    parts = divide([evidence.folds[i] for i in ids], [evidence.groups[i] for i in ids], seed=0)
    seen = []

    def fit(rows):
        seen.append(rows)
        return choices[len(seen) - 1]

    terms = cross_fit(evidence, ids, parts, fit)
    evidence.scored.clear()
    exact = score_exactly(evidence, choices, ids)
    for part, rows, by_choice in zip(parts, seen, exact, strict=True):
        assert not set(rows) & set(part)
        assert sorted([*rows, *part]) == list(range(len(ids)))
        assert np.array_equal(terms[part], by_choice[part])


def chosen(gains, optimism=0.0):
    """Choose among steps whose cross-fitted scores lie `gains` above the plain recipe's.

    In sample each step gains as much more as `optimism` says.
    """
    rng = np.random.default_rng(0)
    base = rng.uniform(0.3, 0.6, (80, 3))
    noise = rng.normal(0, 0.02, (80, 1))
    crossed = {name: base + noise + gain for name, gain in gains.items()}
    inside = {name: terms + optimism for name, terms in crossed.items()}
    groups = [f"g{i}" for i in range(80)]
    return choose_step(
        "colorization", {"plain": base, **inside}, crossed, groups=groups, plain="plain", seed=0
    )


def test_the_simplest_convincing_step_is_kept():
    assert chosen({"one": 0.0, "two": 0.0})[0] == "plain"
    assert chosen({"one": 0.1, "two": 0.1})[0] == "one"
    assert chosen({"one": 0.1, "two": 0.2})[0] == "two"
    assert chosen({"one": 0.0, "two": 0.1})[0] == "two"


def test_the_second_step_is_compared_to_the_first_if_that_was_kept():
    _, verdicts = chosen({"one": 0.1, "two": 0.1})
    assert [one.against for one in verdicts] == ["the plain", "the one"]


def test_two_steps_are_compared_as_they_were_cross_fitted():
    kept, verdicts = chosen({"one": 0.1, "two": 0.25}, optimism=0.4)
    assert kept == "two"
    assert verdicts[1].cross_fitted.gain == pytest.approx(0.15)
    assert verdicts[1].in_sample == pytest.approx(0.15)


def test_the_verdict_is_one_sentence():
    gain = measure_gain(np.tile([0.1, 0.2, 0.3], 4), [f"g{i}" for i in range(12)], seed=0)
    sentence = Verdict("the tuned blend", "the plain mean", 0.25, gain).sentence
    assert sentence.startswith(
        "Kept the tuned blend: tuned on some groups and scored on the others, it gains +0.2000 "
        "over the plain mean (standard error 0.0246, 95 % interval "
    )
    assert sentence.endswith("over 12 groups; in sample +0.2500), which exceeds 2 standard errors.")


@pytest.mark.parametrize("count", [2, 9])
def test_few_groups_convince_of_nothing(count):
    gain = measure_gain(np.full(count, 0.5), [f"g{i}" for i in range(count)], seed=0)
    assert gain.error < 1e-9
    assert not gain.significant
    sentence = Verdict("the tuned blend", "the plain mean", 0.5, gain).sentence
    assert sentence.startswith("Did not keep the tuned blend")
    assert sentence.endswith(
        f"over {count} groups; in sample +0.5000), but a verdict needs 10 groups."
    )
