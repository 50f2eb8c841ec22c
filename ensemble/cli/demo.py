"""`ens demo`: real photographs in the competition's layout, to try everything on."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from ensemble.cli.context import Context
from ensemble.config import Config
from ensemble.config_text import config_text
from ensemble.data.demo import build_demo
from ensemble.data.photographs import MASK_FOLDER
from ensemble.errors import ConfigError
from ensemble.files import atomic_write


def demo(
    ctx: typer.Context,
    size: Annotated[int, typer.Option(min=32, help="Side of the photographs in pixels.")] = 96,
    train: Annotated[int, typer.Option(min=4, max=10_000, help="Training pairs.")] = 96,
    test: Annotated[int, typer.Option(min=1, max=10_000, help="Test photographs.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the crops and the damage.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier demo set.")] = False,
) -> None:
    """Make a small data set of real photographs in the competition's layout.

    They are crops of the photographs that scikit-image and scikit-learn ship; the test targets are
    kept apart in data/test_target for scoring. Where there is no ens.toml, one is written that
    trains in minutes on a CPU, from random weights.

    Examples:

        ens --root demo demo

        ens --root demo demo --size 128 --train 200 --force
    """
    context: Context = ctx.obj
    workspace, say = context.workspace, context.say
    if workspace.data.exists() and not force:
        raise ConfigError(
            f"`{workspace.data}` is there already; give --force to replace an earlier demo set"
        )
    masks = workspace.data / MASK_FOLDER
    if masks.exists():
        raise ConfigError(f"`{masks}` holds masks drawn by hand, which are never replaced; move it")
    build_demo(workspace.data, size=size, n_train=train, n_test=test, seed=seed)
    say(f"wrote {workspace.data}: {train} training pairs, {test} test photographs, {size} px")
    first = ""
    if not workspace.config_file.exists():
        heading = "Settings for the demo: small photographs, random weights, minutes on a CPU."
        atomic_write(workspace.config_file, config_text(_settings(size), heading=heading))
        say(f"wrote {workspace.config_file}")
    elif context.config.data.size != size:
        first = f"set `size = {size}` under [data] in {workspace.config_file}, then: "
    groups = shlex.quote(str(workspace.data / "groups.csv"))
    say(f"next: {first}{context.command(f'folds --groups {groups}')}")


def _settings(size: int) -> Config:
    config = Config().replace("data", size=size).replace("folds", n_folds=3)
    return config.replace(
        "training",
        encoder_weights="none",
        epochs=3,
        patience=0,
        batch_size=8,
        learning_rate=1e-3,
    )
