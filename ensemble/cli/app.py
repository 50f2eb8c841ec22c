"""The index of verbs: what `ens` can do, in the order a competitor does it.

What `ens --help` does not need is imported where it is used. It is plain text, because rich's
Markdown takes as long to import as all the rest; the help of a verb is drawn by rich.
"""

from __future__ import annotations

import signal
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from ensemble import __version__
from ensemble.errors import EnsembleError, explain_os_error, printable

HELP = """K-fold ensembles and submissions for DACON 236420.

The path from data to a zip:

\b
    ens folds
    ens train --fold 0..4
    ens blend --trials 200
    ens submit

Without the competition's data, `ens demo` makes some. `ens status` says what is next.
"""

VERBS = {
    "init": "Write an ens.toml with every setting, its default and what it means.",
    "demo": "Make a small data set of real photographs in the competition's layout.",
    "doctor": "Check the machine and the data, and say the hours and gigabytes a run will take.",
    "folds": "Write folds.csv: photographs of one scene in one fold, folds of equal size and "
    "difficulty.",
    "explore": "Write one HTML page on the data: samples, colors, holes, near-duplicates, folds.",
    "train": "Train the members of ens.toml and cache their out-of-fold predictions.",
    "blend": "Tune weights, views and composition on out-of-fold predictions.",
    "submit": "Predict the test photographs and build a verified zip.",
    "predict": "Restore and color photographs of any kind and size.",
    "history": "List submissions with their expected and public scores, and how the two agree.",
    "compare": "Show where two submissions differ, photograph by photograph, the most first.",
    "score": "Score predictions exactly as the competition does.",
    "damage": "Locate the holes and draw their outlines, the doubtful ones first.",
    "status": "Show what is trained, cached, tuned and stale, and the next command.",
    "report": "Write one HTML page to send around: scores, curves, photographs, the recipe.",
    "oof": "Refill the cache of out-of-fold predictions, or import a teammate's.",
}
"""Every verb, in the order a competitor needs them, and the first line of its help."""

GO_ON = "interrupted; run the same command again to go on"
INTERRUPTED = 130
"""The status that typer ends with on Ctrl-C."""


class Verbs(TyperGroup):
    """Imports a verb when it is called: `ens --help` needs the lines of `VERBS` alone."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, short_help=line) for name, line in VERBS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, imported."""
        if args[0] in VERBS:
            self.commands[args[0]] = load_verb(args[0])
        return super().resolve_command(ctx, args)


def load_verb(name: str) -> Any:
    """The command of `ensemble.cli.<name>`: its function of that name, or its app of several."""
    module = import_module(f"ensemble.cli.{name}")
    verb = getattr(module, "app", None)
    if verb is None:
        verb = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        verb.command(name)(getattr(module, name))
    command = typer.main.get_command(verb)
    command.name = name
    return command


app = typer.Typer(
    cls=Verbs,
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
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
    from ensemble.cli.context import Context, open_terminal
    from ensemble.config import Config, load_config
    from ensemble.workspace import Workspace

    workspace = Workspace(root)
    # `ens init --force` replaces the settings, which need not be readable for that.
    replaced = ctx.invoked_subcommand == "init"
    config = Config() if replaced else load_config(workspace.config_file)
    ctx.obj = Context(workspace, config, open_terminal())


def main(arguments: list[str] | None = None) -> None:
    """Run `ens`.

    An error of the toolkit, or one of the machine (a file that cannot be read or written, a full
    disk, too little memory), prints its text alone and exits with status 2. Any other error is a
    fault of the program and keeps its traceback.
    """
    threading.excepthook = _explain_in_thread
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(arguments)
    except EnsembleError as error:
        _end(str(error))
    except OSError as error:
        _end(explain_os_error(error))
    except MemoryError:
        _end("there is not enough memory for this; free some, or work on less at once")
    except KeyboardInterrupt:
        _complain(GO_ON)
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _complain(GO_ON)
        raise


def _explain_in_thread(failure: threading.ExceptHookArgs) -> None:
    """Tell an error of the machine in a thread, such as TensorBoard's on a full disk, in a line."""
    if isinstance(failure.exc_value, OSError):
        _complain(f"error: {explain_os_error(failure.exc_value)}", style="red")
    else:
        threading.__excepthook__(failure)


def _end(text: str) -> NoReturn:
    _complain(f"error: {text}", style="red")
    sys.exit(2)


def _complain(text: str, style: str = "") -> None:
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text(printable(text), style), soft_wrap=True)


if __name__ == "__main__":
    main()
