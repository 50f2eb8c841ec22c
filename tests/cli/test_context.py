from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ensemble.cli.context import Context
from ensemble.config import Config
from ensemble.workspace import Workspace


def context(root: str, file: io.StringIO | None = None) -> Context:
    console = Console(file=file or io.StringIO(), width=40, force_terminal=True)
    return Context(Workspace(Path(root)), Config(), console)


@pytest.mark.parametrize(
    ("environment", "root", "command"),
    [
        (None, ".", "ens train --fold all"),
        (None, "demo", "ens --root demo train --fold all"),
        (None, "/data/my work", "ens --root '/data/my work' train --fold all"),
        ("", ".", "ens train --fold all"),
        ("demo", "demo", "ens train --fold all"),
        ("demo", "other", "ens --root other train --fold all"),
        ("demo", ".", "ens --root . train --fold all"),
    ],
)
def test_a_command_repeats_a_root_that_was_given(
    environment: str | None, root: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENS_ROOT", raising=False)
    if environment is not None:
        monkeypatch.setenv("ENS_ROOT", environment)
    assert context(root).command("train --fold all") == command


def test_what_is_said_is_printed_as_it_is() -> None:
    file = io.StringIO()
    said = "wrote /a/rather/long/path/[bold]/with 3 brackets/in it.html"
    context(".", file).say(said)
    assert file.getvalue() == said + "\n"


def test_reading_the_data_for_the_first_time_is_shown(make_workspace) -> None:
    workspace, config = make_workspace(n_train=6)
    for path in workspace.data.rglob("*.png"):
        os.utime(path, (0, 0))
    shown = []
    for _ in range(2):
        file = io.StringIO()
        opened = replace(context(".", file), workspace=workspace, config=config).open_project()
        assert opened.digests["data"] == opened.competition.digest()
        shown.append(file.getvalue())
    assert "hashing photographs" in shown[0]
    assert "6/6" in shown[0]
    assert shown[1] == ""
