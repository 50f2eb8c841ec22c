"""One job in a process of its own: `python -m ensemble.jobs.worker ORDER`.

The order travels as JSON on the command line, so a process on another machine needs nothing but
the shared folder. Exit status 0 is done, 2 is a refusal that another try would meet again, and
anything else is a failure.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

from pydantic import BaseModel, ConfigDict

from ensemble.config import Config
from ensemble.errors import ConfigError, EnsembleError, explain_os_error
from ensemble.files import make_folder, refuse_links
from ensemble.project import Project
from ensemble.training.job import Job
from ensemble.workspace import Workspace

FAILED, REFUSED = 1, 2
_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 4000


class Order(BaseModel):
    """What a process is to do, with the settings, flags included.

    The workspace is absolute, the same on every machine; devices are those of each machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path
    config: Config
    job: Job
    devices: int = 1
    nodes: int = 1

    @classmethod
    def of(cls, job: Job, project: Project, **how: Any) -> Order:
        """The order to do `job`; `how` gives devices and nodes."""
        root = project.workspace.root.resolve()
        return cls(root=root, config=project.config, job=job, **how)

    def command(self, launcher: Sequence[str] = ()) -> list[str]:
        """What to execute; `launcher` stands between python and the module."""
        return [sys.executable, *launcher, "-m", __name__, self.model_dump_json()]


def start(order: Order, environment: Mapping[str, str] | None = None) -> Popen[bytes]:
    """Start a process that does an order and appends to the job's log; on Linux it dies with us."""
    log = order.job.files(Workspace(order.root)).log
    make_folder(log.parent)
    refuse_links(log.parent, log)
    with log.open("ab") as file:
        return Popen(
            order.command(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            # Unbuffered: else what was printed earlier may follow the error in the log.
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )


def explain_exit(status: int, log: Path) -> str:
    """Why a job's process failed, from the last paragraph of its log; empty where it did not."""
    if status == 0:
        return ""
    text = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    start = text.rfind("error: ")
    tail = text[start:] if start >= 0 else text.rpartition("\n")[2]
    return f"{tail} (exit status {status}; see `{log}`)"


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: Sequence[str]) -> int:
    """Do one order; returns the exit status."""
    from ensemble.jobs.run import run_job
    from ensemble.training.trainer import Hardware

    order = Order.model_validate_json(arguments[0])
    try:
        if not order.root.is_dir():
            raise ConfigError(
                f"`{order.root}` must be the same shared folder on every machine, but is not "
                "there on this one"
            )
        project = Project.open(Workspace(order.root), order.config)
        hardware = Hardware(order.devices, order.nodes)
        run_job(order.job, project, hardware=hardware)
    except EnsembleError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return REFUSED
    except OSError as error:
        print(f"error: {explain_os_error(error)}", file=sys.stderr, flush=True)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
