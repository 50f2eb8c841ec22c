from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from ensemble.arrays import luma
from ensemble.config_text import config_text
from ensemble.data.folds_csv import read_folds
from ensemble.data.png import read_rgb, write_png
from tests.conftest import UNTRAINED

SIDE = 128


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six scenes of a photograph, two windows each, without `train_input`."""
    photograph = data.astronaut()
    for scene in range(6):
        top, left = 140 * (scene // 3), 140 * (scene % 3)
        for twin, shift in enumerate((0, 10)):
            window = photograph[top : top + SIDE, left + shift : left + shift + SIDE]
            write_png(tmp_path / f"data/train_gt/TRAIN_{scene + 6 * twin:05d}.png", window.copy())
    (tmp_path / "ens.toml").write_text(f"[data]\nsize = {SIDE}\n[folds]\nn_folds = 3\n")
    return tmp_path


def test_twins_share_a_fold_and_a_second_run_changes_nothing(ens, root: Path) -> None:
    said = ens(root, "folds")
    assert said.status == 0, said.err
    assert "found 6 groups of near-duplicates and 0 single photographs" in said.out
    assert f"next: ens --root {root} train --fold all\n" in said.out
    made = read_folds(root / "folds.csv")
    for scene in range(6):
        assert made.fold_of[f"TRAIN_{scene:05d}"] == made.fold_of[f"TRAIN_{scene + 6:05d}"]
    assert np.bincount(made.folds).tolist() == [4, 4, 4]
    before = (root / "folds.csv").read_bytes()
    assert ens(root, "folds").status == 0
    assert (root / "folds.csv").read_bytes() == before


def test_without_a_trained_member_blending_is_next(ens, make_workspace):
    workspace, settings = make_workspace(n_train=6, n_test=1, **UNTRAINED)
    workspace.config_file.write_text(config_text(settings))
    said = ens(workspace.root, "folds", "--n-folds", "2", "--force")
    assert said.out.endswith(f"next: ens --root {workspace.root} blend --trials 200\n")


def test_an_unknown_member_is_refused_before_anything_is_written(ens, root: Path) -> None:
    with (root / "ens.toml").open("a") as file:
        file.write('[restoration]\nmembers = ["tela"]\n')
    said = ens(root, "folds")
    assert said.status == 2
    assert "`tela` is no member" in said.err
    assert not (root / "folds.csv").exists()


def test_other_folds_are_replaced_only_by_force(ens, root: Path) -> None:
    ens(root, "folds")
    said = ens(root, "folds --seed 5")
    assert said.status == 2
    assert "would be stale; keep them, or replace them with `--force`" in said.err
    before = read_folds(root / "folds.csv").digest()
    assert ens(root, "folds --seed 5 --force").status == 0
    assert read_folds(root / "folds.csv").digest() != before


def test_the_audit_passes_ours_and_shows_the_leak_of_another(ens, root: Path) -> None:
    ens(root, "folds")
    said = ens(root, "folds --audit")
    assert said.status == 0, said.err
    assert "0 pairs of near-duplicates across folds, 0 of 12 photographs leak" in said.out
    foreign = root / "plain.csv"
    rows = [f"TRAIN_{row:05d},{int(row >= 6)}" for row in range(12)]
    foreign.write_text("\n".join(["image_id,fold", *rows]))
    said = ens(root, "folds --audit --folds-file", foreign)
    assert said.status == 1
    assert "6 pairs of near-duplicates across folds, 12 of 12 photographs leak" in said.out
    picture = read_rgb(root / "plain-suspects.png")
    assert picture.shape[0] > SIDE
    assert read_folds(root / "folds.csv").n_folds == 3


def test_given_groups_win_and_no_descriptor_means_singletons(ens, root: Path) -> None:
    labels = root / "labels.csv"
    rows = [f"train_gt/TRAIN_{row:05d}.png,{row // 4}" for row in range(12)]
    labels.write_text("\n".join(["image,label", *rows]))
    out = root / "given.csv"
    assert ens(root, "folds --groups", labels, "--folds-file", out).status == 0
    assert set(read_folds(out).groups) == {"0", "1", "2"}
    out = root / "single.csv"
    ens(root, "folds --descriptor none --n-folds 4 --folds-file", out)
    made = read_folds(out)
    assert made.groups == made.image_ids
    assert made.n_folds == 4


def test_a_group_larger_than_a_fold_is_cut_and_said(ens, root: Path) -> None:
    picture = cv2.imread(str(root / "data/train_gt/TRAIN_00000.png"))
    for row in range(12):
        cv2.imwrite(str(root / f"data/train_gt/TRAIN_{row:05d}.png"), picture)
    said = ens(root, "folds")
    assert said.status == 0, said.err
    assert "torn apart to keep groups within a fold's share of 4 photographs" in said.out
    assert np.bincount(read_folds(root / "folds.csv").folds).tolist() == [4, 4, 4]


def test_a_pair_that_cannot_be_is_refused_and_unusual_damage_warned_of(ens, root: Path) -> None:
    grays = {}
    for path in sorted((root / "data/train_gt").iterdir()):
        gray = luma(read_rgb(path))
        gray[10:40, 10:50] = 77
        grays[path.name] = gray
        write_png(root / "data/train_input" / path.name, gray)
    large = grays["TRAIN_00003.png"].copy()
    large[2:, 2:] = 77
    write_png(root / "data/train_input/TRAIN_00003.png", large)
    said = ens(root, "folds", "--descriptor", "none")
    assert said.status == 0, said.err
    assert "warning: `TRAIN_00003` has lost 9" in said.out
    write_png(root / "data/train_input/TRAIN_00002.png", grays["TRAIN_00004.png"])
    said = ens(root, "folds", "--descriptor", "none", "--force")
    assert said.status == 2
    assert "`TRAIN_00002` must differ from its damaged input only" in said.err
