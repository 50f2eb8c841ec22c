"""Parsers that break the law on some of their inputs: `python -m tests.fuzz.planted` finds each."""

from __future__ import annotations

import itertools
import os
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz import hunt
from tests.fuzz.__main__ import main, restart_with_one_arena
from tests.fuzz.hunt import Parser


def _on_some(fault: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """A reader that breaks the law where the file has lost its first byte."""
    return lambda path: None if path.read_bytes().startswith(b"a") else fault(path)


def _wait(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    path.read_bytes()


def _loop(path: Path) -> None:
    while True:
        pass


_READERS: dict[str, Callable[[Path], Any]] = {
    "another error": lambda path: int("x"),
    "memory": lambda path: bytearray(hunt.MEMORY + 2**20),
    "a loop": _loop,
    "a loop without Python": lambda path: deque(itertools.repeat(0), maxlen=0),
    "a pipe": _wait,
    "an end of the process": lambda path: os.abort(),
}

FAULTS = {
    "another error": "ValueError",
    "memory": "MemoryError",
    "a loop": "TooLongError",
    "a loop without Python": f"ended with -{signal.SIGPROF.value}",
    "a pipe": f"ended with -{signal.SIGALRM.value}",
    "an end of the process": f"ended with -{signal.SIGABRT.value}",
}
"""What is said of each."""


def _prepare(folder: Path) -> Path:
    (folder / "a").write_bytes(b"a" * 64)
    return folder / "a"


if __name__ == "__main__":
    restart_with_one_arena("tests.fuzz.planted")
    hunt.CPU_SECONDS, hunt.SECONDS = 0.2, 2.0
    main(
        [
            *(Parser(name, _prepare, _on_some(fault)) for name, fault in _READERS.items()),
            Parser("no fault", _prepare, lambda path: None),
        ]
    )
