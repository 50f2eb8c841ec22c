"""One self-contained HTML page: the tables behind the recipe, and contact sheets."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from ensemble.report.blend_tables import Summary, list_sentences, make_tables

WIDTH = 110

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fafaf8; }}
pre {{ background: #fff; border: 1px solid #ddd; padding: 1rem; overflow-x: auto; }}
img {{ max-width: 100%; border: 1px solid #ddd; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def build_page(
    *,
    title: str,
    stages: Mapping[str, Summary],
    recipe: str,
    pictures: Sequence[tuple[str, bytes]],
) -> str:
    """Build the page; it refers to no other file.

    Args:
        title: Heading of the page.
        stages: By stage, the content of `scores.json`.
        recipe: `recipe.json`, to be shown as it is.
        pictures: (caption, PNG bytes).
    """
    sections = [_stage(name, summary) for name, summary in stages.items()]
    sections += [_picture(caption, content) for caption, content in pictures]
    sections.append(f"<h2>Recipe</h2>\n<pre>{html.escape(recipe)}</pre>")
    return PAGE.format(title=html.escape(title), body="\n".join(sections))


def _stage(name: str, summary: Summary) -> str:
    text = "".join(f"<p>{html.escape(sentence)}</p>\n" for sentence in list_sentences(summary))
    tables = "".join(f"<pre>{_rendered(table)}</pre>\n" for table in make_tables(summary))
    return f"<h2>{html.escape(name)}</h2>\n{text}{tables}"


def _rendered(table: Any) -> str:
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True)
    console.print(table)
    return console.export_html(inline_styles=True, code_format="{code}")


def _picture(caption: str, content: bytes) -> str:
    data = base64.b64encode(content).decode("ascii")
    text = html.escape(caption)
    return f'<h2>{text}</h2>\n<img alt="{text}" src="data:image/png;base64,{data}">'
