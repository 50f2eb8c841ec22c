"""Work spread over threads, in order, holding no more than is in flight."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many cores this process may run on: at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, n_threads: int | None = None
) -> Iterator[Result]:
    """Yield `function(item)` for each item, in order, computed by threads.

    Unlike `ThreadPoolExecutor.map`, at most two items a thread are drawn ahead of the reader, so
    `items` may be endless and each may be large.

    Args:
        function: Releases Python's lock where it works hardest, else threads gain nothing.
        items: Drawn from this thread only.
        n_threads: Threads to use; `cores` by default.

    Raises:
        Exception: Whatever `function` raised for the first item, in order, that it failed on.
    """
    threads = n_threads or cores()
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
