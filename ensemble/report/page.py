"""Pages of one file: templates and pictures; no page refers to anything outside it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from typing import Any

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


def embed(pixels: NDArray[np.uint8], alt: str, *, side: int) -> Picture:
    """Make (H, W) or (H, W, 3) uint8 part of the page, its longer side `side` pixels at most."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY, method=4)
    data = base64.b64encode(content.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{data}", alt, image.width, image.height)
