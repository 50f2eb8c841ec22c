"""Which files make up the competition's data: from its CSVs, or paired by name without them.

Nothing is decoded here, and each folder is listed once: 29,603 pairs take a fraction of a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from ensemble.data.png import is_png
from ensemble.data.tables import read_columns
from ensemble.errors import DataError, MissingFileError
from ensemble.reading import shorten
from ensemble.workspace import stays_in_folder

TRAIN_COLUMNS = ("input_image_path", "gt_image_path")
TEST_COLUMNS = ("input_image_path",)
TRAIN_INPUT, TRAIN_GT, TEST_INPUT = "train_input", "train_gt", "test_input"
TEST_TARGET = "test_target"
"""Where `ens demo` keeps the answers to the test photographs, to score against."""
SAMPLE_SUBMISSION = "sample_submission.zip"

_LONGEST = 255
"""Bytes of a path in a CSV; file systems take no longer names."""


class TrainFiles(NamedTuple):
    """The RGB photograph, and the gray one with a hole; None where damage is to be simulated."""

    target: Path
    damaged: Path | None


def find_train(folder: Path) -> dict[str, TrainFiles]:
    """Find the training photographs, in the CSV's order, or sorted by name without one.

    Where the folder of damaged photographs is not there at all, every `damaged` is None.

    Returns:
        By image id, the stem of the file's name, files that are all there; empty if neither
        `train.csv` nor `train_gt/` is.

    Raises:
        MissingFileError: A file that the CSV lists, or the twin of another, is not there.
        DataError: The CSV has no such columns, an empty cell or a path that leaves the folder, a
            photograph is there twice, or its name could lead elsewhere.
    """
    table = folder / "train.csv"
    if not table.exists():
        return _pair_by_name(folder)
    rows = read_columns(table, TRAIN_COLUMNS, by_position=True)
    damaged, targets = ([_resolve(table, row, cells[i]) for row, cells in rows] for i in (0, 1))
    _check_names(targets, table)
    _require_there(targets, table)
    if not any(parent.is_dir() for parent in {path.parent for path in damaged}):
        return {path.stem: TrainFiles(path, None) for path in targets}
    _check_names(damaged, table)
    _require_there(damaged, table)
    return {t.stem: TrainFiles(t, d) for t, d in zip(targets, damaged, strict=True)}


def find_test(folder: Path) -> tuple[Path, ...]:
    """Find the damaged test photographs; as `find_train`, empty if there is no test set."""
    table = folder / "test.csv"
    if not table.exists():
        return tuple(_list_pngs(folder / TEST_INPUT).values())
    rows = read_columns(table, TEST_COLUMNS, by_position=True)
    paths = [_resolve(table, row, cell) for row, (cell,) in rows]
    _check_names(paths, table)
    _require_there(paths, table)
    return tuple(paths)


def _pair_by_name(folder: Path) -> dict[str, TrainFiles]:
    targets = _list_pngs(folder / TRAIN_GT)
    damaged = _list_pngs(folder / TRAIN_INPUT)
    for lonely in sorted(targets.keys() ^ damaged.keys() if damaged else ()):
        path = targets.get(lonely) or damaged[lonely]
        twin = folder / (TRAIN_INPUT if lonely in targets else TRAIN_GT) / path.name
        raise MissingFileError(f"`{path}` must have a twin, but `{twin}` is not there")
    return {stem: TrainFiles(path, damaged.get(stem)) for stem, path in targets.items()}


def _list_pngs(folder: Path) -> dict[str, Path]:
    """The folder's PNGs by stem, sorted; empty if there is no such folder."""
    paths = [folder / name for name in sorted(_names_in(folder)) if is_png(name)]
    _check_names(paths, folder)
    return {path.stem: path for path in paths}


def _names_in(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if not entry.name.startswith(".")}


def _resolve(table: Path, row: int, cell: str) -> Path:
    """The file that a cell names, which must lie beside or below the CSV."""
    if len(cell.encode()) > _LONGEST:
        raise DataError(
            f"`{table}`, row {row}: a path must have at most {_LONGEST} bytes, but is "
            f"`{shorten(cell)}`"
        )
    relative = PurePosixPath(cell.replace("\\", "/"))
    drive = PureWindowsPath(cell).drive
    if relative.is_absolute() or ".." in relative.parts or drive:
        raise DataError(
            f"`{table}`, row {row}: a path must lie in `{table.parent}` and be relative to it, but "
            f"is `{cell}`"
        )
    return table.parent / relative


def _check_names(paths: Iterable[Path], where: Path) -> None:
    seen: dict[str, Path] = {}
    for path in paths:
        if not stays_in_folder(path.name):
            raise DataError(
                "a photograph must be named without `\\`, `:` and control characters, and not as a "
                f"device of Windows, but `{path}` is there; rename it"
            )
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
