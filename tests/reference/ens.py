"""`ens` as a user runs it, in this process."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from ensemble.cli.app import main


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """What it printed, on one line."""
        return " ".join(self.out.split())


def run_ens(root: Path, *arguments: object) -> Said:
    """Run `ens --root ROOT ARGUMENTS`.

    The verb, and texts that begin with a flag, are split at their blanks, as `"--fold 0"`; others
    are taken as they are, for a name may have blanks in it, or be empty.
    """
    words: list[str] = []
    for argument in map(str, arguments):
        words += argument.split() if not words or argument.startswith("--") else [argument]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        main(["--root", str(root), *("".join(word) for word in words)])  # plain `str`, as typed
    return Said(int(end.value.code or 0), out.getvalue(), err.getvalue())
