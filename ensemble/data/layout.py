"""Which files make up the competition's data: from its CSVs, or paired by name without them.

Nothing is decoded here, and each folder is listed once: 29,603 pairs take a fraction of a second.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ensemble.errors import DataError, MissingFileError

TRAIN_COLUMNS = ("input_image_path", "gt_image_path")
TEST_COLUMNS = ("input_image_path",)
TRAIN_INPUT, TRAIN_GT, TEST_INPUT = "train_input", "train_gt", "test_input"
SAMPLE_SUBMISSION = "sample_submission.zip"


@dataclass(frozen=True)
class TrainFiles:
    """The files of one training photograph.

    Attributes:
        image_id: The stem of its file name, `TRAIN_00000`.
        target: The RGB photograph.
        damaged: The gray photograph with a hole; None where damage is to be simulated.
    """

    image_id: str
    target: Path
    damaged: Path | None


def find_train(folder: Path) -> tuple[TrainFiles, ...]:
    """Find the training photographs, in the CSV's order, or sorted by name without one.

    Where the folder of damaged photographs is not there at all, every `damaged` is None.

    Args:
        folder: `data/`, in the competition's layout.

    Returns:
        The files, all of which are there; empty if neither `train.csv` nor `train_gt/` is.

    Raises:
        MissingFileError: A file that the CSV lists, or the twin of another, is not there.
        DataError: The CSV has no such columns or an empty cell, or a photograph is there twice.
    """
    table = folder / "train.csv"
    if not table.is_file():
        return _pair_by_name(folder)
    rows = read_rows(table, TRAIN_COLUMNS)
    damaged, targets = ([_resolve(folder, row[column]) for row in rows] for column in (0, 1))
    _require_distinct(targets, table)
    _require_there(targets, table)
    if not any(parent.is_dir() for parent in {path.parent for path in damaged}):
        return tuple(TrainFiles(path.stem, path, None) for path in targets)
    _require_distinct(damaged, table)
    _require_there(damaged, table)
    return tuple(TrainFiles(t.stem, t, d) for t, d in zip(targets, damaged, strict=True))


def find_test(folder: Path) -> tuple[Path, ...]:
    """Find the damaged test photographs; as `find_train`, empty if there is no test set."""
    table = folder / "test.csv"
    if not table.is_file():
        return tuple(_list_pngs(folder / TEST_INPUT).values())
    paths = [_resolve(folder, row[0]) for row in read_rows(table, TEST_COLUMNS)]
    _require_distinct(paths, table)
    _require_there(paths, table)
    return tuple(paths)


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Read some columns of a CSV whose cells are paths of PNGs.

    Columns of other names are taken by position if there are exactly as many as due.

    Args:
        path: The CSV, UTF-8, with a header.
        columns: The names due.

    Returns:
        A row a photograph, cells without surrounding blanks.

    Raises:
        DataError: A column is missing and position leaves a doubt, there is no header, or a cell
            is empty.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"`{path}` is not a CSV in UTF-8: {error}") from None
    positions = _positions(path, [name.strip() for name in (rows or [[]])[0]], columns)
    cells = [tuple(row[p].strip() if p < len(row) else "" for p in positions) for row in rows[1:]]
    for number, values in enumerate(cells, start=1):
        if not all(values):
            empty = columns[values.index("")]
            raise DataError(f"`{path}`: photograph {number} has no `{empty}`; fill the cell")
    return cells


def _positions(path: Path, header: list[str], columns: Sequence[str]) -> list[int]:
    missing = [name for name in columns if name not in header]
    if not missing:
        return [header.index(name) for name in columns]
    if len(header) == len(columns) and not any(_is_png(name) for name in header):
        return list(range(len(columns)))
    raise DataError(
        f"`{path}` must begin with the header `{','.join(columns)}`, but {', '.join(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} missing; its first line is `{','.join(header)}`"
    )


def _pair_by_name(folder: Path) -> tuple[TrainFiles, ...]:
    targets = _list_pngs(folder / TRAIN_GT)
    damaged = _list_pngs(folder / TRAIN_INPUT)
    for lonely in sorted(targets.keys() ^ damaged.keys() if damaged else ()):
        path = targets.get(lonely) or damaged[lonely]
        twin = folder / (TRAIN_INPUT if lonely in targets else TRAIN_GT) / path.name
        raise MissingFileError(f"`{path}` must have a twin, but `{twin}` is not there")
    return tuple(TrainFiles(stem, path, damaged.get(stem)) for stem, path in targets.items())


def _list_pngs(folder: Path) -> dict[str, Path]:
    """The folder's PNGs by stem, sorted; empty if there is no such folder."""
    paths = [folder / name for name in sorted(_names_in(folder)) if _is_png(name)]
    _require_distinct(paths, folder)
    return {path.stem: path for path in paths}


def _names_in(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if not entry.name.startswith(".")}


def _resolve(folder: Path, cell: str) -> Path:
    return folder / PurePosixPath(cell.replace("\\", "/"))


def _require_distinct(paths: Iterable[Path], where: Path) -> None:
    seen: dict[str, Path] = {}
    for path in paths:
        first = seen.setdefault(path.stem, path)
        if first is not path:
            raise DataError(
                f"`{where}` must name every photograph once, but `{path.stem}` is there twice: "
                f"`{first}` and `{path}`"
            )


def _require_there(paths: Iterable[Path], table: Path) -> None:
    names: dict[Path, set[str]] = {}
    for path in paths:
        if path.parent not in names:
            names[path.parent] = _names_in(path.parent)
        if path.name not in names[path.parent]:
            raise MissingFileError(f"`{path}` is not there, but `{table}` lists it")


def _is_png(name: str) -> bool:
    return name.lower().endswith(".png")
