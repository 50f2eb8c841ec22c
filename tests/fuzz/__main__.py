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
from pathlib import Path
from typing import Any

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
    except EnsembleError as error:
        return "" if "\n" not in str(error) else f"not one line: {error!r}"
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


def in_own_process(parser: Any, **options: Any) -> tuple[int, int, int]:
    """Hunt in a child: a native reader may end its process.

    Returns:
        The child's status, how many inputs were tried, and how many broke the law.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            tried, failures = hunt(parser, **options)
            os.write(writer, f"{tried} {failures}".encode())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        counts = pipe.read().split()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    tried, failures = map(int, counts) if counts else (0, 1)
    return status, tried, failures


def restart_with_one_arena(module: str) -> None:
    """Begin again with `ENVIRONMENT`, unless this process has it."""
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        arguments = [sys.executable, "-m", module, *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, **ENVIRONMENT})


def main() -> None:
    """Hunt with every parser, or those of this part, and print a table."""
    restart_with_one_arena("tests.fuzz")
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=100_000, help="most inputs a parser")
    options.add_argument("--minutes", type=float, default=20, help="most minutes in all")
    options.add_argument("--seed", default=None, help="of the mutations; a new one by default")
    options.add_argument("--only", default="", help="parsers whose name begins so")
    options.add_argument("--part", default="0/1", help="every n-th parser, as 0/2 and 1/2")
    options.add_argument("--found", type=Path, default=None, help="keep what broke the law here")
    chosen = options.parse_args()

    signal.signal(signal.SIGVTALRM, _too_long)
    from tests.fuzz.parsers import PARSERS

    part, parts = map(int, chosen.part.split("/"))
    parsers = [p for p in PARSERS if p.name.startswith(chosen.only)][part::parts]
    seed = chosen.seed or str(time.time_ns())
    end, total, bad = time.monotonic() + 60 * chosen.minutes, 0, 0
    print(f"seed {seed}")
    for number, parser in enumerate(parsers):
        shares = [p.slow for p in parsers[number:]]
        seconds = max(1.0, end - time.monotonic()) * shares[0] / sum(shares)
        status, tried, failures = in_own_process(
            parser, seed=seed, inputs=chosen.inputs, seconds=seconds, found=chosen.found
        )
        died = f", its process ended with {status}" if status else ""
        print(f"{parser.name:22}{tried:9,} inputs{failures:5} failures{died}", flush=True)
        total, bad = total + tried, bad + failures
    print(f"{'all':22}{total:9,} inputs{bad:5} failures")
    sys.exit(1 if bad else 0)


def _too_long(*_: object) -> None:
    raise TooLongError


if __name__ == "__main__":
    main()
