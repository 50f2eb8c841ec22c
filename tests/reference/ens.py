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

    The first argument is split at its blanks, as `"train --fold 0"`; the others are taken as they
    are, for a name may have blanks in it, or be empty.
    """
    first, *others = map(str, arguments)
    words = [*first.split(), *others]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        main(["--root", str(root), *words])
    return Said(int(end.value.code or 0), out.getvalue(), err.getvalue())
