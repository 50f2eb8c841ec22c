"""Read mutated files until the law breaks: one process a parser, several at once.

The law: a parser returns something valid or raises an `EnsembleError`, within `MEMORY` more than
it had and within `CPU_SECONDS`.
"""

from __future__ import annotations

import gc
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from statistics import median
from typing import Any

from ensemble.errors import EnsembleError
from tests.fuzz.mutations import Mutation, mutate_bytes

MEMORY = 256 * 2**20
REBASED_EVERY = 500
CPU_SECONDS = 10.0
SECONDS = 600.0
"""By the clock, after which a parser waits for something that never comes."""

GIVEN_UP = 10
"""Inputs that broke the law, after which a parser whose process ended is left alone."""

FIRST = 40
"""Inputs of each parser in the first round, which tells how long one takes."""


@dataclass(frozen=True)
class Parser:
    """One reader of files.

    Attributes:
        name: What it reads.
        prepare: Writes valid files into a folder, and gives the one to mutate.
        read: Reads it; gives something valid, or raises an `EnsembleError`.
        mutate: How its file is mutated.
    """

    name: str
    prepare: Callable[[Path], Path]
    read: Callable[[Path], Any]
    mutate: Mutation = mutate_bytes


class TooLongError(BaseException):
    """A parser took more processor time than any file is worth."""


def limit_memory() -> None:
    """Allow `MEMORY` more than what is in use, in addresses."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def try_one(parser: Parser, path: Path, content: bytes) -> str:
    """Read a mutated file; the traceback if the law is broken, else empty."""
    try:
        path.write_bytes(content)
    except OSError:  # the last input made a folder of it, or removed its folder
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    # Python's own code is interrupted; what loops without it, or waits, ends with its process.
    limits = {
        signal.ITIMER_VIRTUAL: CPU_SECONDS,
        signal.ITIMER_PROF: 2 * CPU_SECONDS,
        signal.ITIMER_REAL: SECONDS,
    }
    for timer, seconds in limits.items():
        signal.setitimer(timer, seconds)
    try:
        parser.read(path)
    except EnsembleError:
        return ""
    except (Exception, TooLongError):
        return traceback.format_exc()
    finally:
        for timer in limits:
            signal.setitimer(timer, 0)
    return ""


@dataclass
class Hunt:
    """The mutated files of one parser, which a process of its own reads.

    Attributes:
        parser: The reader.
        seed: Of the mutations.
        found: A folder for what broke the law; None keeps nothing.
        counts: Inputs tried, those that broke the law, and seconds of processor time.
    """

    parser: Parser
    seed: str
    found: Path | None
    counts: Any = field(default_factory=lambda: RawArray("d", 3))
    until: float = 0
    _folder: Path = Path()

    @property
    def tried(self) -> int:
        """How many inputs were tried."""
        return int(self.counts[0])

    @property
    def rate(self) -> float:
        """Inputs in a second of processor time."""
        return float(self.counts[0] / max(self.counts[2], 1e-6))

    def __str__(self) -> str:
        inputs, failures, _ = self.counts
        return (
            f"{self.parser.name:22}{inputs:9,.0f} inputs{failures:5.0f} failures"
            f"{self.rate:9,.0f} a second"
        )

    def start(self, inputs: int, seconds: float) -> int:
        """Begin a process that goes on to so many inputs, or for so long; gives its number."""
        self.until = time.monotonic() + seconds
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        sys.stdout.flush()
        process = os.fork()
        if process == 0:
            status = 1
            try:
                self._go_on(inputs)
                status = 0
            except BaseException:
                self._print(traceback.format_exc())
            finally:
                os._exit(status)
        return process

    def finish(self, status: int) -> bool:
        """Whether the process ended by itself; a native reader may have ended it."""
        code = os.waitstatus_to_exitcode(status)
        if code:
            self.counts[1] += 1
            self._print(f"the process ended with {code}")
            with suppress(shutil.Error):  # of a pipe
                self._keep(lambda kept: shutil.copytree(self._folder, kept))
            self.counts[0] += 1
        shutil.rmtree(self._folder, ignore_errors=True)
        return not code

    def _go_on(self, inputs: int) -> None:
        signal.signal(signal.SIGVTALRM, _stop)
        silence = os.open(os.devnull, os.O_WRONLY)
        self._said = os.dup(1)
        for number in (1, 2):  # what native readers print of damaged files
            os.dup2(silence, number)
        path = self.parser.prepare(self._folder)
        content = path.read_bytes()
        self.parser.read(path)
        known: set[str] = set()
        first, before = self.tried, time.process_time() - self.counts[2]
        while self.tried < inputs and time.monotonic() < self.until:
            if (self.tried - first) % REBASED_EVERY == 0:
                limit_memory()
            rng = random.Random(f"{self.seed}/{self.parser.name}/{self.tried}")
            mutated = self.parser.mutate(content, rng)
            text = try_one(self.parser, path, mutated)
            if text:
                self.counts[1] += 1
                kind = " ".join(re.findall(r", line \d+, in .*", text)[-2:])
                if kind not in known:
                    known.add(kind)
                    self._print(text)
                    self._keep(lambda kept, mutated=mutated: kept.write_bytes(mutated))
            self.counts[0] += 1
            self.counts[2] = time.process_time() - before
            if text or self.tried % 1000 == 0:  # what was mended, or made of it, is made anew
                shutil.rmtree(self._folder)
                self._folder.mkdir()
                self.parser.prepare(self._folder)

    _said: int = 1

    def _print(self, text: str) -> None:
        """Print what happened at this input, in one write: other processes print, too."""
        line = f"{self.parser.name}, input {self.tried} of seed {self.seed}: {text.rstrip()}\n"
        os.write(self._said, line.encode(errors="backslashreplace"))

    def _keep(self, write: Callable[[Path], Any]) -> None:
        if self.found is not None:
            self.found.mkdir(parents=True, exist_ok=True)
            write(self.found / f"{self.parser.name.replace(' ', '-')}-{self.seed}-{self.tried}")


def _stop(*_: object) -> None:
    raise TooLongError


def hunt_all(hunts: Sequence[Hunt], *, inputs: int, minutes: float, jobs: int) -> None:
    """Go on with each to so many inputs, those first that take least; the others share the rest."""
    gc.freeze()  # what was imported stays shared with every process
    end = time.monotonic() + 60 * minutes
    _run(hunts, min(FIRST, inputs), end, jobs)
    _run(sorted(hunts, key=lambda hunt: -hunt.rate), inputs, end, jobs, say=print)


def _run(
    hunts: Sequence[Hunt],
    inputs: int,
    end: float,
    jobs: int,
    say: Callable[[Hunt], None] = lambda _: None,
) -> None:
    waiting, running = deque(hunts), dict[int, Hunt]()
    while waiting or running:
        while waiting and len(running) < jobs:
            now = time.monotonic()
            free = jobs * (end - now) - sum(max(0.0, hunt.until - now) for hunt in running.values())
            share = min(end - now, free / len(waiting))
            hunt = waiting.popleft()
            running[hunt.start(inputs, max(1.0, share))] = hunt
        process, status = os.wait()
        hunt = running.pop(process)
        if hunt.finish(status) or hunt.counts[1] >= GIVEN_UP:
            say(hunt)
        else:
            waiting.append(hunt)
        sys.stdout.flush()


def summarize(hunts: Sequence[Hunt], inputs: int) -> str:
    """The last lines of a run: of all parsers, and how many inputs the least and the most had."""
    tried = sorted((hunt.tried, hunt.parser.name) for hunt in hunts)
    total, failures = (sum(hunt.counts[place] for hunt in hunts) for place in (0, 1))
    reached = sum(one >= inputs for one, _ in tried)
    return (
        f"{'all':22}{total:9,.0f} inputs{failures:5.0f} failures\n"
        f"{reached} of {len(tried)} parsers had {inputs:,}; least {tried[0][0]:,} ({tried[0][1]}), "
        f"median {median(one for one, _ in tried):,.0f}, most {tried[-1][0]:,} ({tried[-1][1]})"
    )
