"""Every step of the rehearsal on a disk that fills up: is it said, and is anything lost?

    mount -t tmpfs -o size=400m tmpfs WORK
    python benchmarks/full_disk.py PHOTOS --work WORK [--count 120] [--size 128]
                                   [--tries 4] [--same-as OTHER]

WORK must be a file system of its own: it is filled with a file, `ballast`, to the last byte; for
the first try of a step before it begins, for the others at a random time while it runs. Each
must end with status 2 (1 where a training failed), one line that names the file and the remedy, and
no traceback; or end well, if it wrote nothing more. Then the same command has all the room it
wants. OTHER is the work of `full_scale.py` with the same photographs, where nothing failed: what
was written must be the same, byte by byte.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.full_scale import Rehearsal, compare_results
from ensemble.workspace import Workspace


def run_on_full_disk(command: list[str], work: Path, *, after: float) -> tuple[str, float]:
    """Run a command and fill the disk after so many seconds.

    Returns:
        The line that tells it, or nothing if the command ended well; and its seconds.

    Raises:
        SystemExit: It failed in another way than by a clear message.
    """
    ballast = work / "ballast"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    begun, log = time.monotonic(), work.parent / f"{work.name}.log"
    with log.open("w+") as said:  # on another disk
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        if after:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                fill(ballast)
        status = process.wait()
        said.seek(0)
        text = said.read().strip()
    ballast.unlink(missing_ok=True)
    naming = re.compile(r".*`[^`]+`[:,] (?:no space left|with 64.0 MB to spare).*")
    told = naming.findall(text.replace(" \n", " "))
    if status not in (0, 1, 2) or "Traceback" in text or (status and not told):
        raise SystemExit(f"{' '.join(command)}: status {status}\n{text}")
    return told[-1] if status else "", time.monotonic() - begun


def fill(ballast: Path) -> None:
    """Leave no byte on the disk."""
    with ballast.open("ab") as file:
        while free := shutil.disk_usage(ballast.parent).free:
            try:
                os.posix_fallocate(file.fileno(), file.tell(), free)
                file.seek(0, os.SEEK_END)
            except OSError:  # somebody else took some meanwhile
                continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--same-as", type=Path)
    options = parser.parse_args()
    if not options.work.is_mount():
        parser.error(f"--work must be a file system of its own, but {options.work} is not")
    rehearsal = Rehearsal(options.work, size=options.size, cache=True, kill=0)
    workspace = rehearsal.workspace
    rehearsal.make_photographs(options.photos, count=options.count)
    for name, prepare in rehearsal.steps().items():
        command = prepare()
        fill(workspace.root / "ballast")
        lines = [run_on_full_disk(command, workspace.root, after=0)[0]]
        seconds = 10.0
        for _ in range(options.tries - 1):
            line, took = run_on_full_disk(command, workspace.root, after=random.uniform(1, seconds))
            lines.append(line)
            seconds = max(seconds, took)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(name, *(line or "ended well" for line in lines), sep="\n    ", flush=True)
    if options.same_as:
        print(compare_results(workspace, Workspace(options.same_as)))


if __name__ == "__main__":
    main()
