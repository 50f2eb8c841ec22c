"""A queue of jobs on a Dask cluster whose machines share the workspace's folder.

A worker does one job at a time in a process of its own, which dies with the worker. The job's lock
dies with that process, so when a machine is lost, Dask gives the job to another worker and that
goes on from the last checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ensemble.errors import ConfigError, TrainingError
from ensemble.jobs.entry import Entry, log_tail
from ensemble.jobs.plan import blockers
from ensemble.jobs.queue import MOST_ATTEMPTS, OnChange
from ensemble.jobs.worker import REFUSED, Order, start
from ensemble.project import Project
from ensemble.training.job import Job
from ensemble.workspace import Workspace

Client = Any  # distributed is optional and mostly without types

POLL_SECONDS = 0.5
_CONNECT_SECONDS = 20


def connect(address: str) -> Client:
    """Connect to a scheduler.

    Raises:
        ConfigError: Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client as DaskClient
    except ImportError:
        raise ConfigError("`--dask` needs Dask; install it with `ensemble[dask]`") from None
    try:
        client: Client = DaskClient(address, timeout=_CONNECT_SECONDS)  # type: ignore[no-untyped-call]
        return client
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at `{address}` ({error}); start one with `dask scheduler`, "
            "and on each machine, for each GPU, `CUDA_VISIBLE_DEVICES=0 dask worker "
            f"{address} --nthreads 1`"
        ) from None


def run_on_cluster(
    jobs: Sequence[Job],
    project: Project,
    client: Client,
    on_change: OnChange = lambda entries: None,
) -> list[Entry]:
    """Run jobs on a cluster until each has ended; see `ensemble.jobs.queue.Queue`.

    Args:
        jobs: What to do.
        project: In a folder that every worker sees at the same path.
        client: Of the cluster.
        on_change: Told the entries twice a second.
    """
    entries = [Entry(job) for job in jobs]
    futures: dict[Job, Any] = {}
    for job in sorted(jobs, key=lambda job: job.stage, reverse=True):  # restoration first
        needed = [futures[other] for other in blockers(job, jobs)]
        futures[job] = client.submit(
            do_order,
            Order.of(job, project).model_dump_json(),
            needed,
            key=f"ens {job} {time.time_ns()}",
            pure=False,
        )
    try:
        while not all(entry.over for entry in entries):
            _observe(entries, futures, client)
            on_change(entries)
            time.sleep(POLL_SECONDS)
    finally:
        client.cancel([future for future in futures.values() if not future.done()])
    return entries


def do_order(order_json: str, needed: Sequence[None]) -> None:
    """Do one order in a process of its own, twice if the first fails; runs on a worker.

    Args:
        order_json: The order.
        needed: What the jobs it needs returned; Dask waits for them.

    Raises:
        TrainingError: The process failed, or refused; the message is the end of its log.
    """
    order = Order.model_validate_json(order_json)
    path = order.job.files(Workspace(order.root)).log
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(MOST_ATTEMPTS):
        with path.open("ab") as log:
            status = start(order.command(), log=log, environment={}).wait()
        if status in (0, REFUSED):
            break
    if status:
        kind = "refused" if status == REFUSED else f"failed with exit status {status}"
        raise TrainingError(f"{order.job} {kind}: {log_tail(path)} (see `{path}`)")


def _observe(entries: Sequence[Entry], futures: dict[Job, Any], client: Client) -> None:
    working = {
        key: address for address, keys in client.processing().items() for key in map(str, keys)
    }
    for entry in entries:
        future = futures[entry.job]
        if future.status == "finished":
            entry.state, entry.where = "done", ""
        elif future.status in ("error", "cancelled", "lost"):
            _judge(entry, future)
        else:
            entry.where = working.get(str(future.key), "")
            entry.state = "running" if entry.where else "waiting"


def _judge(entry: Entry, future: Any) -> None:
    error = future.exception() if future.status == "error" else None
    mine = error is None or str(entry.job) in str(error) or not isinstance(error, TrainingError)
    entry.state, entry.where = ("failed" if mine else "skipped"), ""
    entry.reason = str(error or future.status) if mine else "a job it needs has failed"
