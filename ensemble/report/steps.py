"""What each step from the slides' way to the recipe earned, photograph by photograph.

Every step is scored on the same out-of-fold photographs, by the functions that make what is sent.
What is made of a photograph is kept under `cache/`, so that the page is soon written again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.measure import approximate_polygon, find_contours

from ensemble.arrays import Mask, Rgb
from ensemble.blending.decide.cross_fit import PairedGain, measure_gain
from ensemble.blending.evidence import ArchivedEvidence, map_photographs
from ensemble.composition.blend import blend_colors, blend_gray, compose_answer, wanted_hues
from ensemble.composition.compose import compose_gray
from ensemble.composition.hue_target import hue_histogram
from ensemble.composition.recipe import SLIDES, Composition, Recipe, StageRecipe
from ensemble.data.competition import Sample
from ensemble.errors import MissingArtefactError, StaleArtefactError
from ensemble.files import atomic_write, suppress_read_only, sweep
from ensemble.folds.sample import sample_groups
from ensemble.manifest import digest_json
from ensemble.members import Member
from ensemble.metric.score import TERMS, prepare, weigh
from ensemble.oof.predictions import ArchivedPredictions
from ensemble.oof.priors import read_recipe_priors
from ensemble.parallel import Progress, silent
from ensemble.project import Project
from ensemble.reading import read_json_or_none
from ensemble.report.holes import judge_hole
from ensemble.report.page import Picture, embed
from ensemble.vocabulary import Stage

VERSION = 2
"""Raise it when what is kept of a photograph changes."""
SIDE = 320
INPUT, SLIDES_WAY = "damaged input", "slides' way"


class Step(NamedTuple):
    """One way from the members' predictions to an answer; its name is what it adds."""

    name: str
    restoration: StageRecipe
    colorization: StageRecipe
    options: Composition


@dataclass(frozen=True)
class Shown:
    """What is kept of one photograph."""

    terms: Mapping[str, Sequence[float]]  # of each step, the terms in the order of `TERMS`
    pictures: Mapping[str, Picture]  # `input`, `slides`, `ours` and `truth`
    outline: str  # the located hole's rim, as an SVG path in pixels of the photograph
    confidence: float  # of the locator, 0..1
    doubtful: bool  # whether a person should look at the hole
    iou: float  # overlap of the located hole with the true one
    # (180,) shares: `wanted` (empty where no hue is moved), `reached` and `truth`
    hues: Mapping[str, Sequence[float]]


class Rung(NamedTuple):
    """A step's mean terms and score, and its gain over the step before; None for the first."""

    name: str
    terms: tuple[float, ...]
    score: float
    gain: PairedGain | None


class Climb(NamedTuple):
    """All steps, the damaged input first and the recipe last; and the photographs by image id."""

    rungs: tuple[Rung, ...]
    shown: Mapping[str, Shown]
    folds: Mapping[str, int]


def climb(project: Project, recipe: Recipe, *, count: int, progress: Progress = silent) -> Climb:
    """Score every step on `count` photographs, in whole groups drawn alike from each fold.

    The recipe is what `ensemble.provenance.read_recipe` gave for the project.

    Raises:
        MissingArtefactError: Predictions that the recipe blends are not there.
        StaleArtefactError: They were made from something else.
    """
    maker = _Maker(project, recipe)
    colors = maker.colorization
    ids = sample_groups(colors.folds, colors.groups, count=count, seed=project.config.seed)
    with progress("scoring each step", len(ids)) as advance:
        found = map_photographs(maker.show, ids, advance)
    shown = dict(zip(ids, found, strict=True))
    names = [INPUT, *(step.name for step in maker.steps)]
    rungs = _measure(names, shown, [colors.groups[image_id] for image_id in ids])
    return Climb(rungs, shown, {i: colors.folds[i] for i in ids})


def list_steps(recipe: Recipe, members: Mapping[Stage, Sequence[Member]]) -> tuple[Step, ...]:
    """List the steps from the slides' way to the recipe; one that changes nothing is left out.

    The predictions of the `members` are there. The slides' way blends those that are trained or
    external, or all where none is.
    """
    networks = {stage: [m for m in all_ if m.kind != "fixed"] for stage, all_ in members.items()}
    restorers, colorizers = (
        _plain_mean(networks[stage] or members[stage]) for stage in ("restoration", "colorization")
    )
    goal = recipe.composition
    steps = [Step(SLIDES_WAY, restorers, colorizers, SLIDES)]

    def append(step: Step) -> None:
        if step[1:] != steps[-1][1:]:
            steps.append(step)

    def add(name: str, *, restoration: StageRecipe | None = None, **options: Any) -> None:
        last = steps[-1]
        changed = last.options.model_copy(update=options)
        append(Step(name, restoration or last.restoration, last.colorization, changed))

    add("paste-back", paste_back=goal.paste_back)
    add("luma lock", luma_lock=goal.luma_lock)
    add("inpainting", restoration=_plain_mean(members["restoration"]))
    add("moved hues", hue=goal.hue, prior_weight=goal.prior_weight)
    add("data range", data_range=goal.data_range)
    append(Step("recipe's blend", recipe.restoration, recipe.colorization, goal))
    return tuple(steps)


def _plain_mean(members: Sequence[Member]) -> StageRecipe:
    return StageRecipe.mean_of({member.name: member.views for member in members})


class _Maker:
    """Makes what is shown of a photograph, or reads what was made before."""

    def __init__(self, project: Project, recipe: Recipe) -> None:
        self.priors = read_recipe_priors(project, recipe)
        restoration = recipe.restoration
        members: Mapping[Stage, list[Member]] = {
            "restoration": _find_archived(project, recipe, "restoration", None),
            "colorization": _find_archived(project, recipe, "colorization", restoration),
        }
        self.restoration = ArchivedEvidence(project, members["restoration"], recipe.folds)
        self.colorization = ArchivedEvidence(
            project, members["colorization"], recipe.folds, restoration=restoration
        )
        self.photographs = project.photographs
        self.steps = list_steps(recipe, members)
        digests = [self.restoration.digest, self.colorization.digest, recipe.to_json()]
        self.folder = project.workspace.cache / "report" / digest_json([VERSION, *digests])[:16]
        if not self.folder.exists():  # what was kept of another recipe is of no use
            shutil.rmtree(self.folder.parent, ignore_errors=True)
        sweep(self.folder)  # nothing is written where all is made

    def show(self, image_id: str) -> Shown:
        path = self.folder / f"{image_id}.json"
        kept: Shown | None = read_json_or_none(path, Shown)
        if kept is None:
            kept = self._make(image_id)
            with suppress_read_only():
                atomic_write(path, json.dumps(asdict(kept)))
        return kept

    def _compose(self, step: Step, sample: Sample) -> tuple[Rgb, NDArray[np.float64] | None]:
        """The answer, and the wanted hue histogram."""
        image_id, options = sample.image_id, step.options
        located = self.photographs.located(image_id)
        gray = compose_gray(
            blend=blend_gray(step.restoration, self.restoration.reader(image_id), located),
            damaged=sample.damaged,
            lost_mask=located,
            options=options,
        )
        colors = blend_colors(step.colorization, self.colorization.reader(image_id), options)
        moved = options.hue != "none"
        prior = self.priors.predict(self.colorization.folds[image_id], gray) if moved else None
        answer = compose_answer(colors, gray=gray, prior=prior, options=options)
        return answer, wanted_hues(colors, prior=prior, options=options)

    def _make(self, image_id: str) -> Shown:
        sample = self.photographs.train_sample(image_id)
        target = prepare(target=sample.target, lost_mask=sample.lost_mask, name=image_id)
        gray = np.repeat(sample.damaged[..., None], 3, axis=-1)
        made = {step.name: self._compose(step, sample) for step in self.steps}
        answers = {INPUT: gray} | {name: answer for name, (answer, _) in made.items()}
        ours, wanted = made[self.steps[-1].name]
        hole = judge_hole(sample)
        scored = {name: target.score(answer).as_dict() for name, answer in answers.items()}
        pictures = {
            "input": (gray, "the damaged input"),
            "slides": (answers[SLIDES_WAY], "answered the slides' way"),
            "ours": (ours, "answered by the recipe"),
            "truth": (sample.target, "the truth"),
        }
        return Shown(
            terms={name: [one[term] for term in TERMS] for name, one in scored.items()},
            pictures={
                name: embed(pixels, f"{image_id}: {text}", side=SIDE)
                for name, (pixels, text) in pictures.items()
            },
            outline=trace(self.photographs.located(image_id)),
            confidence=hole.confidence,
            doubtful=hole.doubtful,
            iou=hole.iou or 0.0,
            hues={
                "wanted": _shares(wanted),
                "reached": _shares(hue_histogram(ours)),
                "truth": _shares(hue_histogram(sample.target)),
            },
        )


def trace(lost_mask: Mask) -> str:
    """The rims of a hole as an SVG path, in pixels of the photograph."""
    rims = find_contours(np.pad(lost_mask, 1).astype(np.float64), 0.5)  # type: ignore[no-untyped-call]
    paths = []
    for rim in rims:
        corners = approximate_polygon(rim, tolerance=0.7)  # type: ignore[no-untyped-call]
        points = corners[:, ::-1] - 0.5
        paths.append(f"M{' '.join(f'{number:.4g}' for number in points.ravel())}Z")
    return "".join(paths)


def _measure(
    names: Sequence[str], shown: Mapping[str, Shown], groups: Sequence[str]
) -> tuple[Rung, ...]:
    rungs: list[Rung] = []
    before: NDArray[np.float64] | None = None
    for name in names:
        terms = np.array([one.terms[name] for one in shown.values()])
        scores = weigh("colorization", terms)
        gain = None if before is None else measure_gain(scores - before, groups, seed=0)
        rungs.append(Rung(name, tuple(terms.mean(axis=0).tolist()), float(scores.mean()), gain))
        before = scores
    return tuple(rungs)


def _find_archived(
    project: Project, recipe: Recipe, stage: Stage, restoration: StageRecipe | None
) -> list[Member]:
    """The members of a stage whose predictions are there; the recipe's own must be."""
    weights = recipe.restoration.weights if stage == "restoration" else recipe.colorization.weights
    found = []
    for member in project.members(stage):
        try:
            ArchivedPredictions(project, [member], recipe.folds, restoration=restoration)
        except (MissingArtefactError, StaleArtefactError):
            if member.name in weights:
                raise
        else:
            found.append(member)
    return found


def _shares(counts: NDArray[np.float64] | None) -> list[float]:
    if counts is None:
        return []
    return [round(share, 6) for share in (counts / max(counts.sum(), 1e-9)).tolist()]
