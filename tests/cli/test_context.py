from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ensemble.cli.context import Context, parse_folds
from ensemble.config import Config
from ensemble.errors import ConfigError
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


def drawn(*, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80)
    with Context(Workspace(Path()), Config(), console).progress("scoring", 7) as advance:
        advance(2)
        advance(3)
    return file.getvalue()


def test_a_terminal_sees_how_far_it_is() -> None:
    shown = drawn(terminal=True)
    assert "scoring" in shown
    assert "5/7" in shown


def test_a_file_sees_nothing() -> None:
    assert drawn(terminal=False) == ""


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("0", (0,)),
        ("4", (4,)),
        ("0,2", (0, 2)),
        ("0..4", (0, 1, 2, 3, 4)),
        ("1..1", (1,)),
        ("all", (0, 1, 2, 3, 4)),
        (" all ", (0, 1, 2, 3, 4)),
        ("3,0", (0, 3)),
        ("2,1..3,2", (1, 2, 3)),
        (" 1 , 3 .. 4 ", (1, 3, 4)),
    ],
)
def test_folds_are_ascending_and_each_once(text: str, folds: tuple[int, ...]) -> None:
    assert parse_folds(text, 5) == folds


@pytest.mark.parametrize(
    "text",
    ["", ",", "5", "0,5", "0..5", "3..1", "-1", "1.5", "0-4", "first", "0 1", "all,0", "1.."],
)
def test_anything_else_is_told_what_may_be_given(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_folds(text, 5)
    assert str(error.value) == (
        f"--fold takes one of 0..4, several as `0,2`, a range as `0..4`, or `all`, but got `{text}`"
    )
