from __future__ import annotations

import re
from pathlib import Path

import pytest

from ensemble.data.folds_csv import read_groups
from ensemble.data.layout import find_test
from ensemble.data.tables import read_columns, write_columns
from ensemble.errors import DataError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def test_rows_are_numbered_as_an_editor_counts_them(table: Path) -> None:
    table.write_text('\ufeffnote, b ,a\n\n"two\nlines", 2 ,1\n,4,3\n', encoding="utf-8")
    assert read_columns(table, "ab", by_position=False) == [(4, ("1", "2")), (5, ("3", "4"))]


def test_other_names_are_taken_by_position_only_where_that_is_asked_for(table: Path) -> None:
    table.write_text("x,y\n1,2\n")
    assert read_columns(table, "ab", by_position=True) == [(2, ("1", "2"))]
    with pytest.raises(DataError, match="but a, b are missing; its first line is `x,y`"):
        read_columns(table, "ab", by_position=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\nx,y,z\n", "begin with a header of the columns input, answer, but input, answer"),
        ("input\nx.png\n", "but answer is missing; its first line is `input`"),
        ("x.png,y.png\nz.png,w.png\n", "input, answer are missing"),
        ("", "input, answer are missing"),
        ("a,b\nx.png\n", "row 2: `answer` is empty; fill the cell"),
        ("a,b\nx.png,y.png\n ,z.png\n", "row 3: `input` is empty"),
    ],
)
def test_a_csv_that_leaves_doubt_is_refused(table: Path, text: str, message: str) -> None:
    table.write_text(text)
    with pytest.raises(DataError, match=re.escape(message)) as refusal:
        read_columns(table, ("input", "answer"), by_position=True)
    assert str(refusal.value).startswith(f"`{table}`")


@pytest.mark.parametrize("read", [find_test, lambda folder: read_groups(folder / "test.csv", [])])
def test_a_csv_in_another_encoding_is_refused_whoever_reads_it(tmp_path: Path, read) -> None:
    (tmp_path / "test.csv").write_bytes(b"input_image_path,label\n\xff\xfe.png,1\n")
    with pytest.raises(DataError, match="is not a CSV in UTF-8"):
        read(tmp_path)


def test_a_table_is_written_in_full_precision_and_read_back(table: Path) -> None:
    write_columns(table, {"a": ["x,y", 'say "z"'], "b": [0.1 + 0.2, 1e-17]})
    assert table.read_bytes() == b'a,b\n"x,y",0.30000000000000004\n"say ""z""",1e-17\n'
    assert read_columns(table, "ba", by_position=False) == [
        (2, ("0.30000000000000004", "x,y")),
        (3, ("1e-17", 'say "z"')),
    ]
