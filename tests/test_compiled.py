from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ensemble import compiled

ROOT = Path(__file__).parents[1]

ONE_KERNEL = """
import numpy as np
from ensemble.metric.ssim import gather, _gather
assert gather(np.full((1, 2, 2), 7, np.uint8), np.array([[1, 3]])).tolist() == [[7, 7]]
print("loaded", sum(_gather.stats.cache_hits.values()))
"""


def run(script: str, cache: Path, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_first_use_says_that_it_compiles_and_the_second_start_loads(tmp_path: Path) -> None:
    first, second = run(ONE_KERNEL, tmp_path), run(ONE_KERNEL, tmp_path)
    assert first.stderr.count(compiled.MESSAGE) == 1
    assert first.stdout == "loaded 0\n"
    assert compiled.MESSAGE not in second.stderr
    assert second.stdout == "loaded 1\n"


def test_kernels_work_where_nothing_can_be_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    no_folder = tmp_path / "a file"
    no_folder.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(no_folder))
    compiled.cache_folder.cache_clear()
    compiled._warn_once.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="ensemble"):
            double = compiled.kernel(lambda x: 2 * x)
            compiled.kernel(lambda x: 3 * x)
        assert [record.message for record in caplog.records] == [compiled.NO_CACHE]
        assert double(4) == 8
    finally:
        compiled.cache_folder.cache_clear()


def test_after_one_file_changed_no_old_machine_code_runs(tmp_path: Path) -> None:
    """numba compiles a called kernel into its caller, and checks the caller's file alone."""
    package = tmp_path / "ensemble"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "compiled.py").write_bytes((ROOT / "ensemble" / "compiled.py").read_bytes())
    called = package / "called.py"
    text = "from ensemble.compiled import kernel\n@kernel\ndef inner(x):\n    return x + {}\n"
    called.write_text(text.format(1))
    (package / "caller.py").write_text(
        "from ensemble.compiled import kernel\nfrom ensemble.called import inner\n"
        "@kernel\ndef outer(x):\n    return inner(x)\n"
    )
    script = "from ensemble.caller import outer; print(outer(1))"
    before = run(script, tmp_path / "cache", tmp_path).stdout
    called.write_text(text.format(2) + "\n")  # Python compares seconds and size
    after = run(script, tmp_path / "cache", tmp_path).stdout
    assert (before, after) == ("2\n", "3\n")


def test_every_kernel_releases_the_lock_and_is_cached() -> None:
    """No module but `compiled` may take numba's own decorators."""
    sources = [path for path in (ROOT / "ensemble").rglob("*.py") if path.name != "compiled.py"]
    assert [path.name for path in sources if "njit" in path.read_text(encoding="utf-8")] == []


def test_a_user_without_a_home_compiles_at_each_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container whose user has no entry in /etc/passwd, on a package read only."""

    def expand(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", expand)
    compiled.cache_folder.cache_clear()
    try:
        assert compiled.cache_folder() is None
    finally:
        compiled.cache_folder.cache_clear()
