"""A queue of jobs on one machine: a process a job, a job a GPU."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ensemble.jobs.entry import Entry, log_tail
from ensemble.jobs.plan import blockers
from ensemble.jobs.worker import REFUSED, Order, start
from ensemble.project import Project
from ensemble.training.job import Job

MOST_ATTEMPTS = 2
POLL_SECONDS = 0.2

OnChange = Callable[[Sequence[Entry]], None]


@dataclass(frozen=True)
class Slot:
    """Room for one job.

    Attributes:
        name: What the table calls it.
        gpu: The GPU its processes see; None leaves them what this process sees.
    """

    name: str
    gpu: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What its processes find set; GPUs are counted among those that this process sees."""
        if self.gpu is None:
            return {}
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        name = visible.split(",")[self.gpu].strip() if visible else str(self.gpu)
        return {"CUDA_VISIBLE_DEVICES": name}


class Queue:
    """Runs jobs in the slots until each has ended; a failure stays that job's own.

    A job that fails is tried once more, unless it refused: that it would do again. A job is begun
    when all jobs it needs are done, and skipped when one of them cannot be.

    Args:
        jobs: In the order in which to begin them.
        project: Data, folds, settings and artefacts.
        slots: Where to run them.
        on_change: Told the entries several times a second.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        project: Project,
        slots: Sequence[Slot],
        on_change: OnChange = lambda entries: None,
    ) -> None:
        self.project = project
        self.entries = [Entry(job) for job in jobs]
        self.on_change = on_change
        self._free = list(slots)
        self._running: list[tuple[Entry, Slot, subprocess.Popen[bytes]]] = []

    def run(self) -> list[Entry]:
        """Run to the end; on an exception, such as Ctrl-C, no process is left behind."""
        try:
            while not all(entry.over for entry in self.entries):
                self._reap()
                self._begin()
                self.on_change(self.entries)
                time.sleep(POLL_SECONDS)
        finally:
            for _, _, process in self._running:
                process.terminate()
                process.wait()
        self.on_change(self.entries)
        return self.entries

    def _begin(self) -> None:
        for entry in self.entries:
            if entry.state == "waiting":
                self._begin_if_ready(entry)

    def _begin_if_ready(self, entry: Entry) -> None:
        needed = blockers(entry.job, [other.job for other in self.entries])
        states = {other.state for other in self.entries if other.job in needed}
        if states & {"failed", "skipped"}:
            entry.state, entry.reason = "skipped", "a job it needs has failed"
        elif states <= {"done"} and self._free:
            self._start(entry, self._free.pop(0))

    def _start(self, entry: Entry, slot: Slot) -> None:
        entry.state, entry.where = "running", slot.name
        entry.attempts += 1
        log = entry.job.files(self.project.workspace).log
        log.parent.mkdir(parents=True, exist_ok=True)
        command = Order.of(entry.job, self.project).command()
        with log.open("ab") as file:
            process = start(command, log=file, environment=slot.environment)
        self._running.append((entry, slot, process))

    def _reap(self) -> None:
        for running in list(self._running):
            entry, slot, process = running
            status = process.poll()
            if status is None:
                continue
            self._running.remove(running)
            self._free.append(slot)
            self._judge(entry, status)

    def _judge(self, entry: Entry, status: int) -> None:
        entry.where = ""
        if status == 0:
            entry.state = "done"
            return
        again = status != REFUSED and entry.attempts < MOST_ATTEMPTS
        entry.state = "waiting" if again else "failed"
        log = entry.job.files(self.project.workspace).log
        entry.reason = f"{log_tail(log)} (exit status {status}; see `{log}`)"
