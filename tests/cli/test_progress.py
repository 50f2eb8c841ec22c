from __future__ import annotations

import io

from rich.console import Console

from ensemble.cli.progress import progress_bar


def drawn(*, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80)
    with progress_bar(console, "scoring", 7) as advance:
        advance(2)
        advance(3)
    return file.getvalue()


def test_a_terminal_sees_how_far_it_is() -> None:
    shown = drawn(terminal=True)
    assert "scoring" in shown
    assert "5/7" in shown


def test_a_file_sees_nothing() -> None:
    assert drawn(terminal=False) == ""
