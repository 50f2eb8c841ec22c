from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ensemble
from ensemble.cli.app import VERBS, load_verb, main
from ensemble.config import Config, load_config

ALONE = ["init", "demo", "doctor", "folds", "explore", "train", "blend", "submit", "predict"]
ALONE += ["history", "compare", "score", "damage", "status", "report"]


def test_the_index_has_every_verb_in_the_order_of_work_and_groups_last(ens, tmp_path: Path) -> None:
    said = ens(tmp_path, "--help")
    assert said.status == 0
    commands = said.out.partition("Commands:")[2]
    assert re.findall(r"^  ([a-z]+) {2,}[A-Z]", commands, re.MULTILINE) == [*ALONE, "oof"]


@pytest.mark.parametrize("verb", [*ALONE, "oof"])
def test_every_verb_explains_itself(ens, tmp_path: Path, verb: str) -> None:
    said = ens(tmp_path, verb, "--help")
    assert said.status == 0
    assert f"{verb} [OPTIONS]" in said.out
    if verb not in ("status", "oof"):
        assert re.search(rf"Examples:\s*\n  ens .*{verb}", said.out), "set apart from the text"


@pytest.mark.parametrize("verb", VERBS)
def test_the_index_has_the_first_line_of_each_verbs_help(verb: str) -> None:
    help_of_verb = load_verb(verb).help
    assert help_of_verb.partition("\n\n")[0].replace("\n", " ") == VERBS[verb]


def test_the_help_imports_no_verb_and_no_settings() -> None:
    script = (
        "import sys; from ensemble.cli.app import app; app(['--help'], standalone_mode=False); "
        "print(sorted(m for m in sys.modules if m.startswith(('ensemble', 'pydantic'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == str(
        ["ensemble", "ensemble.cli", "ensemble.cli.app", "ensemble.errors"]
    )


def test_the_version_is_that_of_the_package(ens, tmp_path: Path) -> None:
    assert ens(tmp_path, "--version").out == f"{ensemble.__version__}\n"


def test_a_known_error_is_its_text_alone(ens, tmp_path: Path) -> None:
    said = ens(tmp_path, "report")
    assert said.status == 2
    assert said.err == f"error: `{tmp_path}/oof/scores.json` is not there; run `ens blend`\n"
    assert said.out == ""


def test_brackets_in_an_error_are_printed(ens, tmp_path: Path) -> None:
    root = tmp_path / "[bold]"
    assert f"error: `{root}/oof/scores.json` is not there" in ens(root, "report").err


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[data]\nsise = 3\n", ": unknown key `data.sise`; the nearest valid one is `size`"),
        ("[data", " is not valid TOML: "),
    ],
)
def test_settings_that_break_a_rule_end_every_verb_but_init(
    ens, tmp_path: Path, text: str, fault: str
) -> None:
    path = tmp_path / "ens.toml"
    path.write_text(text)
    score = ("score", "--pred", tmp_path, "--target", tmp_path)
    for verb in [[name] for name in ALONE if name not in ("init", "score")] + [["oof"], score]:
        said = ens(tmp_path, *verb)
        assert said.status == 2
        assert said.err.startswith(f"error: `{path}`{fault}")
    assert ens(tmp_path, "init").status == 2
    assert path.read_text() == text
    assert ens(tmp_path, "init", "--force").status == 0
    assert load_config(path) == Config()


def test_what_is_no_command_is_refused(ens, tmp_path: Path) -> None:
    assert ens(tmp_path, "trian").status == 2
    assert ens(tmp_path, "damage", "--split", "validation").status == 2


def test_the_environment_gives_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENS_ROOT", str(tmp_path / "there"))
    with pytest.raises(SystemExit):
        main(["init"])
    assert (tmp_path / "there/ens.toml").exists()
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"next: put the competition's files in {tmp_path}/there/data, then: ens folds"
    )


def test_an_interrupted_command_says_how_to_go_on(
    ens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ensemble.config.load_config", interrupted)
    said = ens(tmp_path, "status")
    assert said.status == 130
    assert "interrupted; run the same command again to go on" in said.err


def test_other_errors_are_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ensemble.config.load_config", broken)
    with pytest.raises(ZeroDivisionError):
        main(["--root", str(tmp_path), "status"])
