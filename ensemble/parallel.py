"""Parallel work: cores, one ordered map over threads, seeds by name, and progress."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Advance = Callable[[int], None]
"""Called with the number of items newly done."""

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Opens a bar, given what is being done and the number of items."""

Say = Callable[[str], None]
"""Called with a sentence for the user."""


def silent(what: str, total: int) -> AbstractContextManager[Advance]:
    """A `Progress` that shows nothing."""
    return nullcontext(lambda count: None)


def count_cores() -> int:
    """How many cores this process may run on: at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, n_threads: int | None = None
) -> Generator[Result, None, None]:
    """Yield `function(item)` for each item, in order, computed by threads: by default, one a core.

    Unlike `ThreadPoolExecutor.map`, at most two items a thread are drawn ahead of the reader, and
    from this thread only, so `items` may be endless and each may be large. Threads gain something
    only if the function releases Python's lock where it works hardest.

    Raises:
        Exception: Whatever `function` raised for the first item, in order, that it failed on.
    """
    threads = n_threads or count_cores()
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            waiting.extend(pool.submit(function, item) for item in islice(source, 2 * threads))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(source, 1))
        finally:
            for future in waiting:
                future.cancel()


def map_with_bar(
    function: Callable[[Item], Result], items: Sequence[Item], *, what: str, progress: Progress
) -> list[Result]:
    """`map_in_order` as a list, under a bar; see `Progress` for `what`."""
    found = []
    with progress(what, len(items)) as advance:
        for result in map_in_order(function, items):
            found.append(result)
            advance(1)
    return found


def split_in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items, in order; the last may be shorter.

    >>> list(split_in_batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def seed_of(*parts: object, bits: int = 64) -> int:
    """A seed for one thing of many, the same in every process, run and version.

    It depends on these parts only, the seed of the settings and what names the thing: what is
    drawn for one photograph is the same whatever other photographs there are. `bits` is a multiple
    of 8, at most 256.

    >>> seed_of(0, "TRAIN_00000")
    11636632495596095555
    """
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[: bits // 8], "big")
