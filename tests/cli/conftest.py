"""Running `ens` as a user does, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ensemble.cli.app import main


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def ens(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs `ens --root ROOT ARGUMENTS`."""

    def run(root: Path, *arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["--root", str(root), *map(str, arguments)])
        captured = capsys.readouterr()
        return Said(int(end.value.code or 0), captured.out, captured.err)

    return run
