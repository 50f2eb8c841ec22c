from __future__ import annotations

import json
from pathlib import Path

import pytest

from ensemble.data.png import write_png
from ensemble.workspace import Workspace, atomic_write
from tests.reference.summary import summary


@pytest.fixture
def blended(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "root")
    stages = {stage: summary(stage) for stage in ("restoration", "colorization")}
    atomic_write(workspace.table_file, json.dumps({"version": 1, "stages": stages}))
    atomic_write(workspace.recipe_file, '{"folds": [0, 1]}')
    return workspace


def test_the_page_holds_scores_recipe_and_every_sheet(ens, blended: Workspace, crops) -> None:
    for name in ("submissions/first.png", "submissions/second.png", "damage-test.png"):
        write_png(blended.root / name, crops[0])
    said = ens(blended.root, "report")
    path = blended.root / "report.html"
    assert said.status == 0
    assert said.out.splitlines() == [f"wrote {path}", "next: open it in a browser"]
    page = path.read_text()
    assert "<title>ens: root</title>" in page
    assert "colorization: keep the tuned" in page
    assert "{&quot;folds&quot;: [0, 1]}" in page
    order = [page.index(f"<h2>{name}</h2>") for name in ("first", "second", "damage-test")]
    assert order == sorted(order)
    assert page.count("data:image/png;base64,") == 3


def test_it_can_be_written_elsewhere(ens, blended: Workspace, tmp_path: Path) -> None:
    assert ens(blended.root, "report", "--output", tmp_path / "a/b.html").status == 0
    assert (tmp_path / "a/b.html").exists()
    assert not (blended.root / "report.html").exists()


@pytest.mark.parametrize("missing", ["oof/scores.json", "oof/recipe.json"])
def test_what_is_missing_is_named(ens, blended: Workspace, missing: str) -> None:
    (blended.root / missing).unlink()
    said = ens(blended.root, "report")
    assert said.status == 2
    assert said.err == f"error: `{blended.root}/{missing}` is not there; run `ens blend`\n"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}'])
def test_scores_of_another_kind_are_refused(ens, blended: Workspace, content: str) -> None:
    blended.table_file.write_text(content)
    said = ens(blended.root, "report")
    assert said.status == 2
    assert f"`{blended.table_file}` is not what `ens blend` writes; run it again" in said.err
