"""Names reach nothing outside the workspace, and are shown as they are, whichever verb has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from typer.models import OptionInfo

from ensemble.cli import oof
from ensemble.cli.app import VERBS
from ensemble.workspace import Workspace

HOSTILE = (
    *("../victim", "/tmp/victim/precious", "..\\victim", "C:victim", "a/b", ".", "..", ".hidden"),
    *("con", "NUL.txt", "lpt1 .x", "victim.", "victim ", "", " ", "a\0b", "x" * 300, "\udcff"),
    *("a\x1b[2J", "a\x07", "a\nnext: b", "a\rb", "a\u202eb", "a\x9b2J"),
    *("a[/b]", "[red]a", ":skull:", "<script>", "-", "a`b", "$(touch victim)"),
)
"""Paths of any platform, devices, control characters, markup."""

NAMED: dict[str, Callable[[str], list[Any]]] = {
    "init --preset": lambda name: ["init", "--force", "--preset", name],
    "folds --descriptor": lambda name: ["folds", "--descriptor", name],
    "train --fold": lambda name: ["train", "--fold", name],
    "train --stage": lambda name: ["train", "--stage", name],
    "train --member": lambda name: ["train", "--member", name],
    "train --encoder-weights": lambda name: ["train", "--encoder-weights", name],
    "train --gpus": lambda name: ["train", "--gpus", name],
    "blend --sampler": lambda name: ["blend", "--sampler", name],
    "blend --fold": lambda name: ["blend", "--fold", name],
    "blend --views": lambda name: ["blend", "--views", name],
    "blend --member": lambda name: ["blend", "--member", name],
    "submit --name": lambda name: ["submit", "--force", "--name", name],
    "predict --look": lambda name: ["predict", "x", "--out", "out", "--look", name],
    "predict --colorizer": lambda name: ["predict", "x", "--out", "out", "--colorizer", name],
    "history --name": lambda name: ["history", "--public", "0.5", "--name", name],
    "damage --split": lambda name: ["damage", "--split", name],
    "oof --fold": lambda name: ["oof", "--fold", name],
    "oof --stage": lambda name: ["oof", "--stage", name],
    "oof --member": lambda name: ["oof", "--member", name],
    "oof import member": lambda name: ["oof", "import", name, "--test", "data"],
    "oof import --stage": lambda name: ["oof", "import", "gray", "--stage", name],
    "a verb": lambda name: [name],
}
"""How each verb is given a name; all of these names are wrong everywhere."""

PLACES = {
    *("explore --output", "report --output", "compare --output", "damage --output"),
    *("folds --groups", "folds --folds-file", "blend --storage", "blend --evaluate"),
    *("train --dask", "submit --mix", "predict paths", "predict --out", "predict --mask"),
    *("compare first", "compare second", "score --pred", "score --target", "score --masks"),
    *("score --input", "score --per-image", "oof --weights", "oof import --oof"),
    *("oof import --test", "oof sample --output"),
}
"""Files and addresses that the user himself gives may lie anywhere."""


@pytest.mark.parametrize("place", NAMED)
def test_a_wrong_name_is_refused_in_one_line_and_reaches_nothing(
    ens, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    outside = workspace.root.parent
    monkeypatch.chdir(workspace.root)
    (workspace.root / "x").touch()
    (outside / "victim").mkdir()
    (outside / "victim/precious").touch()
    before = contents(outside)
    for name in HOSTILE:
        verb, *rest = NAMED[place](name)
        said = ens(workspace.root, *([verb] if verb else []), *map(_Word, rest))
        assert said.status == 2, name
        assert is_shown_as_it_is(said.out + said.err), name
        if said.err.startswith("error: "):
            assert said.err.count("\n") == 1, name
            assert name not in HOSTILE[-7:] or name in said.err, name
        assert contents(outside) == before, name


def test_every_parameter_that_takes_text_is_in_a_table() -> None:
    verbs = {verb: getattr(import_module(f"ensemble.cli.{verb}"), verb) for verb in VERBS}
    verbs |= {"oof import": oof.import_, "oof sample": oof.sample}
    found = {place for name, verb in verbs.items() for place in _text_parameters(verb, name)}
    assert found == {*NAMED, *PLACES} - {"a verb"}


def test_a_page_shows_what_names_hold() -> None:
    from ensemble.report.page import _show  # jinja's own escaping is tested with whole pages

    assert _show("a\x1b[2J\u202e\nb") == "a\\x1b[2J\\u202e\nb"


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder, but for locks and remembered digests."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {path: path.read_bytes() for path in files}


def is_shown_as_it_is(text: str) -> bool:
    """Whether a terminal would obey nothing in it."""
    return all(mark.isprintable() or mark == "\n" for mark in text)


class _Word(str):
    """A text that `run_ens` does not split."""

    def __str__(self) -> str:
        return self

    def startswith(self, *_: Any) -> bool:
        return False


def _text_parameters(function: Callable[..., Any], name: str) -> Iterator[str]:
    """The parameters of a verb that are texts, paths, or some of several words."""
    for parameter, hint in get_type_hints(function, include_extras=True).items():
        if any(kind in repr(hint).partition("<typer")[0] for kind in ("str", "Path", "Literal")):
            told = hint.__metadata__[0]
            given = [*(told.param_decls or ()), told.default]  # where Annotated, both are flags
            flags = [flag for flag in given if isinstance(flag, str)]
            option = (flags or [f"--{parameter.replace('_', '-')}"])[0]
            yield f"{name} {option if isinstance(told, OptionInfo) else parameter}"
