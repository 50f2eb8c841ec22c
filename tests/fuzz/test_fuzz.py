"""A short run of the fuzzer, always the same; `make fuzz` has a long one, always another."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.bombs import BOMBS
from tests.fuzz.hunt import GIVEN_UP, MEMORY, Parser, try_one
from tests.fuzz.parsers import PARSERS
from tests.fuzz.planted import FAULTS

ROOT = Path(__file__).parents[2]
INPUTS = 40


def run(module: str, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_every_parser_gives_something_valid_or_an_error_of_ours() -> None:
    said = run("tests.fuzz", f"--inputs={INPUTS}", "--seed=ens", "--minutes=60")
    assert read_table(said) == {
        **{parser.name: (INPUTS, 0) for parser in PARSERS},
        "all": (INPUTS * len(PARSERS), 0),
    }, said
    assert f"{len(PARSERS)} of {len(PARSERS)} parsers had {INPUTS};" in said


def test_every_fault_is_found_and_told_with_its_input(tmp_path: Path) -> None:
    said = run("tests.fuzz.planted", "--inputs=150", "--seed=ens", f"--found={tmp_path}", status=1)
    table = read_table(said)
    for name, told in FAULTS.items():
        tried, failures = table[name]
        assert failures, said
        assert tried == 150 or failures == GIVEN_UP, said  # an end of its process is not the end
        first = re.search(rf"^{name}, input (\d+) of seed ens: (?s:.*?){told}", said, re.MULTILINE)
        assert first, (name, said)
        assert (tmp_path / f"{name.replace(' ', '-')}-ens-{first[1]}").exists()
    assert table["no fault"] == (150, 0)


def read_table(said: str) -> dict[str, tuple[int, int]]:
    """Of each parser, the inputs and the failures."""
    rows = re.findall(r"^(.+?) +([\d,]+) inputs +(\d+) failures", said, re.MULTILINE)
    return {name: (int(tried.replace(",", "")), int(failures)) for name, tried, failures in rows}


def test_files_that_unfold_are_refused_within_memory() -> None:
    lines = [line.split("\t") for line in run("tests.fuzz.bombs").splitlines()]
    assert [name for name, *_ in lines] == list(BOMBS)
    for name, _, grown, _, said in lines:
        assert int(grown) << 20 < MEMORY, (name, grown)
        assert not re.match(r"\w+: ", said), (name, said)  # an error of another kind
        assert (said == "accepted") == (name == "png with a text of 300 MiB"), (name, said)


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), MemoryError(), TypeError("x")])
def test_any_other_error_breaks_the_law(tmp_path: Path, error: Exception) -> None:
    def read(path: Path) -> None:
        raise error

    parser = Parser("broken", lambda folder: folder / "a", read)
    assert type(error).__name__ in try_one(parser, tmp_path / "a", b"")
    timers = (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF, signal.ITIMER_REAL)
    assert [signal.getitimer(timer)[0] for timer in timers] == [0, 0, 0]  # no later work is ended
