"""How long work says how far it is: rooms tell, and the command line draws."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Advance = Callable[[int], None]
"""To be told how much is newly done."""

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Opens a bar, given what is done and how much there is to do."""


def silent(what: str, total: int) -> AbstractContextManager[Advance]:
    """Progress that is told to nobody."""
    return nullcontext(lambda count: None)
