"""How long `ens --help` and `ens status` take, beside `python -c "import torch"`.

    python benchmarks/startup.py [--root DEMO] [--repeats 7]

Fresh processes, one of each in turn; the medians of what they take on the clock and on the cores.
Goals: 0.3 s for the help, 1 s for the status of a workspace. Without --root, the workspace is a
demo set with folds, and nothing trained.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ENS = [sys.executable, "-m", "ensemble.cli.app"]
GOALS = {"ens --help": 0.3, "ens status": 1.0}


def run(command: list[str]) -> tuple[float, float]:
    """Seconds on the clock and on the cores."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime


def measure(root: Path, repeats: int) -> dict[str, tuple[float, float]]:
    """Of each command the medians of `run`; the first run of each only fills caches."""
    commands = {
        "import torch": [sys.executable, "-c", "import torch"],
        "ens --help": [*ENS, "--help"],
        "ens status": [*ENS, "--root", str(root), "status"],
    }
    runs = [{name: run(command) for name, command in commands.items()} for _ in range(repeats + 1)]
    return {
        name: (
            statistics.median(one[name][0] for one in runs[1:]),
            statistics.median(one[name][1] for one in runs[1:]),
        )
        for name in commands
    }


def show(medians: dict[str, tuple[float, float]]) -> None:
    table = Table("command", "clock", "cores", "of import torch", "goal", title="startup")
    for name, (clock, cores) in medians.items():
        ratio = f"{clock / medians['import torch'][0]:.2f}"
        goal = f"{GOALS[name]} s" if name in GOALS else ""
        table.add_row(name, f"{clock:.2f} s", f"{cores:.2f} s", ratio, goal)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.root or Path(folder)
        if arguments.root is None:
            for verb in ("demo", "folds"):
                subprocess.run([*ENS, "--root", root, verb], check=True, stdout=subprocess.DEVNULL)
        show(measure(root, arguments.repeats))


if __name__ == "__main__":
    main()
