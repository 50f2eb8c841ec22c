from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ensemble.parallel import count_cores, map_in_order, seed_of


def test_results_come_in_order_though_they_finish_in_another() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item

    assert list(map_in_order(slow_first, range(9), n_threads=3)) == list(range(9))


def test_an_endless_source_is_drawn_two_items_a_thread_ahead() -> None:
    drawn: list[int] = []

    def source():  # type: ignore[no-untyped-def]
        for item in itertools.count():
            drawn.append(item)
            yield item

    results = map_in_order(str, source(), n_threads=2)
    assert list(itertools.islice(results, 10)) == [str(item) for item in range(10)]
    assert len(drawn) <= 10 + 4
    results.close()


def test_the_first_failure_in_order_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_in_order(lambda item: 1 // (item - 2), range(5), n_threads=2))


def test_several_threads_work_at_once() -> None:
    barrier = threading.Barrier(2, timeout=5)
    assert sorted(map_in_order(lambda _: barrier.wait(), range(2), n_threads=2)) == [0, 1]


def test_there_is_a_core_to_run_on() -> None:
    assert count_cores() >= 1


def test_seeds_are_the_same_in_another_process():
    """Python's own `hash` of text is not."""
    script = "from ensemble.parallel import seed_of; print(seed_of(3, 'TRAIN_7'))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=Path(__file__).parents[1],
    )
    assert int(done.stdout) == seed_of(3, "TRAIN_7")
    seeds = {seed_of(seed, f"TRAIN_{i}") for seed in range(3) for i in range(100)}
    assert len(seeds) == 300


def test_a_seed_has_the_bits_asked_for():
    assert seed_of(1, "a", bits=256) >> 224 == seed_of(1, "a", bits=32) < 2**32
