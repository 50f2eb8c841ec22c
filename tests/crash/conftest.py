"""A server of processes, and every verb run once undisturbed: shared by the tests of this room."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.forks import Forks
from tests.crash.verbs import Prepared, prepare


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    """In memory where that is possible: every write is flushed, which takes a disk its time."""
    if sys.platform != "linux":
        pytest.skip("points are found by what Linux tells of open files")
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="package")
def forks(folder: Path) -> Iterator[Forks]:
    """Runs commands."""
    (folder / "said").mkdir()
    with Forks(folder / "said") as made:
        yield made


@pytest.fixture(scope="package")
def prepared(forks: Forks, folder: Path) -> dict[str, Prepared]:
    """Every step by its name."""
    return {one.step.name: one for one in prepare(forks, folder / "chain")}
