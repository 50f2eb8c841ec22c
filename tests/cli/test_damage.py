from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ensemble.cli.app import main
from ensemble.config import config_text
from ensemble.data.png import read_rgb, write_png
from ensemble.report.contact_sheet import STEP_X, STEP_Y


@pytest.fixture
def root(make_workspace: Callable[..., tuple]) -> Path:
    workspace, config = make_workspace()
    workspace.config_file.write_text(config_text(config))
    return workspace.root


def ens(root: Path, *arguments: str) -> int:
    try:
        main(["--root", str(root), "damage", *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_test_holes_are_drawn(root: Path, capsys):
    assert ens(root) == 0
    sheet = read_rgb(root / "damage-test.png")
    assert (sheet == (230, 30, 30)).all(axis=-1).sum() > 50
    said = capsys.readouterr().out
    assert "located 2 holes, " in said
    assert f"wrote {root / 'damage-test.png'}\n" in said
    assert f"next: paint what is wrong into {root / 'data/test_masks'}, then: " in said


def test_the_training_holes_are_judged(root: Path, capsys):
    assert ens(root, "--split", "train", "--output", str(root / "look.png")) == 0
    said = capsys.readouterr().out
    assert "located 6 holes, " in said
    assert "against the true holes: mean IoU " in said
    assert (root / "look.png").is_file()


def test_limits_hold(root: Path, capsys):
    assert ens(root, "--split", "train", "--limit", "3", "--shown", "1") == 0
    assert "located 3 holes, " in capsys.readouterr().out
    height, width = read_rgb(root / "damage-train.png").shape[:2]
    assert height < 2 * STEP_Y
    assert width > 3 * STEP_X


def test_a_hole_drawn_by_hand_is_never_doubtful(root: Path, capsys):
    for name in ("TEST_000", "TEST_001"):
        mask = np.zeros((48, 48), dtype=bool)
        mask[4:20, 4:20] = True
        write_png(root / "data/test_masks" / f"{name}.png", mask)
    assert ens(root) == 0
    assert "located 2 holes, 0 of them doubtful\n" in capsys.readouterr().out


def test_without_data_the_remedy_is_told(tmp_path: Path, capsys):
    assert ens(tmp_path) == 2
    assert "make a demo set with `ens demo`" in capsys.readouterr().err
