"""Tables that never cut a name and take nothing for markup: the one place that prints them.

Where the output is no terminal, a table takes the width it needs. In a terminal that is too
narrow, whole columns are left out, the least important first, and named below the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ensemble.errors import printable

_WIDEST = 10_000


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str  # its heading
    number: bool = False  # whether it is aligned to the right
    drop: int = 0  # 0 is never left out; of the others the highest goes first, of equals the last


class FittingTable(Table):
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


def show_table(console: Console, table: FittingTable) -> None:
    """Print a table, see above.

    Args:
        console: Where to.
        table: Its columns are taken out if they have to go.
    """
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


def measure_width(table: Table) -> int:
    """The characters that the columns of a table take if nothing is cut or wrapped."""
    console, titled = Console(width=_WIDEST), table.min_width
    table.min_width = None
    found = console.measure(table).maximum
    table.min_width = titled
    return found


def plain(text: str) -> Text:
    """Text for a cell, as it is: brackets are no markup, control characters are shown."""
    return Text(printable(text))
