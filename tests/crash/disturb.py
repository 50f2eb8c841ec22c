"""Every point of a process at which it changes a folder, and what may happen there.

Points are what Python shows of the system's calls: files opened to write, each raw write, flushes
to the disk, renames, removals, folders and links made. torch and safetensors write by themselves: a
file of theirs is one point. A process is killed, or told that the disk is full, at one of them.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
KILL = "kill"
LASTING = ("ENOSPC", "EDQUOT")
"""What stays so: whatever takes room on the disk fails from that point on."""
FREEING = ("remove", "rmdir", "chmod")
"""Points that take no room."""

ARROW = " -> "
Point = tuple[str, str]
"""What is done, and the path below the root; of a rename both, with an arrow."""


class Disturbance:
    """Counts the points of this process below a folder, and disturbs it at one.

    Args:
        root: The folder.
        fault: `kill`, or the name of an error of the system's, as `ENOSPC`; nothing to count only.
        at: The point, from 0.
    """

    def __init__(self, root: Path, fault: str = "", at: int = -1) -> None:
        self.root, self.fault, self.at = f"{root.resolve()}{os.sep}", fault, at
        self.points: list[Point] = []
        self._guard = threading.RLock()

    def install(self) -> None:
        """Watch this process to its end; nothing is undone."""
        sys.addaudithook(self._audit)
        self._watch_files()
        for name, file_number in (("fsync", 0), ("posix_fallocate", 0), ("sendfile", 0)):
            self._watch_call(os, name, lambda *a, n=file_number: _path_of(a[n]))
        self._watch_writers()

    def reach(self, what: str, path: str, half: Callable[[], object] = lambda: None) -> int:
        """Note a point; returns the number of the error due there, else 0.

        Args:
            what: What is done.
            path: Of the file or folder.
            half: Does half of it, before a kill.
        """
        if not f"{path}{os.sep}".startswith(self.root):
            return 0
        with self._guard:
            number = len(self.points)
            self.points.append((what, f"{path}{os.sep}".replace(self.root, "").rstrip(os.sep)))
            if not self.fault or number < self.at:
                return 0
            if self.fault == KILL:
                half()
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault in LASTING:
                return 0 if what in FREEING else getattr(errno, self.fault)
            return getattr(errno, self.fault) if number == self.at else 0

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, int) and flags & WRITING:
                self._raise("open", _absolute(path))
        elif event in ("os.rename", "os.link", "os.symlink"):
            ends = zip(arguments, (arguments[2], arguments[-1]), strict=False)
            self._raise(event[3:], ARROW.join(_absolute(*end) for end in ends))
        elif event in ("os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate"):
            self._raise(event[3:], _absolute(arguments[0], arguments[-1]))

    def _raise(self, what: str, path: str) -> None:
        if number := self.reach(what, path):
            raise OSError(number, os.strerror(number), path.partition(ARROW)[0])

    def _watch_files(self) -> None:
        """Have files opened for writing tell each raw write."""
        honest, reach = io.open, self.reach

        class Raw(io.FileIO):
            def write(self, content: Any) -> int:
                def half() -> None:
                    whole = bytes(content)
                    super(Raw, self).write(whole[: len(whole) // 2])

                if number := reach("write", _path_of(self.fileno()), half):
                    raise OSError(number, os.strerror(number))
                return super().write(content)

            def truncate(self, size: int | None = None) -> int:
                reach("truncate", _path_of(self.fileno()))
                return super().truncate(size)

        def watched(
            file: Any,
            mode: str = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            closefd: bool = True,
            opener: Any = None,
        ) -> Any:
            if isinstance(file, int) or not set(mode) & set("wax+"):
                return honest(file, mode, buffering, encoding, errors, newline, closefd, opener)
            raw = Raw(file, "".join(c for c in mode if c not in "bt"), closefd, opener)
            return _buffer(raw, mode, buffering, encoding, errors, newline)

        io.open = builtins.open = watched  # type: ignore[assignment]

    def _watch_call(self, module: Any, name: str, path_of: Callable[..., str]) -> None:
        honest = getattr(module, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            if number := self.reach(name, path_of(*arguments)):
                raise OSError(number, os.strerror(number))
            return honest(*arguments, **options)

        setattr(module, name, watched)

    def _watch_writers(self) -> None:
        """Let the libraries that write by themselves fail by their own errors, or half a file."""
        import safetensors.numpy
        import safetensors.torch
        import torch
        from safetensors import SafetensorError

        def watch(module: Any, name: str, place: int, fail: Callable[[int], Exception]) -> None:
            honest = getattr(module, name)

            def watched(*arguments: Any, **options: Any) -> Any:
                path = Path(options.get("filename") or arguments[place])

                def half() -> None:
                    honest(*arguments, **options)
                    os.truncate(path, path.stat().st_size // 2)

                if number := self.reach(name, str(path.absolute()), half):
                    raise fail(number)
                return honest(*arguments, **options)

            setattr(module, name, watched)

        def rust(number: int) -> Exception:
            return SafetensorError(f"I/O error: {os.strerror(number)} (os error {number})")

        watch(torch, "save", 1, lambda number: RuntimeError("file write failed"))
        for module in (safetensors.torch, safetensors.numpy):
            watch(module, "serialize_file", 1, rust)


def _buffer(
    raw: io.FileIO,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> Any:
    """What `open` puts around a raw file."""
    if buffering == 0:
        return raw
    buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    if "b" in mode:
        return buffered
    return io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)


def _absolute(path: Any, folder: Any = None) -> str:
    if isinstance(path, int):
        return _path_of(path)
    text = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0:
        return str(Path(_path_of(folder), text))
    return str(Path(text).absolute())


def _path_of(file_number: Any) -> str:
    number = file_number if isinstance(file_number, int) else file_number.fileno()
    return str(Path(f"/proc/self/fd/{number}").readlink())


def name_site(path: str) -> str:
    """A path without digits, digests, and the random part of a scratch folder's name."""
    return re.sub(r"[0-9a-f]{16,}|\d+", "0", re.sub(r"\.[a-z0-9_]{8}\.part", ".part", path))


def find_sites(points: list[Point]) -> list[int]:
    """The first and the last point of each kind: what is done, and to which kind of path."""
    numbered = [((what, name_site(path)), number) for number, (what, path) in enumerate(points)]
    return sorted({*dict(reversed(numbered)).values(), *dict(numbered).values()})
