"""The steps of composition, one added to the other, and the pictures they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb
from ensemble.blending.evidence import fit_priors
from ensemble.composition.blend import Colors, blend_colors, blend_gray, compose_answer
from ensemble.composition.compose import compose_gray
from ensemble.composition.recipe import SLIDES, Composition, StageRecipe
from ensemble.config import Config
from ensemble.inference.predictor import Shown
from ensemble.oof.priors import unfitted_priors
from ensemble.project import Project
from ensemble.submission.chain import StageSource
from ensemble.vocabulary import FULL, VIEWS

INPAINTING = ("spline",)
RESTORERS = ("unet-efficientnet-b0", "unet-mobilenet-v2", "manet-efficientnet-b1")
COLORIZERS = ("unet-efficientnet-b1", "deeplabv3-efficientnet-b2", "fpn-resnet50")


@dataclass(frozen=True)
class Step:
    """One pipeline of the ablation.

    Attributes:
        name: What it adds to the one before.
        short: Its heading on the contact sheet.
        restorers: Members of stage 1, equally weighted.
        colorizers: Members of stage 2, equally weighted.
        composition: Its options; `paste_back` also decides what stage 2 is shown.
        shown: Whether it is on the contact sheet.
    """

    name: str
    short: str
    restorers: tuple[str, ...]
    colorizers: tuple[str, ...]
    composition: Composition
    shown: bool = False


_slides = Step("slides: mean of RGB", "slides", RESTORERS, COLORIZERS, SLIDES, shown=True)
_pasted = replace(
    _slides,
    name="+ paste-back",
    shown=False,
    composition=SLIDES.model_copy(update={"paste_back": True}),
)
_locked = replace(
    _pasted,
    name="+ luma lock",
    composition=_pasted.composition.model_copy(update={"luma_lock": True, "chroma": "mean"}),
)
_inpainted = replace(_locked, name="+ inpainting instead of these restorers", restorers=INPAINTING)


def _with(step: Step, name: str, short: str, shown: bool, **options: Any) -> Step:
    return replace(
        step,
        name=name,
        short=short,
        shown=shown,
        composition=step.composition.model_copy(update=options),
    )


_votes = _with(
    _inpainted, "+ hue transport to the members' mix", "", False, hue="score", prior_weight=0.0
)
_prior = _with(_votes, "+ prior, 0.7 of the target", "", False, prior_weight=0.7)
_ranged = _with(_prior, "+ full data range", "ours: score", True, data_range="full")
_natural = _with(_ranged, "natural instead of score", "ours: natural", True, hue="natural")

STEPS = (_slides, _pasted, _locked, _inpainted, _votes, _prior, _ranged, _natural)

TRAINING_FREE = Step(
    "training-free: inpainting, gray, prior",
    "training-free",
    INPAINTING,
    ("gray",),
    Composition(hue="score", prior_weight=1.0),
    shown=True,
)


def step_config(*, size: int, epochs: int, free: bool) -> Config:
    """Settings with every member of every step; only networks of the slides are trained."""
    config = Config().replace("data", size=size).replace("folds", n_folds=2)
    restorers = INPAINTING if free else (*RESTORERS, *INPAINTING)
    colorizers = ("gray",) if free else (*COLORIZERS, "gray")
    return (
        config.replace("restoration", members=restorers, input_mode="damaged", hole_loss=0.0)
        .replace("colorization", members=colorizers)
        .replace(
            "training",
            encoder_weights="none",
            epochs=epochs,
            patience=0,
            batch_size=8,
            learning_rate=1e-3,
        )
    )


def answers(
    project: Project, steps: Sequence[Step], *, views: int
) -> Iterator[tuple[Step, list[Rgb]]]:
    """Each step's answers to the test photographs, folds averaged as in a submission.

    Stage 2 is predicted once for each way of restoring, and serves every step after it.
    """
    chain = _Chain(project, views)
    priors = fit_priors(project, chain.folds, unfitted_priors(project))
    for step in steps:
        pictures = []
        for image_id in project.competition.test_ids:
            gray, colors = chain.blend(step, image_id)
            prior = priors.predict(FULL, gray)
            options = step.composition
            pictures.append(compose_answer(colors, gray=gray, prior=prior, options=options))
        yield step, pictures


class _Chain:
    """Predictions of test photographs, each made once."""

    def __init__(self, project: Project, views: int) -> None:
        self.project = project
        self.views = VIEWS[:views]
        self.folds = tuple(range(project.folds.n_folds))
        self._sources: dict[tuple[str, tuple[str, ...], int], StageSource] = {}
        self._known: dict[tuple[Any, ...], Any] = {}

    def blend(self, step: Step, image_id: str) -> tuple[Gray, Colors]:
        damaged = self.project.competition.test_input(image_id)
        hole = self.project.photographs.located(image_id)
        recipe = StageRecipe.plain_mean(list(step.restorers), self.views)
        blends, total = [], None
        for fold in self.folds:
            blend = self._restored(recipe, fold, image_id, damaged, hole)
            options = step.composition
            gray = compose_gray(blend=blend, damaged=damaged, lost_mask=hole, options=options)
            colors = self._colored(step, fold, image_id, gray, hole)
            total = colors if total is None else total + colors
            blends.append(blend)
        assert total is not None
        mean = np.mean(blends, axis=0, dtype=np.float32)
        gray = compose_gray(blend=mean, damaged=damaged, lost_mask=hole, options=step.composition)
        return gray, total

    def _restored(
        self, recipe: StageRecipe, fold: int, image_id: str, damaged: Gray, hole: Mask
    ) -> NDArray[np.float32]:
        key = (tuple(recipe.weights), fold, image_id)
        if key not in self._known:
            found = self._source("restoration", recipe, fold).predict(
                [image_id], Shown(damaged[None], hole[None])
            )
            self._known[key] = blend_gray(recipe, found[0], hole)
        known: NDArray[np.float32] = self._known[key]
        return known

    def _colored(self, step: Step, fold: int, image_id: str, gray: Gray, hole: Mask) -> Colors:
        recipe = StageRecipe.plain_mean(list(step.colorizers), self.views)
        options = Composition(chroma=step.composition.chroma)  # counts hues for every step
        key = (step.restorers, step.colorizers, step.composition.paste_back, fold, image_id)
        if key not in self._known:
            found = self._source("colorization", recipe, fold).predict(
                [image_id], Shown(gray[None], hole[None])
            )
            self._known[key] = blend_colors(recipe, found[0], options)
        known: Colors = self._known[key]
        return known

    def _source(self, stage: Any, recipe: StageRecipe, fold: int) -> StageSource:
        key = (stage, tuple(recipe.weights), fold)
        if key not in self._sources:
            self._sources[key] = StageSource.open(self.project, stage, recipe, fold)
        return self._sources[key]
