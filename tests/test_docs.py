"""The documentation names commands, options, settings and files that are there."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import griffe
import pytest

from ensemble.cli.app import VERBS, load_verb
from ensemble.config import load_config
from ensemble.workspace import Workspace
from tests.reference.ens import Said

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = {"commands.md", "settings.md", "api.md"}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"^(?:    |.*`)!?(ens (?:--root \S+ )?[a-z][^`#\n]*)", re.MULTILINE)


def commands() -> list[str]:
    """Every command line of the pages; alternatives are cut at the first `|`."""
    found = {
        " ".join(line.replace("\\\n", " ").split("|")[0].split())
        for page in PAGES
        for line in COMMAND.findall(page.read_text().replace("\\\n", " "))
    }
    return sorted(line for line in found if line.split()[1] in {*VERBS, "--root"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" not in target and Path(target).name not in GENERATED:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_there_are_commands_to_look_at() -> None:
    verbs = {line.replace("--root demo ", "").split()[1] for line in commands()}
    assert verbs >= {"folds", "train", "blend", "submit", "score", "oof", "doctor"}


@pytest.mark.parametrize("line", commands())
def test_a_command_shown_has_options_that_exist(line: str) -> None:
    words = shlex.split(re.sub(r"[\[\]]|\.\.\.", " ", line))[1:]
    if words[0] == "--root":
        words = words[2:]
    command = load_verb(words[0])
    rest = words[1:]
    children: dict[str, Any] = getattr(command, "commands", {})
    if rest and rest[0] in children:
        command, rest = children[rest[0]], rest[1:]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    given = [word.split("=")[0] for word in rest if word.startswith("--")]
    assert not set(given) - known - {"--help"}, line


def test_the_way_without_training_goes_to_its_end(ens: Callable[..., Said], tmp_path: Path) -> None:
    """As `start.md` shows it, on a demo that is small."""
    shown = (ROOT / "docs" / "start.md").read_text().split("## Without training")[1]
    lines = re.findall(r"^    ens (.+)$", shown.split("##")[0], re.MULTILINE)
    assert [line.split()[0] for line in lines] == ["init", "folds", "blend", "submit"]
    ens(tmp_path, *lines[0].split())
    settings = tmp_path / "ens.toml"
    settings.write_text(settings.read_text().replace("size = 512", "size = 64"))
    assert ens(tmp_path, "demo", "--size 64", "--train 12", "--test 2").status == 0
    for line in lines[1:]:
        said = ens(tmp_path, *line.split())
        assert said.status == 0, said.err
        assert "\nnext: " in said.out
    assert (tmp_path / "submissions" / "submission.zip").exists()
    sent, data = tmp_path / "submissions" / "submission.zip", tmp_path / "data"
    recipe = tmp_path / "mine.json"
    recipe.write_text((tmp_path / "oof" / "recipe.json").read_text())
    for words in (
        "status",
        "history --name submission --public 0.5762",
        "explore",
        "report",
        f"oof sample --output {tmp_path}/sample.csv",
        "folds --audit",
        "damage --split test",
        f"blend --evaluate {recipe}",
        f"submit --mix {sent} --name mixed",
        "compare submission mixed",
        f"score --pred {sent} --target {data}/test_target --input {data}/test_input",
        f"predict {data}/test_input --out {tmp_path}/colored",
    ):
        said = ens(tmp_path, *words.split())
        assert said.status == 0, f"{words}: {said.err}"


def test_every_verb_is_in_the_readme() -> None:
    table = (ROOT / "README.md").read_text()
    assert all(f"`ens {verb}" in table for verb in VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_that_are_shown_are_valid(page: Path, tmp_path: Path) -> None:
    for block in re.findall(r"(?:^(?:    .*)?\n)+", page.read_text(), re.MULTILINE):
        paragraphs = dedent(block).strip().split("\n\n")
        settings = [text for text in paragraphs if re.match(r"\[\[?\w+\]\]?\n", text)]
        path = tmp_path / "ens.toml"
        path.write_text("\n\n".join(settings))
        load_config(path)


def test_the_korean_readme_is_the_twin_of_the_english_one() -> None:
    english, korean = ((ROOT / name).read_text() for name in ("README.md", "README.ko.md"))
    for pattern in (
        r"^#+ ",  # headings and their levels
        r"^\| (`ens [^|]*) \|",  # commands
        r"^    ([^#\n]*\S)  +#",  # code that has a comment
        r"\]\((?!README|#)([^)]+)\)",  # links
        r"\d+\.\d+",  # figures
    ):
        found = [sorted(re.findall(pattern, text, re.MULTILINE)) for text in (english, korean)]
        assert found[0] == found[1], pattern


def test_examples_in_docstrings_are_shown_as_code() -> None:
    text = "A sum.\n\n>>> 1 + 1\n2\n>>> 2 + 2\n4\n\nSource: none.\n"
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from examples import FenceExamples
    finally:
        sys.path.pop(0)
    shown = griffe.Function("add", docstring=griffe.Docstring(text))
    FenceExamples().on_object(obj=shown)
    assert shown.docstring is not None
    fenced = "```pycon\n>>> 1 + 1\n2\n>>> 2 + 2\n4\n```"
    assert shown.docstring.value == f"A sum.\n\n{fenced}\n\nSource: none."


def test_the_page_of_files_names_every_artefact() -> None:
    page = (ROOT / "docs" / "files.md").read_text()
    workspace = Workspace(Path())
    for path in (
        workspace.config_file,
        workspace.folds_file,
        workspace.recipe_file,
        workspace.priors_file,
        workspace.table_file,
        workspace.study_file,
    ):
        assert f"`{path.as_posix()}`" in page
