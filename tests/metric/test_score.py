from __future__ import annotations

import itertools
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.errors import ArrayError, EnsembleError, ScoreError
from ensemble.metric import score as module
from ensemble.metric.score import (
    STAGE_TERMS,
    TERMS,
    GrayScore,
    Pair,
    Score,
    gray_score,
    mean_of,
    prepare,
    prepare_gray,
    score,
    score_pairs,
    weigh,
)
from ensemble.parallel import count_cores
from tests.reference.corpus import Case, blend, hard_cases, photographs, polygon_mask
from tests.reference.score import literal_gray_terms, literal_score

SSIM_TOLERANCE, HUE_TOLERANCE = 1e-12, 1e-12


def ours(case: Case) -> Score:
    return score(pred=case.pred, target=case.target, lost_mask=case.lost_mask)


@pytest.mark.parametrize("case", hard_cases(), ids=lambda case: case.name)
def test_equals_the_literal_score_on_hard_pictures(case: Case) -> None:
    literal = literal_score(pred=case.pred, target=case.target, lost_mask=case.lost_mask)
    found = ours(case)
    assert found.ssim == pytest.approx(literal.ssim, abs=SSIM_TOLERANCE, rel=0)
    assert found.masked_ssim == pytest.approx(literal.masked_ssim, abs=SSIM_TOLERANCE, rel=0)
    assert found.hue == pytest.approx(literal.hue, abs=HUE_TOLERANCE, rel=0)
    assert found.score == pytest.approx(literal.score, abs=HUE_TOLERANCE, rel=0)


@pytest.mark.parametrize("case", hard_cases(), ids=lambda case: case.name)
def test_gray_equals_the_literal_terms_on_hard_pictures(case: Case) -> None:
    arrays = {"pred": case.pred[..., 1], "target": case.target[..., 1], "lost_mask": case.lost_mask}
    found = gray_score(**arrays)
    ssim, masked_ssim, total = literal_gray_terms(**arrays)
    assert found.ssim == pytest.approx(ssim, abs=SSIM_TOLERANCE, rel=0)
    assert found.masked_ssim == pytest.approx(masked_ssim, abs=SSIM_TOLERANCE, rel=0)
    assert found.score == pytest.approx(total, abs=SSIM_TOLERANCE, rel=0)


def ssim_tolerance(pred: np.ndarray) -> float:
    """In smooth crops of a low data range the literal score itself rounds; see test_ssim."""
    return max(SSIM_TOLERANCE, 3e-8 / max(1, int(np.ptp(pred))) ** 2)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(7, 120),
    width=st.integers(7, 120),
    top=st.integers(0, 170),
    left=st.integers(0, 270),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_equals_the_literal_score_on_real_crops_of_any_size(
    height: int, width: int, top: int, left: int, share: float, seed: int
) -> None:
    window = np.s_[top : top + height, left : left + width]
    target, other = photographs()[seed % 3][window], photographs()[(seed + 1) % 3][window]
    case = Case("crop", blend(target, other, share), target, polygon_mask((height, width), seed))
    literal = literal_score(pred=case.pred, target=case.target, lost_mask=case.lost_mask)
    found, tolerance = ours(case), ssim_tolerance(case.pred)
    assert found.ssim == pytest.approx(literal.ssim, abs=tolerance, rel=0)
    assert found.masked_ssim == pytest.approx(literal.masked_ssim, abs=tolerance, rel=0)
    assert found.hue == pytest.approx(literal.hue, abs=HUE_TOLERANCE, rel=0)


def test_weights_are_the_competitions() -> None:
    assert Score(ssim=1, masked_ssim=0, hue=0).score == 0.2
    assert Score(ssim=0, masked_ssim=1, hue=0).score == 0.4
    assert Score(ssim=0, masked_ssim=0, hue=1).score == 0.4
    assert GrayScore(ssim=1, masked_ssim=0).score == pytest.approx(1 / 3)
    assert GrayScore(ssim=1, masked_ssim=1).score == pytest.approx(1)


def test_layout_of_the_arrays_does_not_matter(case) -> None:  # type: ignore[no-untyped-def]
    name, pred, target, lost_mask = case("average")
    found = score(
        pred=np.asfortranarray(pred),
        target=np.repeat(target, 2, axis=1)[:, ::2],
        lost_mask=np.asfortranarray(lost_mask),
    )
    assert found == ours(Case(name, pred, target, lost_mask))


def test_preparing_changes_no_bit(cases: list[Case]) -> None:
    for case in cases:
        prepared = prepare(target=case.target, lost_mask=case.lost_mask)
        assert prepared.score(case.pred) == prepared.score(case.pred) == ours(case)


def test_strided_gray_scores_as_its_copy(case) -> None:  # type: ignore[no-untyped-def]
    _, pred, target, lost_mask = case("average")
    prepared = prepare_gray(target=target[..., 0], lost_mask=lost_mask)
    for gray in np.moveaxis(pred, -1, 0):
        alone = gray_score(pred=gray.copy(), target=target[..., 0].copy(), lost_mask=lost_mask)
        assert prepared.score(gray) == alone


NOISE = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
SIX = np.arange(9 * 12).reshape(9, 12) < 6
FULL = np.ones((9, 12), bool)

UNDEFINED = {
    "no lost pixel": (NOISE, NOISE, FULL & False, "at least 7 pixels must be lost"),
    "six lost pixels": (NOISE, NOISE, SIX, "but the mask marks 6"),
    "six rows": (NOISE[:6], NOISE[:6], FULL[:6], r"at least 7 pixels high and wide .* \(6, 12\)"),
    "six columns": (
        NOISE[:, :6],
        NOISE[:, :6],
        FULL[:, :6],
        r"at least 7 pixels high and wide .* \(9, 6\)",
    ),
    "other size": (NOISE[:8], NOISE, FULL, r"as large as its target, \(9, 12\), but is \(8, 12\)"),
}


@pytest.mark.parametrize("picture", UNDEFINED)
def test_what_the_literal_score_refuses_is_refused_and_named(picture: str) -> None:
    pred, target, lost_mask, message = UNDEFINED[picture]
    with pytest.raises(ValueError):  # noqa: PT011 - three functions, three messages
        literal_score(pred=pred, target=target, lost_mask=lost_mask)
    with pytest.raises(ScoreError, match=f"TRAIN_00007.*{message}"):
        score(pred=pred, target=target, lost_mask=lost_mask, name="TRAIN_00007")
    with pytest.raises(ScoreError, match=f"TRAIN_00007.*{message}"):
        gray_score(
            pred=pred[..., 0], target=target[..., 0], lost_mask=lost_mask, name="TRAIN_00007"
        )


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(
    ("flat", "lost"),
    [
        (np.s_[:7, :7], np.s_[:, :]),
        (np.s_[:7, :7], np.s_[:, 7:]),  # a flat window, none of it lost
        (np.s_[3, 2:9], np.s_[3, 2:9]),  # a flat run of lost pixels, no flat window
    ],
)
def test_constant_pred_over_a_flat_target_is_refused_where_the_literal_score_is_nan(
    flat: tuple[slice, ...], lost: tuple[slice, ...]
) -> None:
    target, lost_mask = NOISE.copy(), np.zeros((9, 12), bool)
    target[flat], lost_mask[lost] = 40, True
    arrays = {"pred": np.full_like(target, 50), "target": target, "lost_mask": lost_mask}
    assert np.isnan(literal_score(**arrays).score)
    with pytest.raises(ScoreError, match=re.escape("TEST_001: the score is undefined (0 / 0)")):
        score(**arrays, name="TEST_001")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pred": NOISE[..., 0]}, r"p: pred` must be RGB"),
        ({"pred": NOISE / 255}, r"p: pred` must be uint8, but is float64"),
        ({"target": NOISE.astype(np.int16)}, r"p: target` must be uint8"),
        ({"lost_mask": FULL[:, :5]}, r"p: lost_mask` must be as large as its picture"),
        ({"lost_mask": FULL * np.uint8(255)}, r"p: lost_mask` must be bool"),
    ],
)
def test_arrays_of_another_kind_are_refused_and_named(changed: dict, message: str) -> None:
    arrays = {"pred": NOISE, "target": NOISE, "lost_mask": FULL} | changed
    with pytest.raises(ArrayError, match=message) as caught:
        score(**arrays, name="p")
    assert isinstance(caught.value, EnsembleError)


def test_pictures_are_loaded_scored_and_named_in_order(cases: list[Case]) -> None:
    found = list(score_pairs([partial(Pair, *case) for case in cases]))
    assert found == [
        (name, score(pred=pred, target=target, lost_mask=lost_mask))
        for name, pred, target, lost_mask in cases
    ]


def test_no_more_is_loaded_than_is_in_flight(cases: list[Case]) -> None:
    loaded: list[int] = []

    def load(number: int) -> Pair:
        loaded.append(number)
        return Pair(*cases[0])

    endless = (partial(load, number) for number in itertools.count())
    scores = score_pairs(endless)
    assert len(list(itertools.islice(scores, 6))) == 6
    assert len(loaded) <= 6 + 2 * count_cores()
    scores.close()  # type: ignore[attr-defined]


def test_an_undefined_picture_is_named() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    pair = partial(Pair, "TEST_042", black, black, np.zeros((8, 8), bool))
    with pytest.raises(ScoreError, match="TEST_042"):
        list(score_pairs([pair]))


ONE, OTHER = Score(0.9, 0.5, 0.25), Score(0.1, 0.3, -0.5)


def test_terms_are_weighed_as_in_the_competition():
    assert ONE.score == pytest.approx(0.2 * 0.9 + 0.4 * 0.5 + 0.4 * 0.25, abs=1e-15)
    assert GrayScore(0.9, 0.5).score == pytest.approx((0.2 * 0.9 + 0.4 * 0.5) / 0.6, abs=1e-15)


def test_arrays_are_weighed_as_scores_are():
    assert TERMS == ("ssim", "masked_ssim", "hue")
    terms = np.array([[0.9, 0.5, 0.25], [0.1, 0.3, -0.5]])
    np.testing.assert_allclose(weigh("colorization", terms), [ONE.score, OTHER.score], atol=1e-15)
    gray = [GrayScore(0.9, 0.5).score, GrayScore(0.1, 0.3).score]
    np.testing.assert_allclose(weigh("restoration", terms), gray, atol=1e-15)


def test_a_score_is_a_row_of_a_table():
    assert ONE.as_dict() == {"score": ONE.score, "ssim": 0.9, "masked_ssim": 0.5, "hue": 0.25}
    assert list(GrayScore(0.9, 0.5).as_dict()) == ["score", *STAGE_TERMS["restoration"]]
    mean = mean_of([ONE, OTHER])
    assert mean["hue"] == -0.125
    assert mean["score"] == pytest.approx((ONE.score + OTHER.score) / 2)


def test_nobody_else_spells_the_weights_or_the_terms():
    """What is written a second time does not follow the first."""
    here = Path(module.__file__)
    spelled = [
        path.name
        for path in here.parents[1].rglob("*.py")
        if path != here and re.search(r'"masked_ssim"|0\.2, 0\.4, 0\.4', path.read_text())
    ]
    assert spelled == []
