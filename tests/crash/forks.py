"""Commands of `ens` in processes that are forked from one with all imports done.

    with Forks(folder) as forks:
        (ended,) = forks.run(Run(root, "folds"))

A server of its own, not the process of the tests: what has threads cannot be forked.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.crash.disturb import Disturbance, Point

LONGEST_SECONDS = 240
ROOT = Path(__file__).parents[2]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_THREADING_LAYER": "workqueue"}
"""OpenMP ends a forked process; numba's own threads do not."""


@dataclass(frozen=True)
class Run:
    """A command.

    Attributes:
        root: The workspace.
        words: What follows `ens --root ROOT`.
        fault: As of `Disturbance`; its points are counted in any case.
        at: As of `Disturbance`.
        after: Seconds to wait before it begins.
    """

    root: str
    words: str
    fault: str = ""
    at: int = -1
    after: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How it ended.

    Attributes:
        status: Of the process; negative for a signal.
        text: What it printed.
        points: Those it has passed; none if it was killed.
    """

    status: int
    text: str
    points: list[Point]

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.status == -signal.SIGKILL


class Forks:
    """The server, for the time of a `with` block.

    Args:
        folder: Where commands print to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Forks:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **ONE_THREAD}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.forks", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._server.communicate()

    def run(self, *runs: Run) -> list[Ended]:
        """Run commands at once and wait for all."""
        assert self._server.stdin
        assert self._server.stdout
        print(json.dumps([asdict(run) for run in runs]), file=self._server.stdin, flush=True)
        answered = json.loads(self._server.stdout.readline())
        return [
            Ended(status, text, [(what, path) for what, path in points])
            for status, text, points in answered
        ]


def _warm_up(folder: Path) -> None:
    """Import whatever a verb imports, and load or compile every kernel: once for all processes.

    The threads that this leaves are gone in a forked process. One of each kind is set, so that
    nobody waits for them, and Zarr makes its own anew.
    """
    import gc

    import cv2

    import tests.crash.imports  # noqa: F401
    from ensemble.cli.app import main
    from tests.crash.verbs import STEPS

    cv2.setNumThreads(1)
    root = folder / "warm"
    root.mkdir()
    for step in STEPS:
        if step.warms_up:
            step.prepare(root)
            try:
                main(["--root", str(root), *step.run(root).words.split()])
            except SystemExit as end:
                if end.code:
                    raise
    shutil.rmtree(root)
    gc.collect()
    gc.freeze()  # or each process would go through, and copy, all of this to collect its own


def _serve(folder: Path) -> None:
    answer = os.dup(1)
    os.dup2(os.open(folder / "warming", os.O_WRONLY | os.O_CREAT), 1)
    _warm_up(folder)
    for line in sys.stdin:
        runs = [Run(**run) for run in json.loads(line)]
        started = []
        for number, run in enumerate(runs):
            files = folder / f"said-{number}", folder / f"points-{number}"
            files[1].write_text("[]")
            process = os.fork()
            if process == 0:
                _work(run, *files)
            started.append((process, files))
        answers = []
        for process, (said, points) in started:
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            passed = json.loads(points.read_text() or "[]")
            answers.append([status, said.read_text(errors="replace"), passed])
        os.write(answer, f"{json.dumps(answers)}\n".encode())


def _work(run: Run, said: Path, points: Path) -> None:
    """Run a command, in the forked process, and end it."""
    import threading

    from ensemble.cli.app import main

    signal.alarm(LONGEST_SECONDS)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(output, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    note = os.open(points, os.O_WRONLY | os.O_TRUNC)
    time.sleep(run.after)
    disturbance = Disturbance(Path(run.root), run.fault, run.at)
    disturbance.install()
    status = 70
    try:
        main(["--root", run.root, *run.words.split()])
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(note, json.dumps(disturbance.points).encode())
        os._exit(status)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
    os._exit(0)  # taking all that was imported down takes seconds
