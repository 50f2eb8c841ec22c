from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reference.corpus import Case, hard_cases


@pytest.fixture(scope="session")
def cases() -> list[Case]:
    return hard_cases()


@pytest.fixture(scope="session")
def case(cases: list[Case]) -> Callable[[str], Case]:
    by_name = {case.name: case for case in cases}
    return by_name.__getitem__
