from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ensemble.config_text import config_text
from ensemble.data.png import read_rgb, write_png
from ensemble.report import holes
from ensemble.report.sheets import GAP, STEP_X, STEP_Y, WARNING


@pytest.fixture
def root(make_workspace) -> Path:
    workspace, config = make_workspace(n_train=6, n_test=3)
    workspace.config_file.write_text(config_text(config))
    return workspace.root


@pytest.fixture
def located(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holes whose confidence is the brightness of their photograph; a middling one is doubtful."""

    def locate(damaged: np.ndarray) -> SimpleNamespace:
        mask = np.zeros(damaged.shape, dtype=bool)
        mask[10:20, 10:20] = True
        confidence = float(damaged.mean() / 255)
        return SimpleNamespace(
            lost_mask=mask, fill=-1, confidence=confidence, doubtful=0.3 < confidence < 0.5
        )

    monkeypatch.setattr(holes, "locate_hole", locate)


def paint(root: Path, levels: list[int]) -> None:
    for index, level in enumerate(levels):
        picture = np.full((48, 48), level, np.uint8)
        write_png(root / f"data/test_input/TEST_{index:03d}.png", picture)


def test_doubtful_test_holes_are_named_and_drawn_first(ens, root: Path, located) -> None:
    paint(root, [90, 200, 30])
    said = ens(root, "damage")
    path = root / "damage-test.png"
    assert said.status == 0
    assert said.out.splitlines() == [
        "located 3 holes, 1 of them doubtful: TEST_000",
        f"wrote {path}",
        f"next: paint what is wrong into {root}/data/test_masks, then: ens --root {root} status",
    ]
    sheet = read_rgb(path)
    assert sheet.shape == (GAP + STEP_Y, GAP + 4 * STEP_X, 3)
    red = [
        bool((sheet[:, GAP + k * STEP_X : GAP + (k + 1) * STEP_X] == WARNING).all(axis=-1).any())
        for k in range(4)
    ]
    assert red == [True, False, False, False]
    brightness = [int(sheet[-2 * GAP, GAP + k * STEP_X + 5, 0]) for k in range(3)]
    assert brightness == [90, 30, 200]


def test_a_mask_drawn_by_hand_is_no_longer_doubtful(ens, root: Path, located) -> None:
    paint(root, [90, 200, 30])
    mask = np.zeros((48, 48), dtype=bool)
    mask[3:9, 3:9] = True
    write_png(root / "data/test_masks/TEST_000.png", mask)
    assert "3 holes, 0 of them doubtful\n" in ens(root, "damage").out


def test_fewer_are_looked_at_and_drawn_when_asked(ens, root: Path, located) -> None:
    path = root / "sheet.png"
    flags = ("--split", "train", "--limit", 5, "--shown", 2, "--output", path)
    said = ens(root, "damage", *flags)
    assert "located 5 holes" in said.out
    assert said.out.splitlines()[-2:] == [
        f"wrote {path}",
        f"next: ens --root {root} damage --split test",
    ]
    assert read_rgb(path).shape[0] == GAP + STEP_Y
    assert not (root / "damage-train.png").exists()


def test_once_there_is_a_recipe_submitting_is_next(ens, root: Path, located) -> None:
    (root / "oof").mkdir()
    (root / "oof/recipe.json").touch()
    assert ens(root, "damage").out.endswith(f"test_masks, then: ens --root {root} submit\n")
    (root / "submissions").mkdir()
    (root / "submissions/submission.zip").touch()
    assert ens(root, "damage").out.endswith(f"then: ens --root {root} submit --force\n")


def test_the_locator_is_judged_on_training_photographs(ens, root: Path) -> None:
    said = ens(root, "damage", "--split", "train")
    assert said.status == 0
    assert "located 6 holes" in said.out
    assert "against the true holes: mean IoU " in said.out
    assert (root / "damage-train.png").exists()


def test_no_test_photographs_are_told(ens, root: Path) -> None:
    for path in (root / "data/test_input").iterdir():
        path.unlink()
    said = ens(root, "damage")
    assert said.status == 2
    assert f"`{root}/data/test_input` has no photographs" in said.err
