from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ensemble.jobs.plan import Entry
from ensemble.jobs.queue import Queue, Slot
from ensemble.jobs.worker import Order
from ensemble.project import Project
from ensemble.training.job import Job

MakeProject = Callable[..., Project]
RESTORER, INPAINTER = Job("restoration", "tiny-restorer", 0), Job("restoration", "navier-stokes", 0)
COLORIZER = Job("colorization", "tiny-colorizer", 0)
JOBS = (RESTORER, INPAINTER, COLORIZER)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Has each member's process run a line of Python instead of a training."""

    def script(lines: dict[str, str]) -> None:
        def command(self: Order, launcher: Sequence[str] = ()) -> list[str]:
            return [sys.executable, "-c", lines.get(self.job.member, "print('fine')")]

        monkeypatch.setattr(Order, "command", command)

    return script


def states(entries: Sequence[Entry]) -> dict[str, tuple[str, int]]:
    return {entry.job.member: (entry.state, entry.attempts) for entry in entries}


def test_every_job_runs_and_writes_its_own_log(
    make_project: MakeProject, scripted: Callable[[dict[str, str]], None]
) -> None:
    scripted({"tiny-colorizer": "print('color')"})
    project = make_project()
    entries = Queue(JOBS, project, [Slot("here"), Slot("there")]).run()
    assert states(entries) == {job.member: ("done", 1) for job in JOBS}
    assert COLORIZER.files(project.workspace).log.read_text() == "color\n"
    assert RESTORER.files(project.workspace).log.read_text() == "fine\n"


def test_a_failure_is_retried_once_and_stays_its_own(
    make_project: MakeProject, scripted: Callable[[dict[str, str]], None]
) -> None:
    scripted({"tiny-restorer": "raise OSError('no luck')"})
    project = make_project()
    entries = Queue((*JOBS, Job("restoration", "navier-stokes", 1)), project, [Slot("")]).run()
    assert [entry.state for entry in entries] == ["failed", "done", "skipped", "done"]
    assert entries[0].attempts == 2
    assert "no luck" in entries[0].reason
    assert "exit status 1" in entries[0].reason
    assert entries[2].reason == "a job it needs has failed"


def test_a_second_try_may_succeed(
    make_project: MakeProject, scripted: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    mark = tmp_path / "tried"
    once = f"import pathlib, sys; p = pathlib.Path({str(mark)!r}); e = p.exists(); p.touch()"
    scripted({"tiny-restorer": f"{once}; sys.exit(0 if e else -9)"})
    entries = Queue([RESTORER], make_project(), [Slot("")]).run()
    assert states(entries) == {"tiny-restorer": ("done", 2)}


def test_a_refusal_is_not_retried(
    make_project: MakeProject, scripted: Callable[[dict[str, str]], None]
) -> None:
    scripted({"tiny-restorer": "import sys; print('error: made from another'); sys.exit(2)"})
    (entry,) = Queue([RESTORER], make_project(), [Slot("")]).run()
    assert (entry.state, entry.attempts) == ("failed", 1)
    assert entry.reason.startswith("error: made from another")


def test_a_slot_holds_one_job_and_shows_it_its_gpu(
    make_project: MakeProject, scripted: Callable[[dict[str, str]], None]
) -> None:
    scripted(
        dict.fromkeys(
            (j.member for j in JOBS), "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
        )
    )
    project, most = make_project(), []

    def watch(entries: Sequence[Entry]) -> None:
        most.append(sum(entry.state == "running" for entry in entries))

    Queue(JOBS[:2], project, [Slot("", 5)], watch).run()
    assert max(most) == 1
    assert RESTORER.files(project.workspace).log.read_text() == "5\n"


def test_no_process_outlives_an_interruption(
    make_project: MakeProject, scripted: Callable[[dict[str, str]], None]
) -> None:
    scripted({"tiny-restorer": "import time; time.sleep(60)"})

    def interrupt(entries: Sequence[Entry]) -> None:
        raise KeyboardInterrupt

    queue = Queue([RESTORER], make_project(), [Slot("")], interrupt)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        queue.run()
    processes: list[subprocess.Popen[bytes]] = [process for *_, process in queue._running]
    assert all(process.poll() is not None for process in processes)
    assert time.monotonic() - started < 20


def test_gpus_are_counted_among_the_visible_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert Slot("", 1).environment == {"CUDA_VISIBLE_DEVICES": "1"}
    assert Slot("").environment == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-abc")
    assert Slot("", 1).environment == {"CUDA_VISIBLE_DEVICES": "GPU-abc"}
