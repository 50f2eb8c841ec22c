from __future__ import annotations

import numpy as np
import pytest

from ensemble.blending.candidate import Candidate, make_picture
from ensemble.composition.blend import blend_colors, blend_gray, compose_answer
from ensemble.composition.compose import compose_gray
from ensemble.composition.recipe import SLIDES, Composition, StageRecipe

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


def test_grays_are_scored_as_they_are_shown_to_stage_2(gray_evidence):
    evidence = gray_evidence(count=2)
    subject, read = evidence.subject("P1"), evidence.reader("P1")
    shown = compose_gray(
        blend=blend_gray(RECIPE, read),
        damaged=subject.gray,
        lost_mask=subject.located,
        options=Composition(),
    )
    scored = make_picture("restoration", subject, read, Candidate(RECIPE))
    assert np.array_equal(scored, shown)
    assert np.array_equal(scored[~subject.located], subject.gray[~subject.located])


def test_forward_passes_are_member_views():
    assert Candidate(RECIPE).forward_passes == 3
