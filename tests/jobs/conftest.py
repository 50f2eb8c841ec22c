from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reference import tiny


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here and in the processes that are started."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with tiny.one_thread():
        yield
