from __future__ import annotations

import json
from pathlib import Path

import pytest

from ensemble.files import atomic_write
from ensemble.workspace import Workspace
from tests.reference.summary import scores, summary


@pytest.fixture
def blended(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "root")
    atomic_write(workspace.table_file, scores())
    atomic_write(workspace.recipe_file, '{"folds": [0, 1]}')
    return workspace


@pytest.mark.parametrize("missing", ["oof/scores.json", "oof/recipe.json"])
def test_what_is_missing_is_named(ens, blended: Workspace, missing: str) -> None:
    (blended.root / missing).unlink()
    said = ens(blended.root, "report")
    assert said.status == 2
    assert said.err == f"error: `{blended.root}/{missing}` is not there; run `ens blend`\n"


def test_scores_of_another_version_are_refused(ens, blended: Workspace) -> None:
    old = {stage: summary(stage) for stage in ("restoration", "colorization")}
    del old["colorization"]["expected"]
    contents = ["", "{", "[]", '{"version": 1}', json.dumps({"version": 1, "stages": old})]
    for content in contents:
        blended.table_file.write_text(content)
        said = ens(blended.root, "report")
        assert said.status == 2
        assert f"`{blended.table_file}` is not what `ens blend` writes (" in said.err
        assert said.err.endswith("); run it again\n")


def test_the_page_needs_the_data(ens, blended: Workspace) -> None:
    said = ens(blended.root, "report")
    assert said.status == 2
    assert said.err == f"error: `{blended.root}/folds.csv` is not there; run `ens folds`\n"
