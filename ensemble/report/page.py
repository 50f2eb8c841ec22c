"""Pages of one file: templates, tables and pictures; no page refers to anything outside it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from ensemble.errors import printable
from ensemble.report.glossary import GLOSSARY

QUALITY = 80
"""Of WebP: about one bit a pixel."""


class Cell(NamedTuple):
    """One cell of a table: its text, what its column is sorted by, and a bar's length, 0..1."""

    text: str
    value: float | str
    share: float | None = None


class Row(NamedTuple):
    """One row of a table; `kept` marks the one that counts."""

    cells: tuple[Cell, ...]
    kept: bool


class Table(NamedTuple):
    """A table that can be sorted by each column; the first cell of a row is its name."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Row]

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers, and perhaps empty cells."""
        return any(not isinstance(row.cells[column].value, str) for row in self.rows)


@dataclass(frozen=True)
class Picture:
    """A picture inside the page: a data URI, a text for those who do not see it, and pixels."""

    source: str
    alt: str
    width: int
    height: int


def render(template: str, **context: Any) -> str:
    """Fill a template of `templates/`; every value is escaped unless it is markup made here.

    Control characters of a text, but for ends of lines, are shown by their escapes. The glossary of
    the page has the words that it links. A name that is missing is an error.
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


def make_row(*cells: Cell | str, kept: bool = False) -> Row:
    """A row of cells; a text is sorted by itself."""
    return Row(tuple(one if isinstance(one, Cell) else Cell(one, one) for one in cells), kept)


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
    """Make (H, W) or (H, W, 3) uint8 part of the page, its longer side `side` pixels at most."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY, method=4)
    data = base64.b64encode(content.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{data}", alt, image.width, image.height)
