"""A short run of the fuzzer, always the same; `make fuzz` has a long one, always another."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import MEMORY, try_one
from tests.fuzz.bombs import BOMBS
from tests.fuzz.parsers import PARSERS, Parser

ROOT = Path(__file__).parents[2]
INPUTS = 40


def run(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_parser_gives_something_valid_or_an_error_of_ours() -> None:
    said = run("tests.fuzz", f"--inputs={INPUTS}", "--seed=ens", "--minutes=60")
    tried = re.findall(r"^(.+?) +([\d,]+) inputs +0 failures$", said, re.MULTILINE)
    assert sorted(name for name, _ in tried[:-1]) == sorted(one.name for one in PARSERS), said
    assert tried[-1][1] == f"{INPUTS * len(PARSERS):,}"


def test_files_that_unfold_are_refused_within_memory() -> None:
    lines = [line.split("\t") for line in run("tests.fuzz.bombs").splitlines()]
    assert [name for name, *_ in lines] == list(BOMBS)
    for name, _, grown, said in lines:
        assert int(grown) << 20 < MEMORY, (name, grown)
        assert not re.match(r"\w+: ", said), (name, said)  # an error of another kind
        assert (said == "accepted") == (name == "png with a text of 300 MiB"), (name, said)


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), MemoryError(), TypeError("x")])
def test_any_other_error_breaks_the_law(tmp_path: Path, error: Exception) -> None:
    def read(path: Path) -> None:
        raise error

    parser = Parser("broken", lambda folder: folder / "a", read)
    assert type(error).__name__ in try_one(parser, tmp_path / "a", b"")
