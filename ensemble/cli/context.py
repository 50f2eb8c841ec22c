"""The context of every verb: where to work, with what settings, and where to print."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ensemble.cli.progress import progress_bar
from ensemble.config import Config
from ensemble.errors import printable
from ensemble.workspace import Workspace

if TYPE_CHECKING:
    from ensemble.project import Project


@dataclass(frozen=True)
class Context:
    """Frozen context of one call of `ens`.

    Attributes:
        workspace: The folder given by `--root`.
        config: Its `ens.toml`, or the defaults.
        console: Where results are printed.
    """

    workspace: Workspace
    config: Config
    console: Console

    def open_project(self, config: Config | None = None) -> Project:
        """Open the workspace's data and folds, and digest the data under a bar.

        Args:
            config: The settings with what flags have changed; else those of `ens.toml`.

        Raises:
            DataError: The data is not as due.
            MissingArtefactError: `folds.csv` is not there yet.
            StaleArtefactError: It was made for other photographs.
        """
        from ensemble.project import Project

        project = Project.open(self.workspace, config or self.config)
        project.competition.digest(partial(progress_bar, self.console))
        return project

    def command(self, verb: str) -> str:
        """What to type for a verb in this workspace, as `train --fold all`.

        `--root` is repeated as it was given, unless it is what `ens` would take without it.
        """
        root = self.workspace.root
        if root == Path(os.environ.get("ENS_ROOT") or "."):
            return f"ens {verb}"
        return f"ens --root {shlex.quote(str(root))} {verb}"

    def say(self, text: str) -> None:
        """Print a line as it is: not wrapped, brackets no markup, control characters shown."""
        self.console.print(printable(text), highlight=False, markup=False, soft_wrap=True)
