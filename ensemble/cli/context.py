"""What every verb is given: where to work, with what settings, and where to print."""

from __future__ import annotations

from dataclasses import dataclass

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
