from __future__ import annotations

import pytest

from ensemble.cli.folds_option import parse_folds
from ensemble.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("0", (0,)),
        ("4", (4,)),
        ("0,2", (0, 2)),
        ("0..4", (0, 1, 2, 3, 4)),
        ("1..1", (1,)),
        ("all", (0, 1, 2, 3, 4)),
        (" all ", (0, 1, 2, 3, 4)),
        ("3,0", (0, 3)),
        ("2,1..3,2", (1, 2, 3)),
        (" 1 , 3 .. 4 ", (1, 3, 4)),
    ],
)
def test_folds_are_ascending_and_each_once(text: str, folds: tuple[int, ...]) -> None:
    assert parse_folds(text, 5) == folds


@pytest.mark.parametrize(
    "text",
    ["", ",", "5", "0,5", "0..5", "3..1", "-1", "1.5", "0-4", "first", "0 1", "all,0", "1.."],
)
def test_anything_else_is_told_what_may_be_given(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_folds(text, 5)
    assert str(error.value) == (
        f"--fold takes one of 0..4, several as `0,2`, a range as `0..4`, or `all`, but got `{text}`"
    )
