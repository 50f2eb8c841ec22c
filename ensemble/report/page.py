"""Pages of one file: templates, tables and pictures; no page refers to anything outside it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from ensemble.errors import printable
from ensemble.report.glossary import GLOSSARY

QUALITY = 80
"""Of WebP: about one bit a pixel."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: As it is read.
        value: What a column is sorted by: a number, or a text.
        share: Length of a bar in the cell, 0..1; None for none.
    """

    text: str
    value: float | str
    share: float | None = None


@dataclass(frozen=True)
class Row:
    """One row of a table; `kept` marks the one that counts."""

    cells: tuple[Cell, ...]
    kept: bool = False


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by each column.

    Attributes:
        caption: What it shows.
        columns: Words of the glossary, or other words.
        rows: As many cells a row as there are columns; the first is the row's name.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers, and perhaps empty cells."""
        return any(not isinstance(row.cells[column].value, str) for row in self.rows)


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes:
        source: A data URI.
        alt: What it shows, for those who do not see it.
        width: Pixels.
        height: Pixels.
    """

    source: str
    alt: str
    width: int
    height: int


def render(template: str, **context: Any) -> str:
    """Fill a template of `templates/`; every value is escaped unless it is markup made here.

    Control characters of a text, but for ends of lines, are shown by their escapes.

    The glossary of the page has the words that it links.

    Args:
        template: Its file name.
        context: What it names; a name that is missing is an error.
    """
    environment = Environment(
        loader=PackageLoader("ensemble.report"),
        autoescape=True,
        finalize=_show,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template)
    linked = set(re.findall('href="#word-([^"]*)"', page.render(glossary=GLOSSARY, **context)))
    words = {key: text for key, text in GLOSSARY.items() if key.replace(" ", "-") in linked}
    return page.render(glossary=words, **context)


def _show(value: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(map(printable, value.split("\n")))


def text_cell(text: object) -> Cell:
    """A cell that is sorted by its text."""
    return Cell(str(text), str(text))


def number_cell(
    value: float | None,
    style: Literal["score", "gain", "count", "share"] = "score",
    share: float | None = None,
) -> Cell:
    """A cell that is sorted by its number; None is empty, and sorted last."""
    if value is None:
        return Cell("", "")
    return Cell(write_number(value, style), float(value), share)


def write_number(value: float, style: str = "score") -> str:
    """A number as pages show it, with a true minus sign.

    >>> write_number(0.57123), write_number(-0.0123, "gain"), write_number(0.251, "share")
    ('0.5712', '−0.0123', '25.1 %')
    >>> write_number(-0.00001, "gain")
    '+0.0000'
    """
    formats = {"score": "{:.4f}", "gain": "{:+z.4f}", "count": "{:,.0f}", "share": "{:.1%}"}
    return formats[style].format(value).replace("-", "−").replace("%", " %")


def embed(pixels: NDArray[np.uint8], alt: str, *, side: int) -> Picture:
    """Make a picture part of the page.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
        alt: What it shows.
        side: It is reduced until its longer side has so many pixels at most.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY, method=4)
    data = base64.b64encode(content.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{data}", alt, image.width, image.height)
