"""Fuzz every parser: `python -m tests.fuzz`; `--help` says how long, and what else.

The law: a parser returns something valid or raises an `EnsembleError`, within `MEMORY` more than
it had and within seconds of processor time.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ensemble.parallel import count_cores

ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
"""An arena a thread would count as memory that nobody uses."""

MEMORY = 256 * 2**20
REBASED_EVERY = 500
CPU_SECONDS = 10


class TooLongError(BaseException):
    """A parser took more processor time than any file is worth."""


def try_one(parser: Any, path: Path, content: bytes) -> str:
    """Read a mutated file; the traceback if the law is broken, else empty."""
    from ensemble.errors import EnsembleError

    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        parser.read(path)
    except EnsembleError:
        return ""
    except (Exception, TooLongError):
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return ""


def hunt(
    parser: Any, seed: str, inputs: int, seconds: float, found: Path | None
) -> tuple[int, int]:
    """Try mutated files until so many were tried, or the time is over.

    Returns:
        How many were tried, and how many broke the law.
    """
    tried, failures = 0, 0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        folder = Path(name)
        path = parser.prepare(folder)
        kept = path.read_bytes()
        parser.read(path)
        end = time.monotonic() + seconds
        while tried < inputs and time.monotonic() < end:
            if tried % REBASED_EVERY == 0:
                limit_memory()
            content = parser.mutate(kept, random.Random(f"{seed}/{parser.name}/{tried}"))
            text = try_one(parser, path, content)
            tried += 1
            if text:
                failures += 1
                print(f"{parser.name}, input {seed}/{tried - 1}: {text}", flush=True)
                if found is not None:
                    found.mkdir(parents=True, exist_ok=True)
                    (found / f"{parser.name.replace(' ', '-')}-{tried - 1}").write_bytes(content)
            if text or tried % 1000 == 0:  # what was mended, or made of it, is made anew
                shutil.rmtree(folder)
                folder.mkdir()
                parser.prepare(folder)
    return tried, failures


def limit_memory() -> None:
    """Allow `MEMORY` more than what is in use, in addresses."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


class Child:
    """A process that does some work and says how many inputs it tried, and how many broke the law.

    A native reader may end its process: then one more has.
    """

    def __init__(self, work: Callable[[], tuple[int, int]]) -> None:
        sys.stdout.flush()
        reader, writer = os.pipe()
        self._number = os.fork()
        if self._number == 0:
            try:
                os.write(writer, "{} {}".format(*work()).encode())
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(0)
        os.close(writer)
        self._pipe = os.fdopen(reader)

    def result(self) -> tuple[int, int]:
        """Wait for its end."""
        with self._pipe as pipe:
            counts = pipe.read().split()
        status = os.waitstatus_to_exitcode(os.waitpid(self._number, 0)[1])
        if not counts:
            print(f"a process ended with {status}")
            return 0, 1
        return int(counts[0]), int(counts[1])


def hunt_with_each(parsers: Sequence[Any], minutes: float, **options: Any) -> tuple[int, int]:
    """Hunt with one parser after the other, each in a process of its own, and say how it went."""
    end, tried, failures = time.monotonic() + 60 * minutes, 0, 0
    for number, parser in enumerate(parsers):
        shares = [other.slow for other in parsers[number:]]
        seconds = max(1.0, end - time.monotonic()) * shares[0] / sum(shares)
        found = Child(partial(hunt, parser, seconds=seconds, **options)).result()
        # One write: the lines of two jobs must not run into each other.
        sys.stdout.write(f"{parser.name:22}{found[0]:9,} inputs{found[1]:5} failures\n")
        sys.stdout.flush()
        tried, failures = tried + found[0], failures + found[1]
    return tried, failures


def restart_with_one_arena(module: str) -> None:
    """Begin again with `ENVIRONMENT`, unless this process has it."""
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        arguments = [sys.executable, "-m", module, *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, **ENVIRONMENT})


def main() -> None:
    """Hunt with every parser, and print a table."""
    restart_with_one_arena("tests.fuzz")
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=100_000, help="most inputs a parser")
    options.add_argument("--minutes", type=float, default=20, help="most minutes in all")
    options.add_argument("--jobs", type=int, default=count_cores(), help="parsers at once")
    options.add_argument("--seed", default=None, help="of the mutations; a new one by default")
    options.add_argument("--only", default="", help="parsers whose name begins so")
    options.add_argument("--found", type=Path, default=None, help="keep what broke the law here")
    chosen = options.parse_args()

    signal.signal(signal.SIGVTALRM, _too_long)
    from tests.fuzz.parsers import PARSERS

    seed = chosen.seed or str(time.time_ns())
    print(f"seed {seed}")
    parsers = [parser for parser in PARSERS if parser.name.startswith(chosen.only)]
    how = {"minutes": chosen.minutes, "seed": seed, "inputs": chosen.inputs, "found": chosen.found}
    children = [
        Child(partial(hunt_with_each, parsers[job :: chosen.jobs], **how))
        for job in range(chosen.jobs)
    ]
    found = [child.result() for child in children]
    tried, failures = (sum(counts) for counts in zip(*found, strict=True))
    print(f"{'all':22}{tried:9,} inputs{failures:5} failures")
    sys.exit(1 if failures else 0)


def _too_long(*_: object) -> None:
    raise TooLongError


if __name__ == "__main__":
    main()
