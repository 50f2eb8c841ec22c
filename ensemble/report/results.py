"""The page of `ens report`: what a recipe scores, what it was decided on, and by what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ensemble.composition.recipe import Recipe, StageRecipe
from ensemble.metric.score import STAGE_TERMS, TERMS
from ensemble.parallel import Progress, silent
from ensemble.project import Project
from ensemble.report.blend_tables import Summary
from ensemble.report.gallery import Photograph, list_photographs
from ensemble.report.page import Cell, Row, Table, number_cell, render, text_cell, write_number
from ensemble.report.plots import Plot, draw_ladder
from ensemble.report.search import plot_search
from ensemble.report.status import judge_submission
from ensemble.report.steps import Climb, climb
from ensemble.report.training import Trainings, collect_trainings
from ensemble.submission.history import read_expected, read_history
from ensemble.vocabulary import STAGES, VIEWS, Stage, View

EDITED = "The recipe was changed by hand since: these are the scores of the one before."
TERM_WORDS = dict(zip(TERMS, ("SSIM", "masked SSIM", "hue"), strict=True))


@dataclass(frozen=True)
class Headline:
    """What to expect, and what was decided.

    Attributes:
        score: Of the whole, as text.
        low: Lower end of its interval.
        high: Upper end.
        expected: A sentence on the score.
        decided: A sentence on the recipe.
    """

    score: str
    low: str
    high: str
    expected: str
    decided: str


@dataclass(frozen=True)
class StageResults:
    """One stage: its tables, the verdicts and notes, and the search."""

    name: str
    tables: tuple[Table, ...]
    verdicts: tuple[str, ...]
    notes: tuple[str, ...]
    search: tuple[Plot, ...]


@dataclass(frozen=True)
class Ladder:
    """What each step from the slides' way to the recipe earned.

    Attributes:
        photographs: How many were scored.
        plot: Of the scores.
        table: A row a step.
    """

    photographs: int
    plot: Plot
    table: Table


@dataclass(frozen=True)
class Results:
    """Everything on the page."""

    title: str
    headline: Headline
    ladder: Ladder | None
    photographs: tuple[Photograph, ...]
    stages: tuple[StageResults, ...]
    trainings: Trainings
    submissions: Table
    composition: Table
    recipe: str


def write_results(
    project: Project,
    recipe: Recipe,
    summaries: Mapping[Stage, Summary],
    *,
    photographs: int,
    progress: Progress = silent,
) -> tuple[Headline, str]:
    """Write the page.

    Args:
        project: The workspace.
        recipe: What `ensemble.provenance.read_recipe` gave for it.
        summaries: Each stage of `scores.json`.
        photographs: How many are scored step by step and shown; 0 leaves both out.
        progress: Opens a bar.

    Raises:
        MissingArtefactError: Predictions that the recipe blends are not there.
        StaleArtefactError: They were made from something else.

    Returns:
        Its headline, and the HTML.
    """
    found = climb(project, recipe, count=photographs, progress=progress) if photographs else None
    results = Results(
        title=project.workspace.root.resolve().name,
        headline=_make_headline(summaries, edited=read_expected(project.workspace, recipe) is None),
        ladder=_make_ladder(found) if found else None,
        photographs=list_photographs(found, size=project.competition.size) if found else (),
        stages=tuple(_collect_stage(project, recipe, summaries[stage]) for stage in STAGES),
        trainings=collect_trainings(project),
        submissions=_list_submissions(project, recipe),
        composition=_list_composition(recipe),
        recipe=recipe.to_json(),
    )
    return results.headline, render("results.html", results=results)


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


def _make_ladder(found: Climb) -> Ladder:
    rows = []
    for rung in found.rungs:
        gain = rung.gain
        cells = (
            text_cell(rung.name),
            *(number_cell(term) for term in (*rung.terms, rung.score)),
            Cell("", "") if gain is None else Cell(_say_gain(gain.gain, gain.error), gain.gain),
        )
        rows.append(Row(cells, kept=rung is found.rungs[-1]))
    first, last = found.rungs[0], found.rungs[-1]
    plot = draw_ladder(
        [rung.name for rung in found.rungs],
        [rung.score for rung in found.rungs],
        [r.gain.error if math.isfinite(r.gain.error) else 0.0 for r in found.rungs if r.gain],
        text=f"The score rises from {first.score:.4f}, {first.name}, to {last.score:.4f}.",
    )
    words = (*(TERM_WORDS[term] for term in TERMS), "score")
    columns = ("step", *words, "gain")
    caption = f"Each step adds to the one above; {len(found.shown):,} photographs"
    return Ladder(len(found.shown), plot, Table(caption, columns, tuple(rows)))


def _collect_stage(project: Project, recipe: Recipe, found: Summary) -> StageResults:
    stage: Stage = found["stage"]
    storage = project.config.blend.storage or project.workspace.study_file
    tables = [
        _table_members(project, stage, _recipe_of(recipe, stage), found),
        _table_blends(project, found),
        *([_table_folds(found)] if len(found["folds"]) > 1 else []),
        *([_table_views(found)] if len(found["views"]) > 1 else []),
    ]
    return StageResults(
        name=stage,
        tables=tuple(tables),
        verdicts=tuple(verdict["sentence"] for verdict in found["judged"]),
        notes=tuple(found["notes"]),
        search=tuple(plot_search(storage, found["study"], stage=stage)),
    )


def _recipe_of(recipe: Recipe, stage: Stage) -> StageRecipe:
    return recipe.restoration if stage == "restoration" else recipe.colorization


def _table_members(project: Project, stage: Stage, recipe: StageRecipe, found: Summary) -> Table:
    terms = STAGE_TERMS[stage]
    alone = {row["name"]: row for row in found["rows"]}
    worth = {row["member"]: row["worth"] for row in found["leave_one_out"]}
    rows = []
    for member in project.members(stage):
        weight, row = recipe.weights.get(member.name, 0.0), alone.get(member.name, {})
        cells = (
            text_cell(member.name),
            text_cell(member.kind),
            number_cell(weight, "share", weight),
            text_cell(_name_views(recipe.views.get(member.name, ()) if weight else ())),
            *(number_cell(row.get(term)) for term in (*terms, "score")),
            number_cell(worth.get(member.name), "gain"),
        )
        rows.append(Row(cells, kept=weight > 0))
    words = [*(TERM_WORDS[term] for term in terms), "score"]
    columns = ("member", "kind", "weight", "view", *words, "gain in the blend")
    return Table("Members alone, and their part in the blend", columns, tuple(rows))


def _table_blends(project: Project, found: Summary) -> Table:
    stage: Stage = found["stage"]
    terms = STAGE_TERMS[stage]
    members = {member.name for member in project.members(stage)}
    rows = [
        Row(
            (
                text_cell(row["name"]),
                *(number_cell(row[term]) for term in (*terms, "score")),
                number_cell(found["cross_fitted"].get(row["name"], {}).get("score")),
                number_cell(row["forward_passes"], "count"),
            ),
            kept=row["name"] == found["kept"],
        )
        for row in found["rows"]
        if row["name"] not in members
    ]
    words = [*(TERM_WORDS[term] for term in terms), "score"]
    columns = ("blend", *words, "cross-fitted", "passes")
    return Table(f"Blends, scored on {found['photographs']:,} photographs", columns, tuple(rows))


def _table_folds(found: Summary) -> Table:
    folds = [str(fold) for fold in found["folds"]]
    rows = [
        Row(
            (text_cell(row["name"]), *(number_cell(row["folds"][k]["score"]) for k in folds)),
            kept=row["name"] == found["kept"],
        )
        for row in found["rows"]
    ]
    return Table("Score by fold", ("blend", *(f"fold {fold}" for fold in folds)), tuple(rows))


def _name_views(views: Sequence[View]) -> str:
    return f"all {len(VIEWS)}" if set(views) == set(VIEWS) else " ".join(views)


def _table_views(found: Summary) -> Table:
    rows = [
        Row(
            (
                text_cell(row["views"]),
                number_cell(row["score"]),
                number_cell(row["gain"], "gain"),
                number_cell(row["forward_passes"], "count"),
            )
        )
        for row in found["views"]
    ]
    return Table("The kept blend by views", ("view", "score", "gain", "passes"), tuple(rows))


def _list_submissions(project: Project, recipe: Recipe) -> Table:
    workspace, rows = project.workspace, []
    for sent in read_history(workspace):
        path = workspace.submission_file(sent.name)
        state = "replaced" if sent.replaced else judge_submission(project, recipe, path)
        rows.append(
            Row(
                (
                    text_cell(path.name),
                    text_cell(sent.made[:16].replace("T", " ")),
                    text_cell(", ".join(filter(None, [state, sent.note]))),
                    number_cell(sent.expected),
                    number_cell(sent.public),
                )
            )
        )
    columns = ("submission", "made", "state", "expected", "public")
    return Table(
        "Zips, with what was expected of them and what the board gave", columns, tuple(rows)
    )


def _list_composition(recipe: Recipe) -> Table:
    options = recipe.composition
    weight = "" if options.hue == "none" else write_number(options.prior_weight, "share")
    told: Sequence[tuple[str, str]] = (
        ("paste-back", "yes" if options.paste_back else "no"),
        ("luma lock", "yes" if options.luma_lock else "no"),
        ("blend of color", options.chroma),
        ("moved hues", options.hue),
        ("prior", weight or "none"),
        ("data range", options.data_range),
    )
    rows = tuple(Row((text_cell(name), text_cell(value))) for name, value in told)
    return Table("Composition", ("option", "chosen"), rows)
