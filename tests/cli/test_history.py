from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from ensemble.config_text import config_text
from ensemble.data.png import read_rgb
from ensemble.submission.zip import build_zip
from ensemble.workspace import Workspace
from tests.cli.test_status import FIXED


def test_a_second_week(ens, make_workspace, tmp_path: Path) -> None:
    workspace, config = make_workspace(n_train=8, n_test=2, **FIXED)
    workspace.config_file.write_text(config_text(config))
    root = workspace.root
    assert "no submissions in" in ens(root, "history").out
    assert ens(root, "blend --trials 2").status == 0
    assert ens(root, "submit").status == 0
    said = ens(root, "history")
    assert "next, once the board has scored one" in said.out
    said = ens(root, "history --name submission --public 0.5762")
    assert said.status == 0, said.err
    assert "0.5762" in said.out
    assert "of one submission" in said.out
    assert ens(root, "history --name submission").status == 2

    stem = workspace.submissions / "other"
    shutil.copy(f"{workspace.submissions}/submission.zip", f"{stem}.zip")
    said = ens(root, "compare submission other")
    assert said.out.strip() == "2 photographs, 2 of them the same in both"
    pictures = {
        name: np.full((48, 48, 3), 9, np.uint8) for name in ("TEST_000.png", "TEST_001.png")
    }
    build_zip(stem.with_suffix(".zip"), pictures.items())
    said = ens(root, "compare submission other --shown 1")
    assert said.status == 0, said.err
    assert "2 photographs, 0 of them the same" in said.out
    path = root / "compare-submission-other.png"
    assert f"wrote {path}" in said.out
    assert read_rgb(path).ndim == 3
    assert "must be a zip, a folder or the name" in ens(root, "compare submission third").err


def test_what_the_shell_completes(make_workspace, monkeypatch) -> None:
    workspace, config = make_workspace(n_train=4, n_test=1, n_folds=3, **FIXED)
    workspace.config_file.write_text(config_text(config))
    for name in ("first", "second"):
        (workspace.submissions).mkdir(exist_ok=True)
        (workspace.submissions / f"{name}.zip").touch()
    workspace.oof.mkdir()
    workspace.recipe_file.touch()
    assert complete("blend", "--member", workspace, monkeypatch) == ["gray", "telea"]
    folds = complete("train", "--fold", workspace, monkeypatch)
    assert folds == ["0", "0..2", "1", "2", "all", "full"]
    assert complete("blend", "--evaluate", workspace, monkeypatch) == [str(workspace.recipe_file)]
    assert complete("history", "--name", workspace, monkeypatch) == ["first", "second"]
    workspace.config_file.write_text("[broken")
    assert complete("blend", "--member", workspace, monkeypatch) == []


def complete(verb: str, flag: str, workspace: Workspace, monkeypatch) -> list[str]:
    """What bash would offer after `ens --root ROOT VERB FLAG `."""
    words = f"ens --root {workspace.root} {verb} {flag} "
    program = "from ensemble.cli.app import app; app(prog_name='ens')"
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", "5")
    monkeypatch.setenv("_ENS_COMPLETE", "complete_bash")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    return done.stdout.split()
