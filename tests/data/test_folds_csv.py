from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.data.folds_csv import read_folds, read_foreign_folds, read_groups, write_folds
from ensemble.errors import DataError, MissingArtefactError, MissingFileError
from ensemble.folds.split import Folds


@pytest.fixture
def folds() -> Folds:
    return Folds(("a", "b", "c,d"), (3, 3, "odd, name"), (1, 1, 0), 2)


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_round_trip_keeps_the_digest(tmp_path: Path, folds: Folds) -> None:
    path = tmp_path / "folds.csv"
    write_folds(path, folds)
    assert path.read_text().splitlines()[:2] == ["image_id,group,fold", "a,3,1"]
    assert read_folds(path) == folds
    assert read_folds(path).digest() == folds.digest()


def test_columns_may_come_in_any_order_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufefffold,note,image_id,group\n0,-,a,x\n\n1,-,b,y\n")
    assert read_folds(path) == Folds(("a", "b"), ("x", "y"), (0, 1), 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,fold\na,0\n", "columns image_id, group, fold, but group is missing; its first"),
        ("", "image_id, group, fold are missing"),
        ("image_id,group,fold\na,x,0\nb,y,1\na,x,0\n", "row 4: `a` is in row 2 already"),
        ("image_id,group,fold\na,x,0\nb,y,first\n", "row 3: a fold must be one of 0, 1, 2, ..., "),
        ("image_id,group,fold\na,x,0\nb,y,-1\n", "row 3: a fold must be .* but is `-1`"),
        ("image_id,group,fold\na,x,0\nb,,1\n", "row 3: `group` is empty"),
        ("image_id,group,fold\na,x,0\nb,y\n", "row 3: `fold` is empty"),
        ("image_id,group,fold\na,x,0\nb,x,1\n", "group `x` spans the folds 0 and 1; make it anew"),
        ("image_id,group,fold\na,x,0\nb,y,2\n", r"empty=\[1\]"),
        ("image_id,group,fold\n", "one length, at least 1"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_row(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as error:
        read_folds(path)
    assert str(error.value).startswith(f"`{path}`")


def test_no_file_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingArtefactError, match="is not there; make it with `ens folds`"):
        read_folds(tmp_path / "folds.csv")


def test_a_leaky_split_can_be_read_to_be_audited(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,group,fold\na,x,0\nb,x,1\n")
    assert read_foreign_folds(path) == Folds(("a", "b"), ("a", "b"), (0, 1), 2)


def test_groups_by_id_file_name_or_path(tmp_path: Path) -> None:
    path = write(tmp_path, "image,label\ntrain_gt/b.png,4\na.png,-1\nc,4\n")
    assert read_groups(path, ["a", "b", "c"]) == ("a", "4", "4")


def test_groups_take_other_column_names_by_position(tmp_path: Path) -> None:
    path = write(tmp_path, "file,cluster\na,0\nb,-1\n")
    assert read_groups(path, ["b", "a"]) == ("b", "0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\na,0\nb,0\nz,1\n", "row 4: no training photograph is called `z`"),
        ("image,label\na,0\na.png,1\n", r"row 3: `a.png` has a label already"),
        ("image,label\na,0\n", "1 of 2 are missing, first `b`; .* the label -1"),
        ("image,label\na,\n", "row 2: `label` is empty"),
        ("a.png,0\nb.png,0\n", "but image, label are missing; its first line is `a.png,0`"),
        ("x,y,z\na,0,0\n", "a header of the columns image, label, but image, label are"),
    ],
)
def test_groups_that_do_not_fit_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as error:
        read_groups(path, ["a", "b"])
    assert str(error.value).startswith(f"`{path}`")


def test_groups_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="is not there; give a CSV"):
        read_groups(tmp_path / "none.csv", ["a"])
