"""The examples in docstrings run."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text()
    for path in sorted((ROOT / "ensemble").rglob("*.py"))
}


@pytest.mark.parametrize("module", [name for name, text in SOURCES.items() if ">>> " in text])
def test_the_examples_in_docstrings_run(module: str) -> None:
    results = doctest.testmod(import_module(module))
    assert results.failed == 0
    assert results.attempted == SOURCES[module].count(">>> "), "some were not found"
