"""The photographs of a page: pictures to compare, terms, and hue histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.metric.score import weigh
from ensemble.report.page import Picture
from ensemble.report.steps import INPUT, SLIDES_WAY, Climb, Shown

HUE_HEIGHT = 48


@dataclass(frozen=True)
class Photograph:
    """One photograph of the page.

    Attributes:
        name: Its image id.
        fold: The fold that judged it.
        score: Of the recipe's answer.
        gain: Score less that of the slides' way.
        confidence: Of the locator, 0..1.
        doubtful: Whether its hole should be looked at.
        iou: Overlap of the located hole with the true one, as text.
        terms: (name of the answer, its terms in the order of `TERMS` and its score, as text).
        pictures: `input`, `slides`, `ours` and `truth`.
        outline: The hole's rim as an SVG path.
        size: (width, height) in which the outline is drawn.
        hues: SVG paths of the histograms `wanted` (or empty), `reached` and `truth`.
    """

    name: str
    fold: int
    score: float
    gain: float
    confidence: float
    doubtful: bool
    iou: str
    terms: tuple[tuple[str, tuple[str, ...]], ...]
    pictures: Mapping[str, Picture]
    outline: str
    size: tuple[int, int]
    hues: Mapping[str, str]


def list_photographs(climb: Climb, *, size: tuple[int, int]) -> tuple[Photograph, ...]:
    """List the photographs, the worst first.

    Args:
        climb: What was made of them.
        size: (H, W) of each.
    """
    last = climb.rungs[-1].name
    found = [
        _describe(image_id, climb.folds[image_id], shown, last, size)
        for image_id, shown in climb.shown.items()
    ]
    return tuple(sorted(found, key=lambda one: one.score))


def _describe(
    image_id: str, fold: int, shown: Shown, last: str, size: tuple[int, int]
) -> Photograph:
    rows = {"input": shown.terms[INPUT], "slides' way": shown.terms[SLIDES_WAY]}
    rows["ours"] = shown.terms[last]
    scores = {name: float(weigh("colorization", np.array(row))) for name, row in rows.items()}
    return Photograph(
        name=image_id,
        fold=fold,
        score=scores["ours"],
        gain=scores["ours"] - scores["slides' way"],
        confidence=shown.confidence,
        doubtful=shown.doubtful,
        iou=f"{shown.iou:.3f}",
        terms=tuple(
            (name, tuple(f"{value:.3f}".replace("-", "−") for value in (*row, scores[name])))
            for name, row in rows.items()
        ),
        pictures=shown.pictures,
        outline=shown.outline,
        size=(size[1], size[0]),
        hues=_draw_hues(shown.hues),
    )


def _draw_hues(hues: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Paths in a box of one unit a hue, `HUE_HEIGHT` high; heights are square roots of shares.

    Without the root the gray pixels, which all count as one hue, would hide the others.
    """
    highest = max(max(shares) for shares in hues.values() if shares) ** 0.5
    paths = {}
    for name, shares in hues.items():
        heights = np.sqrt(shares) / max(highest, 1e-9) * (HUE_HEIGHT - 1)
        steps = [f"V{HUE_HEIGHT - height:.1f}h1" for height in heights]
        paths[name] = f"M0 {HUE_HEIGHT}{''.join(steps)}V{HUE_HEIGHT}" if shares else ""
    return paths
