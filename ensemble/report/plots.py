"""Plots as inline SVG, whose colors and font are those of the page around them, light or dark.

matplotlib draws them in stand-in colors, which are then replaced by variables of the page's style.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 4.0, 2.5
"""Inches of 96 CSS pixels: as wide as a phone, so that text there is as large as elsewhere."""

INK, MUTED, GRID = "#010101", "#010102", "#010103"
SERIES = tuple(f"#0101{16 + number:02x}" for number in range(6))
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line"} | {
    color: f"--series-{number}" for number, color in enumerate(SERIES)
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "legend.fontsize": 8,
}


class Labels(NamedTuple):
    """What is written at a plot, and its text; a distinct name keeps it apart on the page."""

    name: str
    title: str
    x: str
    text: str
    y: str = ""


@dataclass(frozen=True)
class Plot:
    """A plot, and what it shows in a sentence, for those who do not see it."""

    svg: Markup
    text: str


def draw(
    fill: Callable[[Axes], object], labels: Labels, *, size: tuple[float, float] = (WIDTH, HEIGHT)
) -> Plot:
    """Draw one plot that `fill` draws into the axes; `size` is in inches."""
    from matplotlib import rc_context  # slow to import
    from matplotlib.figure import Figure

    content = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": labels.name}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        fill(axes)
        axes.set(title=labels.title, xlabel=labels.x, ylabel=labels.y)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(content, format="svg", transparent=True, metadata=nothing)
    return Plot(Markup(_adapt(content.getvalue())), labels.text)


def draw_lines(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], labels: Labels
) -> Plot:
    """Draw named lines, each of x and y; single points are shown as such."""

    def fill(axes: Axes) -> None:
        for number, (label, (places, values)) in enumerate(lines.items()):
            color = SERIES[number % len(SERIES)]
            marker = "o" if len(places) <= 12 else ""
            axes.plot(places, values, color=color, label=label, marker=marker, markersize=3)
        if len(lines) > 1:
            axes.legend(ncols=2 if len(lines) > 3 else 1)

    return draw(fill, labels)


def draw_search(values: Sequence[float], labels: Labels) -> Plot:
    """Draw the values of trials as dots, and the best so far as a line."""

    def fill(axes: Axes) -> None:
        numbers = range(1, len(values) + 1)
        best = np.maximum.accumulate(values)
        axes.plot(numbers, values, "o", color=MUTED, alpha=0.6, markersize=2.5, label="each trial")
        axes.plot(numbers, best, color=SERIES[0], label="best so far")
        axes.legend(loc="lower right")

    return draw(fill, labels)


def draw_bars(bars: Mapping[str, float], labels: Labels) -> Plot:
    """Draw named horizontal bars, the first on top."""

    def fill(axes: Axes) -> None:
        axes.barh(np.arange(len(bars)), list(bars.values()), color=SERIES[0], height=0.62)
        _name_bars(axes, list(bars))

    return draw(fill, labels, size=(WIDTH, 0.8 + 0.26 * max(3, len(bars))))


def draw_ladder(
    names: Sequence[str], scores: Sequence[float], errors: Sequence[float], *, text: str
) -> Plot:
    """Draw each step from the score before it to its own, the first on top.

    `errors` are the standard errors of the gains, so one fewer than there are steps.
    """

    def fill(axes: Axes) -> None:
        places, ends = np.arange(len(names)), np.array(scores)
        starts = np.concatenate([[0.0], ends[:-1]])
        gains = ends - starts
        colors = [MUTED, *(SERIES[0] if gain >= 0 else SERIES[1] for gain in gains[1:])]
        axes.barh(places, gains, left=starts, color=colors, height=0.6)
        axes.errorbar(ends[1:], places[1:], xerr=errors, fmt="none", ecolor=INK, elinewidth=1)
        axes.set_xlim(left=min(0.0, float(ends.min())))
        _name_bars(axes, names)

    return draw(fill, Labels("ladder", "", "score", text), size=(WIDTH, 0.7 + 0.3 * len(names)))


def draw_hues(shares: NDArray[np.float64], *, name: str) -> Plot:
    """Draw a mean hue histogram (180,) of sum 1, each bar in its hue."""
    from matplotlib.colors import hsv_to_rgb  # slow to import

    def fill(axes: Axes) -> None:
        hues = np.arange(len(shares)) / len(shares)
        colors = hsv_to_rgb(
            np.stack([hues, np.full_like(hues, 0.75), np.full_like(hues, 0.85)], -1)
        )
        axes.bar(2 * np.arange(len(shares)), 100 * shares, width=2, color=colors)

    first, warm = float(shares[0]), float(np.concatenate([shares[:30], shares[-15:]]).sum())
    title, y = "Mean hue histogram", "% of the pixels"
    text = f"{title}: {first:.0%} are gray or pure red, {warm:.0%} are red to yellow."
    return draw(fill, Labels(name, title, "hue, degrees", text, y))


def draw_heat(shares: NDArray[np.float64], *, name: str) -> Plot:
    """Draw how often each pixel (H, W) is lost, 0..1."""

    def fill(axes: Axes) -> None:
        image = axes.imshow(100 * shares, cmap="viridis", vmin=0)
        axes.set_axis_off()
        bar = axes.figure.colorbar(image, ax=axes, label="lost in so many photographs, %")
        bar.outline.set_visible(False)

    text = f"Holes: each pixel is lost in {shares.min():.1%} to {shares.max():.1%} of photographs."
    return draw(fill, Labels(name, "Where holes lie", "", text), size=(3.2, HEIGHT))


def draw_histogram(values: NDArray[Any], labels: Labels) -> Plot:
    """Draw how often values (N,) occur, with their median."""

    def fill(axes: Axes) -> None:
        axes.hist(values, bins=30, color=SERIES[0])
        axes.axvline(float(np.median(values)), color=INK, linewidth=1, linestyle="--")

    return draw(fill, labels._replace(y="photographs"))


def _name_bars(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), list(names))
    axes.tick_params(axis="y", length=0, colors=INK)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def _adapt(svg: str) -> str:
    """The element alone, in the page's colors and font, without ids that repeat on a page."""
    svg = svg[svg.index("<svg") :]
    head, rest = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)
    rest = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    # Markers and clip paths are named by the plot's name; other names would be there twice.
    rest = re.sub(r' id="(?![mp][0-9a-f]{10}")[^"]*"', "", rest).replace("xlink:href", "href")
    rest = re.sub(r" font-family: [^;]*;", "", rest)
    for color, variable in _VARIABLES.items():
        rest = rest.replace(color, f"var({variable})")
    return f"<svg {view[0] if view else ''}>{rest}"
