"""A command's time, memory and disk, with those of all its children; on Linux."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Figures:
    """What a command took.

    Attributes:
        seconds: From start to end.
        cpu: CPU seconds of the process and of its children.
        memory: Bytes that the processes held together at most, without mapped or cached files.
        mapped: The same with mapped files.
        disk: Bytes on the disk, by folder, once it has ended.
        killed: How often it was killed.
    """

    seconds: float
    cpu: float
    memory: int
    mapped: int
    disk: dict[str, int] = field(default_factory=dict)
    killed: int = 0


def run_measured(command: list[str], *, kill_after: float | None = None) -> Figures:
    """Run a command; kill it with its children after so many seconds, if it has not ended.

    Raises:
        SystemExit: It failed.
    """
    source = str(Path(__file__).parents[1])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])
    }
    begun, killed = time.monotonic(), 0
    process = subprocess.Popen(command, env=environment)
    peaks = np.zeros(2, dtype=np.int64)
    while True:
        number, status, usage = os.wait4(process.pid, os.WNOHANG)
        if number:
            break
        family = find_family(process.pid)
        peaks = np.maximum(peaks, np.sum([read_memory(one) for one in family], axis=0))
        if kill_after is not None and time.monotonic() - begun > kill_after and not killed:
            killed = 1
            for one in family:
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
        time.sleep(SAMPLE_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not killed:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    seconds, cpu = time.monotonic() - begun, usage.ru_utime + usage.ru_stime
    return Figures(seconds, cpu, int(peaks[0]), int(peaks[1]), killed=killed)


def find_family(process: int) -> list[int]:
    """A process and all that descend from it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:  # it has ended meanwhile
            continue
    family = [process]
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return family


def read_memory(process: int) -> tuple[int, int]:
    """Bytes of a process in memory: without mapped files, and with them; zero if it has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0, 0
    kinds = dict(line.split(":", 1) for line in text.splitlines())
    anonymous, shared, mapped = (
        1024 * int(kinds.get(f"Rss{kind}", "0 kB").split()[0]) for kind in ("Anon", "Shmem", "File")
    )
    return anonymous + shared, anonymous + shared + mapped


def measure_disk(folder: Path) -> int:
    """Bytes that a folder's files take on the disk."""
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*") if path.is_file())
