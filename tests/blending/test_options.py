"""No option of composition can be forgotten: each is composed, calibrated, and searched or not."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from ensemble.blending.candidate import Candidate, make_picture
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics.objective import ESTIMATED, Objective
from ensemble.blending.statistics.sampling import Plan
from ensemble.composition.recipe import Composition

FIXED = {
    "paste_back": "outside a located hole the input is the truth: nothing can be gained",
    "luma_lock": "the slides' composition, without it, is a row of every blend",
}
"""Options that no search varies, and why."""

EVERY_OPTION = sorted(Composition.model_fields)


def others(option: str) -> list[Any]:
    """Every other value of an option, or of a number one far from it."""
    kind, default = Composition.model_fields[option].annotation, getattr(Composition(), option)
    if kind is bool:
        return [not default]
    if kind is float:
        return [round(1 - default, 9)]
    return [value for value in get_args(kind) if value != default]


@pytest.mark.parametrize("option", EVERY_OPTION)
def test_each_option_changes_the_picture(color_evidence, gray_evidence, option):
    changed = set()
    for evidence in (gray_evidence(count=1), color_evidence(count=1)):
        subject, read = evidence.subject("P0"), evidence.reader("P0")
        mean = SearchSpace(views=evidence.views).plain_mean()
        before = make_picture(evidence.stage, subject, read, Candidate(mean.recipe))
        for value in others(option):
            composition = Composition(**{option: value})
            after = make_picture(evidence.stage, subject, read, Candidate(mean.recipe, composition))
            changed |= {value} if not np.array_equal(after, before) else set()
    assert changed == set(others(option))


@pytest.mark.parametrize("option", EVERY_OPTION)
def test_each_option_is_searched_or_fixed_for_a_reason(option):
    space = SearchSpace(
        views={"a": ("identity",)},
        chroma=("mean", "median"),
        hue=("none", "score"),
        data_range=("full", "as-is"),
    )
    assert (option in space.distributions) != (option in FIXED)


@pytest.mark.parametrize("option", sorted(set(EVERY_OPTION) - ESTIMATED))
def test_each_option_has_a_calibration_of_its_own(color_evidence, option):
    evidence = color_evidence(count=2)
    space = SearchSpace(views=evidence.views)
    objective = Objective(evidence, space, evidence.image_ids, plan=Plan())
    rows = np.arange(2)
    calibrated = objective._residual(Composition(), rows)
    assert calibrated.any()
    for value in others(option):
        # Nothing was calibrated for these options, so nothing may be borrowed from others.
        assert not objective._residual(Composition(**{option: value}), rows).any()
