from __future__ import annotations

import itertools
import threading
import time

import pytest

from ensemble.metric.threads import cores, in_order


def test_results_come_in_order_though_they_finish_in_another() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item

    assert list(in_order(slow_first, range(9), n_threads=3)) == list(range(9))


def test_an_endless_source_is_drawn_two_items_a_thread_ahead() -> None:
    drawn: list[int] = []

    def source():  # type: ignore[no-untyped-def]
        for item in itertools.count():
            drawn.append(item)
            yield item

    results = in_order(str, source(), n_threads=2)
    assert list(itertools.islice(results, 10)) == [str(item) for item in range(10)]
    assert len(drawn) <= 10 + 4
    results.close()


def test_the_first_failure_in_order_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda item: 1 // (item - 2), range(5), n_threads=2))


def test_several_threads_work_at_once() -> None:
    barrier = threading.Barrier(2, timeout=5)
    assert sorted(in_order(lambda _: barrier.wait(), range(2), n_threads=2)) == [0, 1]


def test_there_is_a_core_to_run_on() -> None:
    assert cores() >= 1
