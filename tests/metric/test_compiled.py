from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ensemble.metric import compiled

ONE_KERNEL = """
import numpy as np
from ensemble.metric.masked_ssim import runs_of, _runs
assert runs_of(np.ones((2, 2), dtype=bool)).tolist() == [[0, 4]]
print("loaded", sum(_runs.stats.cache_hits.values()))
"""


def run(cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ONE_KERNEL],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_first_use_says_that_it_compiles_and_the_second_start_loads(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path)
    assert first.stderr.count(compiled.MESSAGE) == 1
    assert first.stdout == "loaded 0\n"
    assert compiled.MESSAGE not in second.stderr
    assert second.stdout == "loaded 1\n"


def test_kernels_work_where_nothing_can_be_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_folder(self: object) -> None:
        raise RuntimeError("no locator available")

    compiled._say_once.cache_clear()
    monkeypatch.setattr("numba.core.dispatcher.Dispatcher.enable_caching", no_folder)
    with caplog.at_level(logging.WARNING, logger="ensemble"):
        double = compiled.kernel(lambda x: 2 * x)
        compiled.kernel(lambda x: 3 * x)
    assert [record.message for record in caplog.records] == [compiled.NO_CACHE]
    assert double(4) == 8
