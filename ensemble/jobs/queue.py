"""Queues of jobs on one machine: a process a job on GPUs, or one after the other in this one.

In both a failed job is tried once more, unless it was refused; a job that needs a failed one is
skipped; the rest goes on.
"""

from __future__ import annotations

import gc
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ensemble.errors import EnsembleError, explain_os_error
from ensemble.jobs.plan import Entry, may_begin
from ensemble.jobs.worker import REFUSED, Order, explain_exit, start
from ensemble.project import Project
from ensemble.training.job import Job

POLL_SECONDS = 0.2

OnChange = Callable[[Sequence[Entry]], None]


class Slot(NamedTuple):
    """Room for one job, as the table calls it, and the GPU that its processes see.

    None leaves them what this process sees.
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
    """Runs jobs in the slots, each in a process of its own, until each has ended.

    They are begun in their order: a job when all jobs it needs are done; it is skipped when one of
    them cannot be. `on_change` is called with the entries several times a second.
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
                for entry in self.entries:
                    if entry.state == "waiting" and may_begin(entry, self.entries) and self._free:
                        slot = self._free.pop(0)
                        entry.begin(slot.name)
                        process = start(Order.of(entry.job, self.project), slot.environment)
                        self._running.append((entry, slot, process))
                self.on_change(self.entries)
                time.sleep(POLL_SECONDS)
        finally:
            for _, _, process in self._running:
                process.terminate()
                process.wait()
        self.on_change(self.entries)
        return self.entries

    def _reap(self) -> None:
        for running in list(self._running):
            entry, slot, process = running
            status = process.poll()
            if status is not None:
                self._running.remove(running)
                self._free.append(slot)
                log = entry.job.files(self.project.workspace).log
                entry.end(explain_exit(status, log), refused=status == REFUSED)


def run_here(
    jobs: Sequence[Job],
    run: Callable[[Job], None],
    on_change: OnChange = lambda entries: None,
) -> list[Entry]:
    """Run jobs, each after those it needs, in this process; tell whenever one begins or ends."""
    entries = [Entry(job) for job in jobs]
    for entry in entries:
        while entry.state == "waiting" and may_begin(entry, entries):
            entry.begin()
            on_change(entries)
            _try_here(entry, run)
            on_change(entries)
            gc.collect()  # trainer and network refer to each other: without this they pile up
    return entries


def _try_here(entry: Entry, run: Callable[[Job], None]) -> None:
    try:
        run(entry.job)
    except EnsembleError as error:
        entry.end(str(error), refused=True)
    except OSError as error:
        entry.end(explain_os_error(error))
    except (MemoryError, RuntimeError) as error:
        # What the machine refuses, a GPU's memory among it: torch raises RuntimeErrors for that.
        entry.end(f"{type(error).__name__}: {error}")
    else:
        entry.end()
