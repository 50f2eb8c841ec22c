"""ONNX files as members, from `ens.toml` to the zip."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from torch import Tensor

from ensemble.config_text import config_text
from tests.reference.onnx_files import Inpainter, Tint, export

TABLES = """
[[member]]
name = "lama"
stage = "restoration"
arch = "onnx"
file = "models/lama.onnx"
sha256 = "{digest}"
adapter = "inpainting"

[[member]]
name = "ddcolor"
stage = "colorization"
arch = "onnx"
file = "models/ddcolor.onnx"
adapter = "gray-to-ab"
"""
SIDE = 48


class Stronger(Tint):
    def forward(self, x: Tensor) -> Tensor:
        return 1.5 * super().forward(x)


@pytest.fixture
def root(make_workspace) -> Path:
    """A workspace of two such members alone."""
    workspace, config = make_workspace(n_train=4, n_test=1)
    models = workspace.root / "models"
    models.mkdir()
    shapes = {"image": (1, 3, SIDE, SIDE), "mask": (1, 1, SIDE, SIDE)}
    lama = export(Inpainter(), models / "lama.onnx", shapes)
    export(Tint(), models / "ddcolor.onnx", {"input": (1, 3, SIDE, SIDE)})
    text = config_text(config)
    for stage, name in (("restoration", "lama"), ("colorization", "ddcolor")):
        before, after = text.split(f"[{stage}]", 1)
        lines = after.splitlines()
        row = next(i for i, line in enumerate(lines) if line.startswith("members ="))
        lines[row] = f'members = ["{name}"]'
        text = f"{before}[{stage}]" + "\n".join(lines) + "\n"
    digest = hashlib.sha256(lama.read_bytes()).hexdigest()
    workspace.config_file.write_text(text + TABLES.format(digest=digest))
    return workspace.root


def test_the_whole_way_to_a_zip(ens, root: Path) -> None:
    for command in ("oof", "blend --trials 2", "submit"):
        said = ens(root, command)
        assert said.status == 0, said.err
    recipe = json.loads((root / "oof/recipe.json").read_text())
    assert recipe["restoration"]["weights"] == {"lama": 1.0}
    with zipfile.ZipFile(root / "submissions/submission.zip") as archive:
        assert archive.namelist() == ["TEST_000.png"]

    file = root / "models/ddcolor.onnx"
    export(Stronger(), file, {"input": (1, 3, SIDE, SIDE)})
    said = ens(root, "submit --force")
    assert said.status == 2
    assert "tuned on other weights of `colorization/ddcolor/fold-0`" in said.err
    assert "run `ens blend` again" in said.err
    before = (root / "oof/colorization/ddcolor/fold-0/manifest.json").read_text()
    for command in ("blend --trials 2", "submit --force"):
        said = ens(root, command)
        assert said.status == 0, said.err
    assert (root / "oof/colorization/ddcolor/fold-0/manifest.json").read_text() != before


def test_a_file_that_moved_is_the_same(ens, root: Path) -> None:
    ens(root, "oof --stage restoration")
    manifest = root / "oof/restoration/lama/fold-0/manifest.json"
    before = manifest.stat().st_mtime_ns
    (root / "models/lama.onnx").rename(root / "moved.onnx")
    said = ens(root, "oof --stage restoration")
    assert said.status == 2
    assert "the file of member `lama`, cannot be read" in said.err
    text = (root / "ens.toml").read_text().replace("models/lama.onnx", "moved.onnx")
    (root / "ens.toml").write_text(text)
    assert ens(root, "oof --stage restoration").status == 0
    assert manifest.stat().st_mtime_ns == before


def test_a_file_of_another_digest_is_refused(ens, root: Path) -> None:
    file = root / "models/lama.onnx"
    file.write_bytes(file.read_bytes() + b"\0")
    said = ens(root, "oof --stage restoration")
    assert said.status == 2
    assert "as `sha256` in ens.toml says, but is" in said.err


def test_status_shows_them(ens, root: Path) -> None:
    ens(root, "oof")
    said = ens(root, "status")
    assert said.status == 0
    assert "lama" in said.out
    assert "stale" not in said.out
    export(Stronger(), root / "models/ddcolor.onnx", {"input": (1, 3, SIDE, SIDE)})
    assert "stale" in ens(root, "status").out
    (root / "models/ddcolor.onnx").unlink()
    assert ens(root, "status").status == 0
