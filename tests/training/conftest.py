from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reference import tiny


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with tiny.one_thread():
        yield
