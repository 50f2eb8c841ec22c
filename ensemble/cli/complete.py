"""What the shell completes: members, folds, recipes and submissions of the workspace.

The shell waits for it at every press of the key, so nothing is opened but ens.toml and folders.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ensemble.errors import EnsembleError
from ensemble.vocabulary import FULL

if TYPE_CHECKING:
    from ensemble.config import Config
    from ensemble.workspace import Workspace


def complete_member(ctx: typer.Context, incomplete: str) -> list[str]:
    """The members that ens.toml names."""
    config = _config(ctx)
    names = [*config.restoration.members, *config.colorization.members] if config else []
    return _matching(names, incomplete)


def complete_folds(ctx: typer.Context, incomplete: str) -> list[str]:
    """Each fold, the range of all, and `all`."""
    config = _config(ctx)
    if config is None:
        return []
    n_folds = config.folds.n_folds
    return _matching([*map(str, range(n_folds)), f"0..{n_folds - 1}", "all"], incomplete)


def complete_training_folds(ctx: typer.Context, incomplete: str) -> list[str]:
    """The same, and `full`."""
    return [*complete_folds(ctx, incomplete), *_matching([FULL], incomplete)]


def complete_recipe(ctx: typer.Context, incomplete: str) -> list[str]:
    """JSON files: those of the folder that is typed, or of the workspace."""
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    here = folder.glob("*.json") if folder.is_dir() else []
    ours = [] if incomplete else _workspace(ctx).oof.glob("*.json")
    return _matching(map(str, [*here, *ours]), incomplete)


def complete_submission(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the submissions that are there."""
    zips = _workspace(ctx).submissions.glob("*.zip")
    return _matching([path.stem for path in zips], incomplete)


def _matching(names: Any, incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(sorted(names)) if name.startswith(incomplete)]


def _config(ctx: typer.Context) -> Config | None:
    from ensemble.config import load_config

    try:
        return load_config(_workspace(ctx).config_file)
    except EnsembleError:
        return None


def _workspace(ctx: typer.Context) -> Workspace:
    """The workspace that the words before name; the shell calls no verb."""
    from ensemble.workspace import Workspace

    given = ctx.find_root().params.get("root")
    return Workspace(Path(given or os.environ.get("ENS_ROOT") or "."))
