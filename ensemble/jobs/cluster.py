"""A queue of jobs on a Dask cluster whose machines share the workspace's folder.

A worker does one job at a time in a process of its own, which dies with the worker. The job's lock
dies with that process, so when a machine is lost, Dask gives the job to another worker and that
goes on from the last checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ensemble.errors import ConfigError, TrainingError
from ensemble.jobs.plan import Entry, blockers
from ensemble.jobs.queue import OnChange
from ensemble.jobs.worker import REFUSED, Order, explain_exit, start
from ensemble.project import Project
from ensemble.training.job import Job
from ensemble.workspace import Workspace

Client = Any  # distributed is optional and mostly without types

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 20.0
"""How long a scheduler may take to answer, and how long it may be without a worker."""

_FAULTS = (OSError, ValueError, MemoryError)
"""What distributed raises of an address where no scheduler answers: CommClosedError and
TimeoutError among them, and MemoryError where it takes the answer of an HTTP server for a length.
"""


def connect(address: str) -> Client:
    """Connect to a scheduler that has a worker.

    Raises:
        ConfigError: Dask is not installed, or no scheduler answers.
        TrainingError: The scheduler has no worker.
    """
    try:
        import distributed
    except ImportError:
        raise ConfigError(
            "`--dask` needs Dask; install it by `pip install dacon-ens[dask]`"
        ) from None
    for name in ("distributed", "distributed.client"):  # they log tracebacks of what is told here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        # A client would wait for ever for an answer of what is no scheduler.
        kind = asyncio.run(_identify(address))
        if kind != "Scheduler":
            raise ValueError(f"it is the address of a {kind}")
        client: Client = distributed.Client(address, timeout=PATIENCE_SECONDS)  # type: ignore[no-untyped-call]
    except _FAULTS as error:
        raise ConfigError(
            f"no Dask scheduler answers at `{address}` ({str(error) or type(error).__name__}); "
            f"start one with `dask scheduler`, {_start_workers(address)}"
        ) from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
    except OSError:
        client.close()
        raise _no_worker(address) from None
    return client


async def _identify(address: str) -> str:
    """What answers at an address: a Scheduler, a Worker or a Nanny."""
    from distributed import rpc

    async with rpc(address) as server:  # type: ignore[no-untyped-call]
        identity = await asyncio.wait_for(server.identity(), PATIENCE_SECONDS)
    return str(identity["type"])


def run_on_cluster(
    jobs: Sequence[Job],
    project: Project,
    client: Client,
    on_change: OnChange = lambda entries: None,
) -> list[Entry]:
    """Run jobs on a cluster until each has ended, as `ensemble.jobs.queue.Queue`.

    Every worker must see the project's folder at the same path.

    Raises:
        TrainingError: The scheduler is lost, or has no worker any more.
    """
    entries = [Entry(job) for job in jobs]
    address = client.scheduler.address
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
        last_seen = time.monotonic()
        while not all(entry.over for entry in entries):
            working = _keys_by_worker(client, address)
            if working:
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > PATIENCE_SECONDS:
                raise _no_worker(address)
            for entry in entries:
                _observe(entry, futures, working, address)
            on_change(entries)
            time.sleep(POLL_SECONDS)
    finally:
        with suppress(OSError, AttributeError, RuntimeError):  # of a client that is closed already
            client.cancel([future for future in futures.values() if not future.done()])
    return entries


def do_order(order_json: str, needed: Sequence[None]) -> None:
    """Do one order in a process of its own, twice if the first fails; runs on a worker.

    Dask first waits for the jobs that it needs.

    Raises:
        TrainingError: The process failed, or refused; the message is the end of its log.
    """
    order = Order.model_validate_json(order_json)
    entry = Entry(order.job)
    while entry.state == "waiting":
        entry.begin()
        status = start(order).wait()
        log = order.job.files(Workspace(order.root)).log
        entry.end(explain_exit(status, log), refused=status == REFUSED)
    if entry.state == "failed":
        raise TrainingError(entry.reason)


def _keys_by_worker(client: Client, address: str) -> dict[str, list[str]]:
    """The tasks of each worker, by its address."""
    try:
        if client.status != "running":
            raise OSError(f"the connection is {client.status}")
        found = client.sync(
            client.scheduler.processing, workers=None, callback_timeout=PATIENCE_SECONDS
        )
    except (OSError, AttributeError) as error:  # AttributeError: the client closed meanwhile
        raise _lost(address, error) from None
    return {worker: [str(key) for key in keys] for worker, keys in found.items()}


def _observe(
    entry: Entry, futures: dict[Job, Any], working: dict[str, list[str]], address: str
) -> None:
    future = futures[entry.job]
    if future.status == "finished":
        entry.end()
    elif future.status == "error":
        if any(futures[job].status == "error" for job in blockers(entry.job, futures)):
            entry.skip()
        else:
            entry.end(str(future.exception()), refused=True)  # the worker has tried it again
    elif future.status == "pending":
        entry.where = next((w for w, keys in working.items() if str(future.key) in keys), "")
        entry.state = "running" if entry.where else "waiting"
    else:
        raise _lost(address, future.status)


def _start_workers(address: str) -> str:
    return (
        "and on each machine, for each GPU, `CUDA_VISIBLE_DEVICES=0 dask worker "
        f"{address} --nthreads 1`"
    )


def _no_worker(address: str) -> TrainingError:
    return TrainingError(
        f"the Dask scheduler at `{address}` must have a worker, but had none for "
        f"{PATIENCE_SECONDS:.0f} seconds; start it, {_start_workers(address)}; then run the same "
        "command again"
    )


def _lost(address: str, fault: object) -> TrainingError:
    return TrainingError(
        f"the Dask scheduler at `{address}` must run until every job has ended, but the "
        f"connection to it is lost ({str(fault) or type(fault).__name__}); start it again, "
        f"{_start_workers(address)}; then run the same command again: each training goes on from "
        "its last checkpoint"
    )
