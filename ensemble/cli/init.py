"""`ens init`: a commented `ens.toml` to edit."""

from __future__ import annotations

from typing import Annotated

import typer

from ensemble.cli.context import Context
from ensemble.config import Config
from ensemble.config_text import config_text
from ensemble.errors import ConfigError
from ensemble.files import atomic_write
from ensemble.presets import preset_config, preset_names, preset_text


def init(
    ctx: typer.Context,
    preset: Annotated[
        str | None, typer.Option(help=f"One of: {', '.join(preset_names())}.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an ens.toml.")] = False,
) -> None:
    """Write an ens.toml with every setting, its default and what it means.

    A preset sets the members and what goes with them: those of the competition's slides, some for
    one GPU and some hours, or classical methods alone that need no training.

    Examples:

        ens init

        ens init --preset training-free
    """
    context: Context = ctx.obj
    path = context.workspace.config_file
    if path.exists() and not force:
        raise ConfigError(f"`{path}` is there already; edit it, or give --force to replace it")
    config, heading = Config(), "Settings of ens."
    if preset is not None:
        lines = preset_text(preset).splitlines()
        comments = [line[1:].strip() for line in lines if line[:1] == "#"]
        config, heading = preset_config(preset), "\n# ".join(comments) or preset
    atomic_write(path, config_text(config, heading=heading))
    context.say(f"wrote {path}")
    context.say(f"next: {_next(context)}")


def _next(context: Context) -> str:
    workspace = context.workspace
    if not workspace.data.exists():
        return f"put the competition's files in {workspace.data}, then: {context.command('folds')}"
    return context.command("status" if workspace.folds_file.exists() else "folds")
