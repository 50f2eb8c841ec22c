from __future__ import annotations

import re
from pathlib import Path

import pytest

from ensemble.data.layout import TrainFiles, find_test, find_train
from ensemble.errors import DataError, MissingFileError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pairs and a test photograph, without CSVs."""
    touch(
        tmp_path, *(f"{room}/TRAIN_{i}.png" for room in ("train_gt", "train_input") for i in "10")
    )
    touch(tmp_path, "test_input/TEST_0.png")
    return tmp_path


def expected(data: Path, *ids: str) -> list[tuple[str, TrainFiles]]:
    rooms = (data / "train_gt", data / "train_input")
    return [(i, TrainFiles(*(room / f"{i}.png" for room in rooms))) for i in ids]


def test_without_csvs_files_are_paired_by_name_and_sorted(data: Path):
    assert list(find_train(data).items()) == expected(data, "TRAIN_0", "TRAIN_1")
    assert find_test(data) == (data / "test_input/TEST_0.png",)


@pytest.mark.parametrize(
    "header",
    [
        "input_image_path,gt_image_path",
        "\ufeffinput_image_path , gt_image_path",
        "damaged,answer",
    ],
)
@pytest.mark.parametrize("prefix", ["", "./"])
def test_a_csv_decides_the_order(data: Path, header: str, prefix: str):
    rows = [f"{prefix}train_input/{i}.png,{prefix}train_gt/{i}.png" for i in ("TRAIN_1", "TRAIN_0")]
    (data / "train.csv").write_text("\n".join([header, *rows, "", ""]), encoding="utf-8")
    assert list(find_train(data).items()) == expected(data, "TRAIN_1", "TRAIN_0")


def test_columns_are_found_by_name_among_others(data: Path):
    (data / "train.csv").write_text(
        "gt_image_path,note,input_image_path\ntrain_gt/TRAIN_1.png,x,train_input/TRAIN_1.png\n"
    )
    assert list(find_train(data).items()) == expected(data, "TRAIN_1")


def test_windows_separators_are_read(data: Path):
    (data / "test.csv").write_text("input_image_path\ntest_input\\TEST_0.png\n")
    assert find_test(data) == (data / "test_input/TEST_0.png",)


WINDOWS = ["C:TRAIN_0.png", "c:/TRAIN_0.png", "//host/share/TRAIN_0.png", "a\\..\\..\\T.png"]


@pytest.mark.parametrize(
    "cell", ["../TRAIN_0.png", "a/../../TRAIN_0.png", "/etc/TRAIN_0.png", *WINDOWS]
)
def test_a_path_that_leaves_the_folder_is_refused(data: Path, cell: str):
    (data / "test.csv").write_text(f"path\n{cell}\n")
    message = f"`{data / 'test.csv'}`, row 2: a path must lie in `{data}`"
    with pytest.raises(DataError, match=re.escape(message)):
        find_test(data)
    (data / "train.csv").write_text(f"a,b\ntrain_input/TRAIN_0.png,{cell}\n")
    with pytest.raises(DataError, match=f"row 2: .* but is `{re.escape(cell)}`"):
        find_train(data)


@pytest.mark.parametrize(
    "name", ["a\\..\\b", "C:a", "a\x1b[2J", "a\nb", "a\u202eb", "con", "\udcff"]
)
def test_a_photograph_whose_name_leads_elsewhere_is_refused(data: Path, name: str):
    """It is a name in the zip, of a mask drawn by hand, and in terminals."""
    touch(data, f"train_gt/{name}.png", f"train_input/{name}.png", f"test_input/{name}.png")
    for find in (find_train, find_test):
        with pytest.raises(DataError, match="(?s)a photograph must be named without .*; rename"):
            find(data)


def test_damage_is_simulated_where_its_folder_is_missing(data: Path):
    (data / "train.csv").write_text(
        "input_image_path,gt_image_path\nelsewhere/TRAIN_0.png,train_gt/TRAIN_0.png\n"
    )
    assert find_train(data) == {"TRAIN_0": TrainFiles(data / "train_gt/TRAIN_0.png", None)}
    (data / "train.csv").unlink()
    for path in (data / "train_input").iterdir():
        path.unlink()
    assert [files.damaged for files in find_train(data).values()] == [None, None]


def test_an_empty_folder_has_no_photographs(tmp_path: Path):
    assert find_train(tmp_path) == {}
    assert find_test(tmp_path) == ()


def test_other_files_and_hidden_ones_are_passed_over(data: Path):
    touch(data, "train_gt/.DS_Store", "train_gt/._TRAIN_0.png", "train_gt/notes.txt")
    assert list(find_train(data)) == ["TRAIN_0", "TRAIN_1"]


@pytest.mark.parametrize("room", ["train_gt", "train_input"])
def test_a_file_without_its_twin_is_named(data: Path, room: str):
    lost = data / room / "TRAIN_1.png"
    lost.unlink()
    with pytest.raises(MissingFileError, match=re.escape(f"must have a twin, but `{lost}` is not")):
        find_train(data)


@pytest.mark.parametrize("room", ["train_gt", "train_input"])
def test_a_listed_file_that_is_missing_is_named(data: Path, room: str):
    (data / "train.csv").write_text(
        "input_image_path,gt_image_path\n"
        "train_input/TRAIN_0.png,train_gt/TRAIN_0.png\n"
        "train_input/TRAIN_1.png,train_gt/TRAIN_1.png\n"
    )
    lost = data / room / "TRAIN_1.png"
    lost.unlink()
    message = f"`{lost}` is not there, but `{data / 'train.csv'}` lists it"
    with pytest.raises(MissingFileError, match=re.escape(message)):
        find_train(data)


def test_duplicates_are_named(data: Path):
    (data / "test.csv").write_text("path\ntest_input/TEST_0.png\n./test_input/TEST_0.png\n")
    with pytest.raises(DataError, match="`TEST_0` is there twice"):
        find_test(data)
    (data / "train.csv").write_text(
        "a,b\ntrain_input/TRAIN_0.png,train_gt/TRAIN_0.png\n"
        "train_input/TRAIN_0.png,train_gt/TRAIN_1.png\n"
    )
    with pytest.raises(DataError, match="`TRAIN_0` is there twice"):
        find_train(data)


def test_two_spellings_of_one_name_are_a_duplicate(data: Path):
    touch(data, "train_gt/TRAIN_0.PNG")
    with pytest.raises(DataError, match="`TRAIN_0` is there twice"):
        find_train(data)
