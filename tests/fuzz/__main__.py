"""Fuzz every parser: `python -m tests.fuzz`; `--help` says how long, and what else."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ensemble.parallel import count_cores
from tests.fuzz.hunt import Hunt, Parser, hunt_all, summarize

ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
"""An arena a thread would count as memory that nobody uses."""


def restart_with_one_arena(module: str) -> None:
    """Begin again with `ENVIRONMENT`, unless this process has it."""
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        arguments = [sys.executable, "-m", module, *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, **ENVIRONMENT})


def main(parsers: Sequence[Parser]) -> None:
    """Hunt with every parser, and print a table."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=100_000, help="most inputs a parser")
    options.add_argument("--minutes", type=float, default=20, help="most minutes in all")
    options.add_argument("--jobs", type=int, default=count_cores(), help="parsers at once")
    options.add_argument("--seed", default=None, help="of the mutations; a new one by default")
    options.add_argument("--only", default="", help="parsers whose name begins so")
    options.add_argument("--found", type=Path, default=None, help="keep what broke the law here")
    chosen = options.parse_args()
    seed = chosen.seed or str(time.time_ns())
    print(f"seed {seed}")
    chosen_parsers = [parser for parser in parsers if parser.name.startswith(chosen.only)]
    hunts = [Hunt(parser, seed, chosen.found) for parser in chosen_parsers]
    hunt_all(hunts, inputs=chosen.inputs, minutes=chosen.minutes, jobs=chosen.jobs)
    print(summarize(hunts, chosen.inputs))
    sys.exit(1 if any(hunt.counts[1] for hunt in hunts) else 0)


if __name__ == "__main__":
    restart_with_one_arena("tests.fuzz")
    from tests.fuzz.parsers import PARSERS

    main(PARSERS)
