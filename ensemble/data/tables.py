"""CSV tables: read from people, trusting nothing, with the row in every error; and written."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensemble.data.png import is_png
from ensemble.errors import DataError, EnsembleError
from ensemble.files import atomic_write
from ensemble.reading import read_bytes, shorten


def read_columns(
    path: Path, columns: Sequence[str], *, by_position: bool
) -> list[tuple[int, tuple[str, ...]]]:
    """Read some columns of a CSV, wherever in it they are.

    It is UTF-8, with a header, a byte order mark or not. The standard library reads: it gives the
    row of each cell, and pandas takes longer to import than most commands to run. Columns of other
    names are taken `by_position`, if there are exactly as many as due and the first line does not
    look like photographs already.

    Returns:
        For each row that is not blank its number, as an editor counts it, and its cells in the
        order of `columns`, without surrounding blanks.

    Raises:
        DataError: It is not a CSV in UTF-8, a column is missing, or a cell is empty.
    """
    content = read_bytes(path)
    rows: list[tuple[int, tuple[str, ...]]] = []
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        positions = _positions(path, next(reader, []), columns, by_position)
        for row in filter(None, reader):
            cells = tuple(row[p].strip() if p < len(row) else "" for p in positions)
            rows.append((reader.line_num, cells))
            _check_cells(path, *rows[-1], columns)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"`{path}` is not a CSV in UTF-8: {shorten(str(error))}; save it as one"
        ) from None
    return rows


def read_numbers(path: Path) -> dict[str, tuple[float, ...]]:
    """Read a CSV of finite numbers that `ens` wrote and nothing depends on.

    Returns:
        Each column; none at all where the file is missing, or is no such table.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_bytes(path).decode(), newline="")))
        columns = zip(rows[0], *(map(float, row) for row in rows[1:] if row), strict=True)
        table = {str(name): tuple(map(float, numbers)) for name, *numbers in columns}
    except (EnsembleError, ValueError, IndexError, csv.Error):
        return {}
    finite = all(math.isfinite(number) for column in table.values() for number in column)
    return table if finite else {}


def write_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns of one length as a CSV, whole or not at all; floats in full precision."""
    import pandas as pd  # slow to import, and few commands write a table

    atomic_write(path, pd.DataFrame(dict(columns)).to_csv(index=False, lineterminator="\n"))


def _positions(
    path: Path, header: list[str], columns: Sequence[str], by_position: bool
) -> list[int]:
    names = [name.strip() for name in header]
    missing = [column for column in columns if column not in names]
    if not missing:
        return [names.index(column) for column in columns]
    if by_position and len(names) == len(columns) and not any(map(is_png, names)):
        return list(range(len(columns)))
    raise DataError(
        f"`{path}` must begin with a header of the columns {', '.join(columns)}, but "
        f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; its first line is "
        f"`{shorten(','.join(header))}`"
    )


def _check_cells(path: Path, number: int, cells: tuple[str, ...], columns: Sequence[str]) -> None:
    for column, cell in zip(columns, cells, strict=True):
        if not cell:
            raise DataError(f"`{path}`, row {number}: `{column}` is empty; fill the cell")
        if "\0" in cell:
            raise DataError(
                f"`{path}`, row {number}: `{column}` has a NUL character; save it as UTF-8 text"
            )
