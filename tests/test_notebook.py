"""The notebook runs from its first cell to its last."""

import os
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[1]


def test_the_notebook_ends_with_a_zip_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    binaries = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{binaries}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=where).execute()
    said = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "error:" not in said
    assert "Traceback" not in said
    assert (tmp_path / "work" / "submissions" / "submission.zip").exists()
    shown = [output.get("data", {}) for output in notebook.cells[-2].outputs]
    assert any("<iframe" in one.get("text/html", "") for one in shown)
