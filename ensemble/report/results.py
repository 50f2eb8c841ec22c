"""The page of `ens report`: what a recipe scores, what it was decided on, and by what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ensemble.composition.recipe import Recipe
from ensemble.metric.score import TERMS, weigh
from ensemble.parallel import Progress, silent
from ensemble.project import Project
from ensemble.report.blend_tables import (
    TERM_WORDS,
    Summary,
    list_sentences,
    list_terms,
    make_tables,
)
from ensemble.report.page import render
from ensemble.report.plots import Plot, draw_ladder
from ensemble.report.search import plot_search
from ensemble.report.status import judge_submission
from ensemble.report.steps import INPUT, SLIDES_WAY, Climb, Shown, climb
from ensemble.report.submission_table import table_submissions
from ensemble.report.tables import Cell, Table, make_row, number_cell, write_number
from ensemble.report.training import list_trainings, plot_trainings
from ensemble.submission.history import Sent, read_expected, read_history
from ensemble.vocabulary import STAGES, VIEWS, Stage

HUE_HEIGHT = 48
EDITED = "The recipe was changed by hand since: these are the scores of the one before."


class Headline(NamedTuple):
    """The score with its interval, as texts, and a sentence each on the score and the recipe."""

    score: str
    low: str
    high: str
    expected: str
    decided: str


class StageResults(NamedTuple):
    """One stage: its tables, the verdicts and notes, and the search."""

    name: str
    tables: tuple[Table, ...]
    sentences: list[str]
    search: tuple[Plot, ...]


class Photograph(NamedTuple):
    """One photograph of the page.

    `gain` is over the slides' way. Of each answer there are the terms in the order of `TERMS` and
    the score, as text; `size` is (width, height) of the outline; `hues` are SVG paths of the
    histograms `wanted` (or empty), `reached` and `truth`.
    """

    name: str
    fold: int
    score: float
    gain: float
    terms: list[tuple[str, list[str]]]
    size: tuple[int, int]
    hues: dict[str, str]
    shown: Shown


def write_results(
    project: Project,
    recipe: Recipe,
    summaries: Mapping[Stage, Summary],
    *,
    photographs: int,
    progress: Progress = silent,
) -> tuple[Headline, str]:
    """Write the page, HTML, and its headline.

    The recipe is what `ensemble.provenance.read_recipe` gave for the project, the summaries are
    those of `scores.json`. So many photographs are scored step by step and shown; 0 leaves both
    out.

    Raises:
        MissingArtefactError: Predictions that the recipe blends are not there.
        StaleArtefactError: They were made from something else.
    """
    found = climb(project, recipe, count=photographs, progress=progress) if photographs else None
    workspace = project.workspace
    edited = read_expected(workspace, recipe) is None
    headline = _make_headline(summaries, edited=edited)

    def judge(sent: Sent) -> str:
        return judge_submission(project, recipe, workspace.submission_file(sent.name))

    page = render(
        "results.html",
        title=workspace.root.resolve().name,
        headline=headline,
        ladder=_make_ladder(found) if found else None,
        photographs=_list_photographs(found, size=project.competition.size) if found else (),
        stages=[_collect_stage(project, recipe, summaries[stage]) for stage in STAGES],
        trainings=list_trainings(project),
        curves=list(plot_trainings(project)),
        submissions=table_submissions(read_history(workspace), judge),
        composition=_list_composition(recipe),
        recipe=recipe.to_json(),
    )
    return headline, page


def _make_headline(summaries: Mapping[Stage, Summary], *, edited: bool) -> Headline:
    last = summaries["colorization"]
    found = last["expected"]
    score, low, high = (write_number(v) for v in (found["score"], *found["interval"]))
    honest = "cross-fitted" if found["cross_fitted"] else "on the photographs it was tuned on"
    return Headline(
        score,
        low,
        high,
        f"Expect a score of {score} (95 % interval {low} to {high}), {honest}, out of fold on "
        f"{last['photographs']:,} photographs in {last['groups']:,} groups."
        + (f" {EDITED}" if edited else ""),
        f"{'; '.join(_say_decision(summaries[stage]) for stage in STAGES)}.".capitalize(),
    )


def _say_decision(found: Summary) -> str:
    kept = found["kept"]
    for judged in reversed(found["judged"]):
        if judged["step"] == f"the {kept}":
            gained = _say_gain(judged["cross_fitted"], judged["standard_error"] or math.inf)
            return (
                f"{found['stage']} uses the {kept}, which gains {gained} over {judged['against']}"
            )
    return f"{found['stage']} uses the {kept}"


def _say_gain(gain: float, error: float) -> str:
    """A gain with its standard error, unless that is infinite: unknown."""
    told = write_number(gain, "gain")
    return f"{told} ± {write_number(error)}" if math.isfinite(error) else told


def _make_ladder(found: Climb) -> tuple[Plot, Table]:
    """What each step from the slides' way to the recipe earned."""
    rows = []
    for rung in found.rungs:
        gain = rung.gain
        gained = Cell("", "") if gain is None else Cell(_say_gain(gain.gain, gain.error), gain.gain)
        numbers = map(number_cell, (*rung.terms, rung.score))
        rows.append(make_row(rung.name, *numbers, gained, kept=rung is found.rungs[-1]))
    first, last = found.rungs[0], found.rungs[-1]
    plot = draw_ladder(
        [rung.name for rung in found.rungs],
        [rung.score for rung in found.rungs],
        [r.gain.error if math.isfinite(r.gain.error) else 0.0 for r in found.rungs if r.gain],
        text=f"The score rises from {first.score:.4f}, {first.name}, to {last.score:.4f}.",
    )
    columns = ("step", *(TERM_WORDS.get(term, term) for term in TERMS), "score", "gain")
    caption = f"Each step adds to the one above; {len(found.shown):,} photographs"
    return plot, Table(caption, columns, rows)


def _collect_stage(project: Project, recipe: Recipe, found: Summary) -> StageResults:
    stage: Stage = found["stage"]
    storage = project.config.blend.storage or project.workspace.study_file
    members = {member.name for member in project.members(stage)}
    return StageResults(
        stage,
        (_table_members(project, recipe, found), *make_tables(found, without=members)),
        list_sentences(found),
        tuple(plot_search(storage, found["study"], stage=stage)),
    )


def _table_members(project: Project, recipe: Recipe, found: Summary) -> Table:
    stage: Stage = found["stage"]
    terms = list_terms(found)
    blend = recipe.restoration if stage == "restoration" else recipe.colorization
    alone = {row["name"]: row for row in found["rows"]}
    worth = {row["member"]: row["worth"] for row in found["leave_one_out"]}
    rows = []
    for member in project.members(stage):
        weight, row = blend.weights.get(member.name, 0.0), alone.get(member.name, {})
        views = blend.views.get(member.name, ()) if weight else ()
        told = f"all {len(VIEWS)}" if set(views) == set(VIEWS) else " ".join(views)
        numbers = [number_cell(row.get(term)) for term in terms]
        gain = number_cell(worth.get(member.name), "gain")
        share = number_cell(weight, "share", weight)
        cells: list[Cell | str] = [share, told, *numbers, gain]
        rows.append(make_row(member.name, member.kind, *cells, kept=weight > 0))
    columns = ("member", "kind", "weight", "view", *terms.values(), "gain in the blend")
    return Table("Members alone, and their part in the blend", columns, rows)


def _list_composition(recipe: Recipe) -> Table:
    options = recipe.composition
    weight = "" if options.hue == "none" else write_number(options.prior_weight, "share")
    rows = [
        make_row("paste-back", "yes" if options.paste_back else "no"),
        make_row("luma lock", "yes" if options.luma_lock else "no"),
        make_row("blend of color", options.chroma),
        make_row("moved hues", options.hue),
        make_row("prior", weight or "none"),
        make_row("data range", options.data_range),
    ]
    return Table("Composition", ("option", "chosen"), rows)


def _list_photographs(climb: Climb, *, size: tuple[int, int]) -> list[Photograph]:
    """List the photographs, each of (H, W) pixels, the worst first."""
    steps = {"input": INPUT, "slides' way": SLIDES_WAY, "ours": climb.rungs[-1].name}
    found = []
    for image_id, shown in climb.shown.items():
        terms = {name: shown.terms[step] for name, step in steps.items()}
        scores = {name: float(weigh("colorization", np.array(row))) for name, row in terms.items()}
        told = [
            (name, [f"{value:.3f}".replace("-", "−") for value in (*row, scores[name])])
            for name, row in terms.items()
        ]
        score, gain = scores["ours"], scores["ours"] - scores["slides' way"]
        hues = _draw_hues(shown.hues)
        one = (image_id, climb.folds[image_id], score, gain, told, (size[1], size[0]), hues, shown)
        found.append(Photograph(*one))
    return sorted(found, key=lambda one: one.score)


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
