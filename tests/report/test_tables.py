from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from ensemble.report.tables import (
    Column,
    Table,
    fit_table,
    make_row,
    make_table,
    measure_width,
    number_cell,
    plain,
    show_table,
)

NAME = "restoration-of-a-very-long-member-name"
COLUMNS = (
    Column("member"),
    Column("score", number=True, drop=1),
    Column("passes", number=True, drop=3),
    Column("hours", number=True, drop=2),
)


def filled(title: str = ""):
    table = make_table(title, *COLUMNS)
    table.add_row(NAME, "0.5762", "12", "3.25")
    return table


def printed(width: int, *, terminal: bool, title: str = "") -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    show_table(console, filled(title))
    assert console.width == width
    return console.file.getvalue()


@pytest.mark.parametrize("width", [10, 40, 80])
def test_where_it_is_no_terminal_everything_is_printed(width: int) -> None:
    text = printed(width, terminal=False, title="a title that is longer than the width" * 3)
    for word in (NAME, "0.5762", "passes", "3.25", "a title that is longer than the width" * 3):
        assert word in text
    assert "left out" not in text


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (80, []),
        (65, ["passes"]),
        (56, ["passes", "hours"]),
        (45, ["passes", "hours", "score"]),
    ],
)
def test_in_a_narrow_terminal_the_least_important_columns_go_first(
    width: int, left_out: list[str]
) -> None:
    text = printed(width, terminal=True)
    assert NAME in text
    table, _, said = text.partition("left out, for the width: ")
    assert said.strip() == ", ".join(left_out)
    for column in COLUMNS:
        assert (column.name in table) == (column.name not in left_out)
    assert max(map(len, table.splitlines())) <= width


def test_of_equally_important_columns_the_last_goes_first() -> None:
    table = make_table("", Column("a"), *(Column(f"fold {k}", drop=1) for k in range(3)))
    table.add_row("x", "0.1", "0.2", "0.3")
    assert fit_table(table, measure_width(table) - 1).left_out == ["fold 2"]


def test_nothing_in_a_table_is_markup_or_obeyed() -> None:
    name = "[bold]a[/b] :skull: \x1b[2J\n\u202e"
    table = make_table(name, Column(name), Column("b"))
    table.add_row(name, Text("styled", "red"))
    console = Console(file=io.StringIO(), width=200)
    show_table(console, table)
    shown = r"[bold]a[/b] :skull: \x1b[2J\n\u202e"
    assert console.file.getvalue().count(shown) == 3
    assert "styled" in console.file.getvalue()


def test_names_of_files_are_no_markup() -> None:
    assert plain("[bold]a\x1b.png").plain == "[bold]a\\x1b.png"


def test_a_table_of_a_page_is_printed_with_its_row_marked_and_its_least_columns_left_out() -> None:
    rows = [
        make_row("one", number_cell(0.5), number_cell(-0.0123, "gain"), "x"),
        make_row("another", number_cell(None), number_cell(1.0, "gain"), "y", kept=True),
    ]
    table = Table("a caption", ("name", "score", "gain", "note"), rows, least=("note", "gain"))

    def print_in(width: int) -> str:
        console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
        show_table(console, table)
        return console.file.getvalue()

    wide = print_in(80)
    for text in ("a caption", "one", "another (kept)", "0.5000", "-0.0123", "+1.0000"):
        assert text in wide
    assert "one (kept)" not in wide
    assert "left out, for the width: note" in print_in(40).splitlines()
    assert "left out, for the width: note, gain" in print_in(36).splitlines()


def test_a_column_of_numbers_may_have_empty_cells() -> None:
    rows = [make_row("a", number_cell(None), "x"), make_row("b", number_cell(1), "")]
    table = Table("", ("name", "score", "note"), rows)
    assert [table.is_number(i) for i in range(3)] == [False, True, False]
