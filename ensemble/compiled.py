"""The decorator of every kernel: compiled once a machine, run without Python's lock.

Machine code is kept on disk, so only the first use compiles. Its folder is named by a digest of
all sources of the package: numba compiles a kernel into each kernel that calls it and checks only
the caller's own file, so after an update of one file it would run old code without a word.

Compiling takes some seconds, which is logged as a warning, because warnings show by default.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config, event

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

PACKAGE = Path(__file__).parent
MESSAGE = "Compiling kernels for this machine, once: some seconds."
NO_CACHE = (
    "Compiled kernels cannot be kept on disk, so each start compiles them again; "
    "set NUMBA_CACHE_DIR to a folder that can be written"
)

_kernels: set[str] = set()


class _CompileListener(event.Listener):
    """Logs that one of our kernels is being compiled, the first time one is."""

    def on_start(self, event: event.Event) -> None:
        if event.data["dispatcher"].py_func.__module__ in _kernels:
            _warn_once(MESSAGE)

    def on_end(self, event: event.Event) -> None:
        """Do nothing: only the start is logged."""


@cache
def _warn_once(message: str) -> None:
    logging.getLogger("ensemble").warning(message)


event.register("numba:compile", _CompileListener())  # type: ignore[no-untyped-call]


def kernel(function: Kernel) -> Kernel:
    """Compile `function` on its first call, or load it from the disk.

    Divisions by zero follow IEEE 754 (`error_model="numpy"`): a check before each division would
    cost the vector instructions. No `fastmath`: the result is the same on every machine.
    """
    return _compile(function, parallel=False)


def parallel_kernel(function: Kernel) -> Kernel:
    """As `kernel`, for a function whose `numba.prange` loops are shared among cores."""
    return _compile(function, parallel=True)


def _compile(function: Kernel, *, parallel: bool) -> Kernel:
    _kernels.add(function.__module__)
    dispatcher = numba.njit(nogil=True, error_model="numpy", parallel=parallel)(function)
    folder = cache_folder()
    if folder is None:
        _warn_once(NO_CACHE)
    else:
        with _numba_cache_in(folder):
            dispatcher.enable_caching()
    return cast(Kernel, dispatcher)


@cache
def cache_folder() -> Path | None:
    """Where machine code is kept: the first of three folders that can be written.

    NUMBA_CACHE_DIR, beside this file, or the user's cache; None where none of them can.
    """
    given = os.environ.get("NUMBA_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    for base in [Path(given)] if given else [PACKAGE / "__pycache__", home / "ens"]:
        try:
            folder = base.expanduser() / f"kernels-{digest_sources(PACKAGE)[:16]}"
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except (OSError, RuntimeError):  # RuntimeError: a user without a home, as in a container
            continue
        return folder
    return None


def digest_sources(package: Path) -> str:
    """SHA-256 of every Python file below a folder, names included."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _numba_cache_in(folder: Path) -> Iterator[None]:
    """Let numba choose this folder: it reads the setting when caching is enabled, not later."""
    settings: Any = config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        settings.CACHE_DIR = before
