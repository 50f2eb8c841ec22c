"""What every verb is given: where to work, with what settings, and where to print."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ensemble.config import Config
from ensemble.workspace import Workspace


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

    def command(self, verb: str) -> str:
        """What to type for a verb in this workspace, as `train --fold all`.

        `--root` is repeated as it was given, unless it is what `ens` would take without it.
        """
        root = self.workspace.root
        if root == Path(os.environ.get("ENS_ROOT") or "."):
            return f"ens {verb}"
        return f"ens --root {shlex.quote(str(root))} {verb}"

    def say(self, text: str) -> None:
        """Print a line as it is: never wrapped, and brackets are no markup."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
