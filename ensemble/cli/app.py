"""The index of verbs: what `ens` can do, in the order a competitor does it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ensemble import __version__
from ensemble.cli import (
    blend,
    damage,
    demo,
    folds,
    init,
    oof,
    report,
    score,
    status,
    submit,
    train,
)
from ensemble.cli.context import Context
from ensemble.config import Config, load_config
from ensemble.errors import EnsembleError
from ensemble.workspace import Workspace

HELP = """Honest k-fold ensembles and submissions for DACON 236420.

The path from data to a zip:

    ens folds
    ens train --fold 0..4
    ens blend --trials 200
    ens submit

Without the competition's data, `ens demo` makes some. `ens status` says what is next.
"""

INTERRUPTED = 130
"""The status that typer ends with on Ctrl-C."""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _open(
    ctx: typer.Context,
    root: Annotated[
        Path, typer.Option(envvar="ENS_ROOT", help="The folder to work in.", file_okay=False)
    ] = Path(),
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    workspace = Workspace(root)
    # `ens init --force` replaces the settings, which need not be readable for that.
    replaced = ctx.invoked_subcommand == "init"
    config = Config() if replaced else load_config(workspace.config_file)
    ctx.obj = Context(workspace, config, Console())


app.command("init")(init.init)
app.command("demo")(demo.demo)
app.command("folds")(folds.folds)
app.command("train")(train.train)
app.add_typer(oof.app, name="oof")
app.command("blend")(blend.blend)
app.command("submit")(submit.submit)
app.command("score")(score.score)
app.command("damage")(damage.damage)
app.command("status")(status.status)
app.command("report")(report.report)


def main(arguments: list[str] | None = None) -> None:
    """Run `ens`; a known error prints its text alone and exits with status 2."""
    try:
        app(arguments)
    except EnsembleError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            Console(stderr=True).print("interrupted; run the same command again to go on")
        raise


if __name__ == "__main__":
    main()
