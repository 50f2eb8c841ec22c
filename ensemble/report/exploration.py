"""The page of `ens explore`: what the data is like, before any training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from ensemble.arrays import Mask
from ensemble.composition.hue_target import hue_histogram
from ensemble.data.competition import check_damage
from ensemble.errors import DataError
from ensemble.folds.sample import sample_groups
from ensemble.parallel import Progress, map_with_bar, silent
from ensemble.project import Project
from ensemble.report.fold_table import table_folds
from ensemble.report.holes import GOOD_IOU, measure_iou
from ensemble.report.page import Picture, embed, render
from ensemble.report.plots import Labels, Plot, draw_bars, draw_heat, draw_histogram, draw_hues
from ensemble.report.steps import trace
from ensemble.report.tables import Table, make_row, number_cell
from ensemble.vocabulary import counted

SIDE, GROUP_SIDE = 256, 144
SHOWN_SAMPLES, SHOWN_GROUPS, SHOWN_OF_A_GROUP, SHOWN_SUSPECTS = 12, 12, 6, 12
SLIDES_GROUPS, SLIDES_SINGLE = 2456, 2162
"""What the competition's slides found on its 29,603 photographs, by embeddings and clustering."""
JAGGED = 1.5
"""Pixels by which the rim of a drawn polygon strays from its sides."""


class Outlined(NamedTuple):
    """A damaged photograph with the rim of its hole, and the answer.

    The text says why it is shown, if it is no sample; the outline is an SVG path in pixels of a
    photograph of this (width, height).
    """

    name: str
    text: str
    pictures: tuple[Picture, Picture]
    outline: str
    size: tuple[int, int]


class Group(NamedTuple):
    """Near-duplicates: how many, in which fold, and the first of them."""

    size: int
    fold: int
    pictures: list[Picture]


class Look(NamedTuple):
    """What one photograph shows.

    Its hue histogram (180,) has the sum 1, the mask (H, W) bool is the true hole; see `name_shape`
    for the shape; `iou` is the overlap of the located hole with the true one.
    """

    image_id: str
    hues: NDArray[np.float64]
    lost_mask: Mask
    shape: str
    iou: float


def write_exploration(
    project: Project, findings: Sequence[str], *, count: int, progress: Progress = silent
) -> str:
    """Write the page: HTML.

    Of `count` photographs, in whole groups, every pixel is looked at; the findings are sentences
    that something else found, as `ens doctor`.
    """
    folds, seed = project.folds, project.config.seed
    project.photographs.prepare(progress)
    ids = sample_groups(folds.fold_of, folds.group_of, count=count, seed=seed)
    looks = map_with_bar(partial(_look, project), ids, what="looking", progress=progress)
    sizes = Counter(folds.group_of.values())
    described = project.photographs.describe()
    traits = dict(zip(project.competition.train_ids, described.traits, strict=True))
    height, width = project.competition.size
    n_test = len(project.competition.test_ids) if project.competition.has_test else 0
    return render(
        "exploration.html",
        title=project.workspace.root.resolve().name,
        summary=f"{len(folds.image_ids):,} photographs of {len(sizes):,} scenes to train on, and "
        f"{n_test:,} to test, {width} × {height} px.",
        looked_at=len(looks),
        samples=[_show(project, i, "") for i in ids[:: -(-len(ids) // SHOWN_SAMPLES)]],
        colors=_plot_colors(project, looks),
        holes=_plot_holes(project, looks),
        grouping=_say_grouping(list(sizes.values())),
        sizes=_table_sizes(list(sizes.values())),
        groups=_show_groups(project, sizes),
        balance=table_folds(folds, traits),
        findings=findings,
        suspects=_list_suspects(project, looks),
    )


def name_shape(lost_mask: Mask) -> str:
    """Name the shape of a hole: convex, star-shaped (one point sees all of it), or other.

    The competition draws polygons of three kinds; few corners make one of a kind look like another.

    >>> square = np.zeros((40, 40), dtype=bool)
    >>> square[8:32, 8:32] = True
    >>> name_shape(square)
    'convex'
    """
    rims, _ = cv2.findContours(lost_mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not rims:
        return "other"
    rim = max(rims, key=cv2.contourArea)
    corners = cv2.approxPolyDP(rim, JAGGED, True)[:, 0].astype(np.float64)
    if len(corners) < 4 or cv2.contourArea(cv2.convexHull(rim)) - cv2.contourArea(rim) <= (
        JAGGED / 2 * cv2.arcLength(rim, True)
    ):
        return "convex"
    return "star-shaped" if _measure_kernel(corners) >= -JAGGED else "other"


def _measure_kernel(corners: NDArray[np.float64]) -> float:
    """How far a point can lie inside of every side of a polygon (P, 2), in pixels."""
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(*sides.T)
    (x, y), (next_x, next_y) = corners.T, np.roll(corners, -1, axis=0).T
    inward = (
        np.sign(np.sum(x * next_y - y * next_x))
        * np.stack([-sides[:, 1], sides[:, 0]], axis=1)
        / lengths[:, None]
    )
    # Largest t with inward . (x - corner) >= t for every side.
    found = linprog(
        [0, 0, -1],
        A_ub=np.column_stack([-inward, np.ones(len(sides))]),
        b_ub=-np.sum(inward * corners, axis=1),
        bounds=[(None, None)] * 3,
    )
    return float(-found.fun) if found.success else -np.inf


def _look(project: Project, image_id: str) -> Look:
    photographs = project.photographs
    sample, located = photographs.train_sample(image_id), photographs.located(image_id)
    hues, lost = hue_histogram(sample.target), sample.damaged[sample.lost_mask]
    fill = int(np.bincount(lost, minlength=1).argmax())
    return Look(
        image_id=image_id,
        hues=hues / hues.sum(),
        lost_mask=sample.lost_mask,
        shape=name_shape(sample.lost_mask),
        iou=measure_iou(located, sample.lost_mask, sample.damaged, fill),
    )


def _show(project: Project, image_id: str, text: str) -> Outlined:
    sample = project.photographs.train_sample(image_id)
    height, width = sample.lost_mask.shape
    pictures = (
        embed(sample.damaged, f"{image_id}: the damaged input", side=SIDE),
        embed(sample.target, f"{image_id}: the answer", side=SIDE),
    )
    return Outlined(image_id, text, pictures, trace(sample.lost_mask), (width, height))


def _plot_colors(project: Project, looks: Sequence[Look]) -> tuple[Plot, ...]:
    bright, colorful, _ = project.photographs.describe().traits.T
    text = f"Brightness: median {np.median(bright):.0f} of 255."
    brightness = Labels("brightness", "Brightness", "mean gray, 0 to 255", text)
    text, x = f"Colorfulness: median {np.median(colorful):.0f}.", "Hasler and Suesstrunk, 0 to "
    colorfulness = Labels("colorfulness", "Colorfulness", f"{x}about 110", text)
    return (
        draw_histogram(bright, brightness),
        draw_histogram(colorful, colorfulness),
        draw_hues(np.mean([look.hues for look in looks], axis=0), name="hues"),
    )


def _plot_holes(project: Project, looks: Sequence[Look]) -> tuple[Plot, ...]:
    lost = project.photographs.describe().traits[:, 2]
    shapes = Counter(look.shape for look in looks)
    shares = {name: shapes[name] / len(looks) for name in ("convex", "star-shaped", "other")}
    told = ", ".join(f"{share:.0%} {name}" for name, share in shares.items())
    text = f"Lost: median {np.median(lost):.1%} of the pixels, at most {lost.max():.1%}."
    return (
        draw_heat(np.mean([look.lost_mask for look in looks], axis=0), name="heat"),
        draw_histogram(100 * lost, Labels("lost", "How large", "lost pixels, %", text)),
        draw_bars(shares, Labels("shapes", "Of which kind", "share", f"Shapes of holes: {told}.")),
    )


def _say_grouping(sizes: Sequence[int]) -> str:
    return (
        f"{counted(sum(n > 1 for n in sizes), 'group')} of two or more, and "
        f"{counted(sum(n == 1 for n in sizes), 'single photograph')}, among {sum(sizes):,}. The "
        f"competition's slides name {SLIDES_GROUPS:,} clusters among 29,603 and call "
        f"{SLIDES_SINGLE:,} photographs noise: "
        "they cluster what looks alike, while a group here shows one scene, which is what leaks "
        "from fold to fold."
    )


def _table_sizes(sizes: Sequence[int]) -> Table:
    rows = [
        make_row(*(number_cell(number, "count") for number in (size, times, size * times)))
        for size, times in sorted(Counter(sizes).items())
    ]
    return Table("Groups by size", ("photographs in a group", "groups", "photographs"), rows)


def _show_groups(project: Project, sizes: Mapping[str | int, int]) -> list[Group]:
    """The largest groups, each with its first photographs."""
    folds = project.folds
    members: dict[str | int, list[str]] = {}
    for image_id, group in folds.group_of.items():
        members.setdefault(group, []).append(image_id)
    largest = sorted(
        (group for group in sizes if sizes[group] > 1), key=lambda g: (-sizes[g], str(g))
    )
    return [
        Group(
            sizes[group],
            folds.fold_of[members[group][0]],
            [
                embed(project.photographs.target(image_id), image_id, side=GROUP_SIDE)
                for image_id in members[group][:SHOWN_OF_A_GROUP]
            ],
        )
        for group in largest[:SHOWN_GROUPS]
    ]


def _list_suspects(project: Project, looks: Sequence[Look]) -> list[Outlined]:
    """Photographs whose damage is unusual, then holes that are located badly, the worst first."""
    facts, image_ids = project.photographs.describe(), project.competition.train_ids
    height, width = project.competition.size
    told: dict[str, str] = {}
    damage = zip(image_ids, facts.traits[:, 2].tolist(), facts.flat.tolist(), strict=True)
    for image_id, *measured in damage:
        try:
            warning = check_damage(image_id, *measured, pixels=height * width)
        except DataError as error:
            warning = str(error)
        if warning:
            told[image_id] = warning
    for look in sorted(looks, key=lambda look: look.iou):
        if look.iou < GOOD_IOU:
            text = f"its hole is located with an IoU of {look.iou:.3f} only"
            told.setdefault(look.image_id, text)
    return [_show(project, *one) for one in list(told.items())[:SHOWN_SUSPECTS]]
