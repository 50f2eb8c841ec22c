from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ensemble.blending import evidence as collecting
from ensemble.blending.candidate import Candidate, score_exactly
from ensemble.blending.decide.ablation import _drop_each_member, ablate
from ensemble.composition.recipe import SLIDES, Composition, StageRecipe
from ensemble.errors import MissingArtefactError
from ensemble.metric.score import gray_score, score, weigh
from ensemble.vocabulary import VIEWS
from tests.reference.evidence import ArrayEvidence


def test_a_prediction_that_is_not_there_is_named(gray_evidence):
    with pytest.raises(MissingArtefactError, match="no `vflip` prediction of `P0` by `a`"):
        gray_evidence().read("P0", "a", "vflip")


def test_a_reader_reads_each_prediction_once(gray_evidence, monkeypatch):
    calls = []
    real = ArrayEvidence.read
    monkeypatch.setattr(ArrayEvidence, "read", lambda *args: calls.append(args[1:]) or real(*args))
    read = gray_evidence().reader("P0")
    assert np.array_equal(read("a", "identity"), read("a", "identity"))
    assert calls == [("P0", "a", "identity")]


@pytest.mark.parametrize("threads", [1, 2])
def test_exact_scores_are_the_metrics(color_evidence, gray_evidence, monkeypatch, threads):
    monkeypatch.setattr(collecting, "count_cores", lambda: threads)
    one = Candidate(StageRecipe.single("b"), SLIDES)
    for evidence, metric in ((color_evidence(), score), (gray_evidence(), gray_score)):
        terms = score_exactly(evidence, [one], evidence.image_ids)
        assert terms.shape == (1, 8, 3)
        for image_id, found in zip(evidence.image_ids, terms[0], strict=True):
            subject = evidence.subject(image_id)
            due = metric(
                pred=evidence.read(image_id, "b", "identity"),
                target=subject.target,
                lost_mask=subject.lost_mask,
            )
            assert weigh(evidence.stage, found) == pytest.approx(due.score, abs=1e-12)
            assert found[0] == due.ssim


def test_nothing_to_score_gives_no_scores(gray_evidence):
    evidence = gray_evidence()
    assert score_exactly(evidence, [], evidence.image_ids).shape == (0, 8, 3)


def test_ablation_leaves_out_each_member_and_adds_one_view_after_another(gray_evidence):
    evidence = gray_evidence()
    views = ("identity", "hflip")
    recipe = StageRecipe(weights={"a": 0.5, "b": 0.2, "c": 0.3}, views=dict.fromkeys("abc", views))
    options = Composition(hue="none")
    found = ablate(evidence, Candidate(recipe, options), evidence.image_ids)
    rest = StageRecipe(weights={"b": 0.4, "c": 0.6}, views=dict.fromkeys("bc", views))
    plain = recipe.model_copy(update={"views": dict.fromkeys("abc", views[:1])})
    evidence.scored.clear()
    due = score_exactly(
        evidence, [Candidate(rest, options), Candidate(plain, options)], evidence.image_ids
    )
    assert np.array_equal(found.without["a"], due[0])
    assert {name: passes for name, (passes, _) in found.views.items()} == {
        "identity": 3,
        "identity+hflip": 6,
    }
    assert np.array_equal(found.views["identity"][1], due[1])


def test_members_may_have_different_views(gray_evidence):
    both = ("identity", "hflip")
    views = {"a": both, "b": both[:1]}
    evidence = replace(gray_evidence(), views=views)
    blend = Candidate(StageRecipe.mean_of(views), Composition(hue="none"))
    found = ablate(evidence, blend, evidence.image_ids).views
    assert {name: passes for name, (passes, _) in found.items()} == {
        "identity": 2,
        "identity+hflip": 3,
    }


def test_the_last_member_with_pictures_cannot_be_left_out():
    recipe = StageRecipe(weights={"a": 0.5, "hues": 0.5}, views=dict.fromkeys(("a", "hues"), VIEWS))
    assert set(_drop_each_member(Candidate(recipe), frozenset({"hues"}))) == {"hues"}


def test_the_only_member_cannot_be_left_out(gray_evidence):
    evidence = gray_evidence()
    alone = Candidate(StageRecipe.single("a"), Composition(hue="none"))
    assert ablate(evidence, alone, evidence.image_ids).without == {}
