"""Tables for pages and for the terminal, where no name is cut and nothing taken for markup.

Where the output is no terminal, a table takes the width it needs. In a terminal that is too
narrow, whole columns are left out, the least important first, and named below the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ensemble.errors import printable

_WIDEST = 10_000


class Cell(NamedTuple):
    """One cell of a table: its text, what its column is sorted by, and a bar's length, 0..1."""

    text: str
    value: float | str
    share: float | None = None


class Row(NamedTuple):
    """One row of a table; `kept` marks the one that counts."""

    cells: tuple[Cell, ...]
    kept: bool


class Table(NamedTuple):
    """A table as pages and the terminal show it; the first cell of a row is its name.

    A narrow terminal may leave out the columns `least`, the first of them first.
    """

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    least: tuple[str, ...] = ()

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers, and perhaps empty cells."""
        return any(not isinstance(row.cells[column].value, str) for row in self.rows)


def make_row(*cells: Cell | str, kept: bool = False) -> Row:
    """A row of cells; a text is sorted by itself."""
    return Row(tuple(one if isinstance(one, Cell) else Cell(one, one) for one in cells), kept)


def number_cell(
    value: float | None,
    style: Literal["score", "gain", "count", "share", "level"] = "score",
    share: float | None = None,
) -> Cell:
    """A cell that is sorted by its number; None is empty, and sorted last."""
    if value is None:
        return Cell("", "")
    return Cell(write_number(value, style), float(value), share)


def write_number(value: float, style: str = "score") -> str:
    """A number as pages show it, with a true minus sign.

    >>> write_number(0.57123), write_number(-0.0123, "gain"), write_number(0.251, "share")
    ('0.5712', '−0.0123', '25.1 %')
    >>> write_number(-0.00001, "gain")
    '+0.0000'
    """
    formats = {
        "score": "{:.4f}",
        "gain": "{:+z.4f}",
        "count": "{:,.0f}",
        "share": "{:.1%}",
        "level": "{:.1f}",
    }
    return formats[style].format(value).replace("-", "−").replace("%", " %")


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str  # its heading
    number: bool = False  # whether it is aligned to the right
    drop: int = 0  # 0 is never left out; of the others the highest goes first, of equals the last


class FittingTable(RichTable):
    """A table of rich that knows which of its columns may go."""

    drops: list[int]  # `Column.drop` of each column
    left_out: list[str]  # the headings of the columns that `fit_table` has taken out

    def add_row(self, *cells: Any, **style: Any) -> None:
        """Add a row; a cell is shown as it is, and a style of its own takes a `Text` of rich."""
        super().add_row(*(plain(one) if isinstance(one, str) else one for one in cells), **style)


def make_table(title: str, *columns: Column) -> FittingTable:
    """A table without rows; a title of "" is none."""
    table = FittingTable(
        title=plain(title) if title else None,
        title_justify="left",
        title_style="bold",
        min_width=len(title) + 2 if title else None,
    )
    table.drops, table.left_out = [column.drop for column in columns], []
    for column in columns:
        justify: Any = "right" if column.number else "left"
        table.add_column(plain(column.name), justify=justify, no_wrap=True)
    return table


def show_table(console: Console, table: Table | FittingTable) -> None:
    """Print a table, see above; of one of rich the columns are taken out if they have to go."""
    if isinstance(table, Table):
        table = _for_terminal(table)
    if console.is_terminal:
        console.print(fit_table(table, console.width))
        if table.left_out:
            console.print(f"left out, for the width: {', '.join(table.left_out)}", style="dim")
        return
    before = console.width
    console.width = max(before, measure_width(table), table.min_width or 0)
    console.print(table)
    console.width = before


def fit_table(table: FittingTable, width: int) -> FittingTable:
    """Take out columns until the table fits, or none is left that may go, and return it."""
    while measure_width(table) > width and any(table.drops):
        index = max(range(len(table.drops)), key=lambda i: (table.drops[i], i))
        table.left_out.append(str(table.columns[index].header))
        del table.columns[index], table.drops[index]
    table.min_width = min(table.min_width or 0, width)
    return table


def measure_width(table: RichTable) -> int:
    """The characters that the columns of a table take if nothing is cut or wrapped."""
    console, titled = Console(width=_WIDEST), table.min_width
    table.min_width = None
    found = console.measure(table).maximum
    table.min_width = titled
    return found


def plain(text: str) -> Text:
    """Text for a cell, as it is: brackets are no markup, control characters are shown."""
    return Text(printable(text))


def _for_terminal(table: Table) -> FittingTable:
    """The row that counts is marked in words, and minus signs are ASCII."""
    found = make_table(
        table.caption,
        *(
            Column(name, table.is_number(i), drop=_rank(name, table.least))
            for i, name in enumerate(table.columns)
        ),
    )
    for row in table.rows:
        name, *texts = (cell.text.replace("−", "-") for cell in row.cells)
        style = "green" if row.kept else ""
        found.add_row(f"{name} (kept)" if row.kept else name, *texts, style=style)
    return found


def _rank(name: str, least: Sequence[str]) -> int:
    return len(least) - least.index(name) if name in least else 0
