"""`ens report`: one page with the scores, verdicts and pictures behind a recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ensemble.cli.context import Context
from ensemble.errors import MissingArtefactError, StaleArtefactError, printable
from ensemble.workspace import Workspace, atomic_write


def report(
    ctx: typer.Context,
    output: Annotated[Path | None, typer.Option(help="HTML file to write.")] = None,
) -> None:
    """Write one self-contained HTML page: scores, verdicts, the recipe, and contact sheets.

    Needs `ens blend`; shows the sheets that `ens submit` and `ens damage` drew, if any.

    Examples:

        ens report
    """
    from ensemble.report.page import build_page  # loads numba, which help does not need

    context: Context = ctx.obj
    workspace = context.workspace
    for due in (workspace.table_file, workspace.recipe_file):
        if not due.exists():
            raise MissingArtefactError(f"`{due}` is not there; run `ens blend`")
    path = output or workspace.root / "report.html"
    page = build_page(
        title=f"ens: {printable(workspace.root.resolve().name)}",
        stages=_stages(workspace),
        recipe=workspace.recipe_file.read_text(encoding="utf-8", errors="replace"),
        pictures=_pictures(workspace),
    )
    atomic_write(path, page)
    context.say(f"wrote {path}")
    context.say("next: open it in a browser")


def _stages(workspace: Workspace) -> Mapping[str, Any]:
    try:
        stages: Mapping[str, Any] = json.loads(workspace.table_file.read_bytes())["stages"]
    except (ValueError, TypeError, KeyError):
        raise StaleArtefactError(
            f"`{workspace.table_file}` is not what `ens blend` writes; run it again"
        ) from None
    return stages


def _pictures(workspace: Workspace) -> list[tuple[str, bytes]]:
    sheets = [
        *sorted(workspace.submissions.glob("*.png")),
        *sorted(workspace.root.glob("damage-*.png")),
    ]
    return [(sheet.stem, sheet.read_bytes()) for sheet in sheets]
