"""The decorator of every kernel: compiled once a machine, run without Python's lock.

Machine code is kept on disk beside the source (or where `NUMBA_CACHE_DIR` says), so only the first
use ever compiles. That takes some seconds, and says so through the logger `ensemble`, as a
warning because a warning is seen without any set-up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import numba
from numba.core import event

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

MESSAGE = "Compiling the score's kernels for this machine, once: some seconds."
NO_CACHE = (
    "The score's kernels cannot be kept on disk, so each start compiles them again; "
    "set NUMBA_CACHE_DIR to a folder that can be written"
)

_kernels: set[str] = set()


class _CompileListener(event.Listener):
    """Tells that one of our kernels is being compiled, the first time one is."""

    def on_start(self, event: event.Event) -> None:
        if event.data["dispatcher"].py_func.__module__ in _kernels:
            _say_once(MESSAGE)

    def on_end(self, event: event.Event) -> None:
        """Do nothing: only the start is told."""


@cache
def _say_once(message: str) -> None:
    logging.getLogger("ensemble").warning(message)


event.register("numba:compile", _CompileListener())  # type: ignore[no-untyped-call]


def kernel(function: Kernel) -> Kernel:
    """Compile `function` on its first call, or load it from the disk.

    Divisions by zero follow IEEE 754 (`error_model="numpy"`): a check before each division would
    cost the vector instructions. No `fastmath`: the result is the same on every machine.
    """
    _kernels.add(function.__module__)
    compile_it = numba.njit(nogil=True, error_model="numpy")(function)
    try:
        compile_it.enable_caching()
    except RuntimeError:
        _say_once(NO_CACHE)
    return cast(Kernel, compile_it)
