from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ensemble.networks.project import Project
from ensemble.training.job import Job
from tests.reference import tiny


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here and in the processes that are started."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with tiny.one_thread():
        yield


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A competition of 20 photographs of 32 px."""
    folder = tmp_path_factory.mktemp("competition") / "data"
    tiny.write_photographs(folder)
    return folder


@pytest.fixture
def make_project(photographs: Path, tmp_path: Path) -> Callable[..., Project]:
    """Makes a workspace over the photographs; keywords change keys of [training]."""

    def make(folder: Path | None = None, section: str = "training", **values: Any) -> Project:
        return tiny.make_project(folder or tmp_path, photographs, section, **values)

    return make


@pytest.fixture
def restoration_job() -> Job:
    return Job("restoration", "tiny-restorer", 0)
