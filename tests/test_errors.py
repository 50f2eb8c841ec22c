"""The tree of errors is public: who catches what is locked here."""

from __future__ import annotations

import inspect
import re

import pytest

from ensemble import errors
from ensemble.cli import app
from ensemble.errors import EnsembleError

TREE = {
    "ArrayError": ("EnsembleError", ValueError),
    "ConfigError": ("EnsembleError", ValueError),
    "DataError": ("EnsembleError", ValueError),
    "MissingFileError": ("DataError", FileNotFoundError),
    "ScoreError": ("EnsembleError", ValueError),
    "MissingArtefactError": ("EnsembleError", FileNotFoundError),
    "StaleArtefactError": ("EnsembleError", RuntimeError),
    "LockedError": ("EnsembleError", RuntimeError),
    "WeightsError": ("EnsembleError", RuntimeError),
    "TrainingError": ("EnsembleError", RuntimeError),
    "StudyError": ("EnsembleError", RuntimeError),
    "SubmissionError": ("EnsembleError", ValueError),
}


def classes() -> dict[str, type[Exception]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and value.__module__ == errors.__name__
    }


def test_the_tree_is_whole():
    assert set(classes()) == {*TREE, "EnsembleError"}


@pytest.mark.parametrize(("name", "bases"), TREE.items())
def test_each_is_an_ensemble_error_and_the_builtin_one_expects(name: str, bases):
    family, builtin = bases
    error = classes()[name]
    assert [base.__name__ for base in error.__bases__] == [family, builtin.__name__]
    assert issubclass(error, EnsembleError)


@pytest.mark.parametrize(("name", "bases"), TREE.items())
def test_the_docstring_draws_the_same_tree(name: str, bases):
    drawn = re.search(rf"── {name} +\((\w+)\) +\S", errors.__doc__ or "")
    assert drawn is not None
    assert drawn[1] == bases[1].__name__


@pytest.mark.parametrize("name", [*TREE, "EnsembleError"])
def test_a_message_is_told_as_it_is(name: str):
    """`FileNotFoundError` and `KeyError` have texts of their own, with quotes or numbers."""
    assert str(classes()[name]("`a.png` is not there; put [b]it[/b] there")) == (
        "`a.png` is not there; put [b]it[/b] there"
    )


@pytest.mark.parametrize("name", list(TREE))
def test_the_command_line_prints_the_text_alone_and_exits_with_2(name: str, monkeypatch, capsys):
    text = f"`{'long/' * 40}a.png` must be [b]whole[/b]; do it again"

    def fail(arguments: list[str] | None) -> None:
        raise classes()[name](text)

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(SystemExit) as end:
        app.main([])
    said = capsys.readouterr()
    assert end.value.code == 2
    assert said.err == f"error: {text}\n"
    assert said.out == ""


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    def fail(arguments: list[str] | None) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(ValueError, match="a bug"):
        app.main([])
