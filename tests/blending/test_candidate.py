from __future__ import annotations

import numpy as np
import pytest

from ensemble.blending import candidate as module
from ensemble.blending import evidence as collecting
from ensemble.blending.candidate import Candidate, make_picture, score_exactly
from ensemble.composition.blend import blend_colors, blend_gray, compose_answer
from ensemble.composition.compose import compose_gray
from ensemble.composition.recipe import SLIDES, Composition, StageRecipe
from ensemble.metric.score import TERMS, prepare

RECIPE = StageRecipe(
    weights={"a": 0.37, "c": 0.63}, views={"a": ("identity", "hflip"), "c": ("hflip",)}
)


@pytest.mark.parametrize("chroma", ["mean", "median", "preserving"])
@pytest.mark.parametrize("hue", ["none", "score"])
def test_colors_are_scored_as_they_are_sent(color_evidence, chroma, hue):
    evidence = color_evidence(count=2)
    subject, read = evidence.subject("P1"), evidence.reader("P1")
    options = Composition(chroma=chroma, hue=hue)
    sent = compose_answer(
        blend_colors(RECIPE, read, options),
        gray=subject.gray,
        prior=subject.prior,
        options=options,
    )
    scored = make_picture("colorization", subject, read, Candidate(RECIPE, options))
    assert np.array_equal(scored, sent)


def test_histogram_members_have_no_picture(color_evidence):
    evidence = color_evidence(count=1)
    subject, read = evidence.subject("P0"), evidence.reader("P0")
    voting = StageRecipe(weights={"a": 0.5, "v": 0.5}, views=dict.fromkeys("av", ("identity",)))
    alone = StageRecipe.single("a")

    def with_voter(member, view):
        return np.ones(180, np.float32) if member == "v" else read(member, view)

    pictures = [
        make_picture("colorization", subject, with_voter, Candidate(recipe, SLIDES))
        for recipe in (voting, alone)
    ]
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("decode", ["mean", "minimum-risk"])
def test_grays_are_scored_as_they_are_shown_to_stage_2(gray_evidence, decode):
    recipe = RECIPE.model_copy(update={"decode": decode})
    evidence = gray_evidence(count=2)
    subject, read = evidence.subject("P1"), evidence.reader("P1")
    shown = compose_gray(
        blend=blend_gray(recipe, read, subject.located),
        damaged=subject.gray,
        lost_mask=subject.located,
        options=Composition(),
    )
    scored = make_picture("restoration", subject, read, Candidate(recipe))
    assert np.array_equal(scored, shown)
    assert np.array_equal(scored[~subject.located], subject.gray[~subject.located])


def test_forward_passes_are_member_views():
    assert Candidate(RECIPE).forward_passes == 3


def test_candidates_that_differ_in_their_data_range_are_composed_once(color_evidence, monkeypatch):
    evidence = color_evidence(count=2)
    options = [
        Composition(hue=hue, data_range=data_range, prior_weight=weight)
        for hue in ("none", "score")
        for weight in (0.25, 0.5)
        for data_range in ("as-is", "full")
    ]
    candidates = [Candidate(RECIPE, one) for one in options]
    due = [
        [_score(evidence, candidate, image_id) for image_id in evidence.image_ids]
        for candidate in candidates
    ]
    made = []

    def count(stage, subject, read, candidate):
        made.append(candidate)
        return make_picture(stage, subject, read, candidate)

    monkeypatch.setattr(module, "make_picture", count)
    assert np.array_equal(score_exactly(evidence, candidates, evidence.image_ids), due)
    assert len(made) == len(candidates) // 2 * len(evidence.image_ids)
    assert not np.array_equal(due[0], due[1])


@pytest.mark.parametrize("threads", [1, 2])
def test_what_was_scored_before_is_not_composed_again(color_evidence, monkeypatch, threads):
    monkeypatch.setattr(collecting, "count_cores", lambda: threads)
    evidence, ids = color_evidence(count=3), ("P0", "P1", "P2")
    one, two, three = (Candidate(RECIPE, Composition(prior_weight=w)) for w in (0.1, 0.2, 0.3))
    due = score_exactly(color_evidence(count=3), [one, two, three], ids)
    made = []

    def count(stage, subject, read, candidate):
        made.append((subject.image_id, candidate.composition.prior_weight))
        return make_picture(stage, subject, read, candidate)

    monkeypatch.setattr(module, "make_picture", count)
    assert np.array_equal(score_exactly(evidence, [one, two], ids[:2]), due[:2, :2])
    assert sorted(made) == [("P0", 0.1), ("P0", 0.2), ("P1", 0.1), ("P1", 0.2)]
    made.clear()
    again = score_exactly(evidence, [three, two, two], ids[1:])
    assert np.array_equal(again, due[[2, 1, 1], 1:])
    assert sorted(made) == [("P1", 0.3), ("P2", 0.2), ("P2", 0.3)]


def _score(evidence, candidate, image_id):
    subject = evidence.subject(image_id)
    picture = make_picture("colorization", subject, evidence.reader(image_id), candidate)
    target = prepare(target=subject.target, lost_mask=subject.lost_mask, name=image_id)
    scored = target.score(picture).as_dict()
    return [scored[name] for name in TERMS]
