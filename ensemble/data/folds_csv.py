"""`folds.csv` in and out, and the group labels a user brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from ensemble.config import MOST_FOLDS
from ensemble.data.tables import read_columns, write_columns
from ensemble.errors import DataError, MissingArtefactError, MissingFileError
from ensemble.folds.split import Folds
from ensemble.reading import shorten

COLUMNS = ("image_id", "group", "fold")
SINGLETONS = ("-1", "-1.0")

_MOST_DIGITS = 9


def write_folds(path: Path, folds: Folds) -> None:
    """Write `image_id, group, fold`, one row a photograph, sorted by id; whole or not at all."""
    columns = (folds.image_ids, folds.groups, folds.folds)
    write_columns(path, dict(zip(COLUMNS, columns, strict=True)))


def read_folds(path: Path) -> Folds:
    """Read what `write_folds` wrote, and trust nothing in it.

    Raises:
        MissingArtefactError: There is no such file.
        DataError: A column is missing, a row is malformed, an id is there twice, or a group spans
            two folds; the message names the file and the row.
    """
    return _read(path, COLUMNS)


def read_foreign_folds(path: Path) -> Folds:
    """Read anybody's split, leaky or not, to audit it; raises as `read_folds`.

    Only `image_id` and `fold` count. Every photograph becomes a group of its own, because a split
    that tears groups apart is just what an audit shows.
    """
    return _read(path, ("image_id", "fold"))


def read_groups(path: Path, image_ids: Sequence[str]) -> tuple[str, ...]:
    """Read the group labels a user brings, as in the competition's public preprocessing.

    The CSV has the columns `image` and `label`; other names are taken by position. Images may be
    given as ids, file names or paths. The label -1 means: like no other.

    Returns:
        A label for each of `image_ids`, in their order; a singleton's label is its own id.

    Raises:
        MissingFileError: There is no such file.
        DataError: A row is malformed, an image is unknown, there twice or missing.
    """
    if not path.exists():
        raise MissingFileError(f"`{path}` is not there; give a CSV with the columns image, label")
    known = set(image_ids)
    labels: dict[str, str] = {}
    for row, (image, label) in read_columns(path, ("image", "label"), by_position=True):
        image_id = image if image in known else PurePath(image).stem
        if image_id not in known:
            raise DataError(f"`{path}`, row {row}: no training photograph is called `{image}`")
        if image_id in labels:
            raise DataError(f"`{path}`, row {row}: `{image}` has a label already; give it one")
        labels[image_id] = image_id if label in SINGLETONS else label
    missing = [image_id for image_id in image_ids if image_id not in labels]
    if missing:
        raise DataError(
            f"`{path}` must label every photograph, but {len(missing)} of {len(image_ids)} are "
            f"missing, first `{missing[0]}`; give those that are like no other the label -1"
        )
    return tuple(labels[image_id] for image_id in image_ids)


def _read(path: Path, columns: tuple[str, ...]) -> Folds:
    if not path.exists():
        raise MissingArtefactError(f"`{path}` is not there; make it with `ens folds`")
    image_ids, groups, folds = [], [], []
    seen: dict[str, int] = {}
    for row, (image_id, *group, fold) in read_columns(path, columns, by_position=False):
        if image_id in seen:
            raise DataError(f"`{path}`, row {row}: `{image_id}` is in row {seen[image_id]} already")
        seen[image_id] = row
        image_ids.append(image_id)
        groups.append(group[0] if group else image_id)
        folds.append(_fold(path, row, fold))
    try:
        return Folds(tuple(image_ids), tuple(groups), tuple(folds), max(folds, default=0) + 1)
    except DataError as error:
        raise DataError(f"`{path}`: {error}; make it anew with `ens folds`") from error


def _fold(path: Path, row: int, text: str) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS or int(text) >= MOST_FOLDS:
        raise DataError(
            f"`{path}`, row {row}: a fold must be one of 0, 1, 2, ..., {MOST_FOLDS - 1}, but is "
            f"`{shorten(text)}`; make it anew with `ens folds`"
        )
    return int(text)
