"""The page of `ens explore`: its figures, and the shapes of holes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ensemble.arrays import luma
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.data.png import read_rgb, write_png
from ensemble.report.exploration import name_shape
from tests.reference.html import Page
from tests.report.conftest import COUNT

DRAWN = [draw_damage(size=(256, 256), seed=seed) for seed in range(60)]


def _names(kind: str) -> list[str]:
    return [name_shape(damage.lost_mask()) for damage in DRAWN if damage.kind == kind]


def test_drawn_shapes_are_named_by_what_they_are() -> None:
    assert set(_names("convex")) == {"convex"}
    stars = _names("star-shaped")
    assert "other" not in stars
    assert stars.count("star-shaped") > len(stars) / 2
    simple = _names("simple")
    assert simple.count("other") > len(simple) / 2


def test_a_ring_of_two_arms_is_no_star() -> None:
    horseshoe = np.zeros((60, 60), dtype=bool)
    horseshoe[10:50, 10:50] = True
    horseshoe[10:40, 20:40] = False
    assert name_shape(horseshoe) == "other"
    arrow = np.zeros((60, 60), dtype=bool)
    arrow[10:50, 10:20] = arrow[40:50, 10:50] = True
    assert name_shape(arrow) == "star-shaped"


def test_the_page_counts_photographs_groups_and_folds(explore_file: Path) -> None:
    text = " ".join(Page(explore_file.read_text()).text.split())
    assert f"{COUNT} photographs of {COUNT} scenes to train on, and 1 to test, 48 × 48 px." in text
    assert f"0 groups of two or more, and {COUNT} single photographs, among {COUNT}." in text
    assert "2,456 clusters among 29,603 and call 2,162 photographs noise" in text
    counts = re.findall(r"fold [01] (\d+) (\d+) [\d.]+ [\d.]+ [\d.]+ %", text)
    assert len(counts) == 2
    assert [sum(map(int, column)) for column in zip(*counts, strict=True)] == [COUNT, COUNT]
    assert "none of 1 test photographs shows the scene of a training photograph" in text


def test_groups_and_unusual_damage_are_shown(ens, make_workspace) -> None:
    workspace, _ = make_workspace(n_train=6)
    target = workspace.data / "train_gt"
    for name in ("TRAIN_00001", "TRAIN_00002"):
        write_png(target / f"{name}.png", read_rgb(target / "TRAIN_00000.png"))
    for path in sorted(target.iterdir()):
        picture = read_rgb(path)
        damaged = apply_damage(luma(picture), draw_damage(size=picture.shape[:2], seed=1))
        if path.stem == "TRAIN_00005":
            damaged[:40] = 9
        write_png(workspace.data / "train_input" / path.name, damaged)
    workspace.config_file.write_text("[data]\nsize = 48\n[folds]\nn_folds = 2\n")
    groups = workspace.root / "groups.csv"
    groups.write_text("image,label\n" + "".join(f"TRAIN_0000{k},{max(k, 2)}\n" for k in range(6)))
    assert ens(workspace.root, "folds --force --groups", groups).status == 0
    said = ens(workspace.root, "explore")
    assert said.status == 0, said.err
    page = Page((workspace.root / "explore.html").read_text())
    text = " ".join(page.text.split())
    assert "1 group of two or more, and 3 single photographs, among 6." in text
    assert "3 photographs, all in fold" in text
    assert "`TRAIN_00005` has lost" in text
    assert page.all("alt").count("TRAIN_00001") == 1


def test_it_needs_folds(ens, tmp_path: Path) -> None:
    said = ens(tmp_path, "explore")
    assert said.status == 2
    assert said.err == f"error: `{tmp_path}/folds.csv` is not there; run `ens folds`\n"
