"""What verbs share: where to work, with what settings, where to print, and what `--fold` takes."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ensemble.config import Config
from ensemble.errors import ConfigError, printable
from ensemble.members import configured_members
from ensemble.parallel import Advance
from ensemble.vocabulary import STAGES
from ensemble.workspace import Workspace

if TYPE_CHECKING:
    from ensemble.project import Project
    from ensemble.report.tables import FittingTable, Table

SUBMISSION = "submission"
"""The zip's name unless another is given."""


class Terminal(Console):
    """A console that goes on where its reader has left: the work is done all the same."""

    def on_broken_pipe(self) -> None:
        """Print no more, nor what Python would print at its end."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def open_terminal() -> Terminal:
    """The console of this process; a dumb terminal is as wide as it says, too.

    What the encoding of the output does not have, such as Korean in ASCII, is shown by its escape.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    terminal = Terminal()
    if terminal.is_dumb_terminal:
        terminal.size = shutil.get_terminal_size((80, 25))
    return terminal


@dataclass(frozen=True)
class Context:
    """One call of `ens`: its workspace, the settings of `ens.toml`, and where results go."""

    workspace: Workspace
    config: Config
    console: Console

    def open_project(self, config: Config | None = None) -> Project:
        """Open the workspace's data and folds, and digest the data under a bar.

        `config` has what flags have changed; see `ensemble.project.open_project` for errors.
        """
        from ensemble.project import Project

        project = Project.open(self.workspace, config or self.config)
        project.competition.digest(self.progress)
        return project

    def command(self, verb: str) -> str:
        """What to type for a verb in this workspace, as `train --fold all`.

        `--root` is repeated as it was given, unless it is what `ens` would take without it.
        """
        root = self.workspace.root
        if root == Path(os.environ.get("ENS_ROOT") or "."):
            return f"ens {verb}"
        return f"ens --root {shlex.quote(str(root))} {verb}"

    def command_after_folds(self) -> str:
        """Training, or blending where no member is trained."""
        members = [one for stage in STAGES for one in configured_members(self.config, stage)]
        trained = any(member.kind == "trained" for member in members)
        return self.command("train --fold all" if trained else "blend --trials 200")

    def submit_command(self) -> str:
        """The command that builds the zip; with --force if a zip of that name exists."""
        taken = self.workspace.submission_file(SUBMISSION).exists()
        return self.command("submit --force" if taken else "submit")

    def say(self, text: str, style: str = "") -> None:
        """Print a line as it is: not wrapped, brackets no markup, control characters shown."""
        self.console.print(Text(printable(text), style), soft_wrap=True)

    def show(self, table: Table | FittingTable) -> None:
        """Print a table, with full names whatever the width."""
        from ensemble.report.tables import show_table

        show_table(self.console, table)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        """Show a bar while the block runs, unless the console is no terminal; see `Progress`."""
        if not self.console.is_terminal:  # rich before 14.3 would print an empty line
            yield lambda _: None
            return
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeRemainingColumn(),
        )
        with bars.Progress(*columns, console=self.console) as bar:
            task = bar.add_task(printable(what), total=total)
            yield lambda count: bar.advance(task, count)


def ends_in(suffix: str) -> Callable[[Path | None], Path | None]:
    """A callback of an option that names a file to write: any other kind is not replaced by it."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() != suffix:
            raise ConfigError(f"what is written must end in {suffix}, but is `{path}`; rename it")
        return path

    return check


def parse_folds(text: str, n_folds: int) -> tuple[int, ...]:
    """The folds that `--fold` names, ascending, each once.

    It has numbers and ranges (both ends included), separated by commas; or `all`.

    Raises:
        ConfigError: It is none of these, or names a fold there is not.

    >>> parse_folds("0,2..4", 5)
    (0, 2, 3, 4)
    """
    if text.strip() == "all":
        return tuple(range(n_folds))
    chosen: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last >= n_folds:
            raise ConfigError(
                f"--fold takes one of 0..{n_folds - 1}, several as `0,2`, a range as "
                f"`0..{n_folds - 1}`, or `all`, but got `{text}`"
            )
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))
