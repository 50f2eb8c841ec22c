"""`ens train`: train networks, fold by fold, on whatever machines there are."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ensemble.cli.context import Context
from ensemble.cli.folds_option import parse_folds
from ensemble.cli.progress import progress_bar
from ensemble.config import Config
from ensemble.errors import ConfigError, TrainingError
from ensemble.vocabulary import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ensemble.jobs.entry import Entry
    from ensemble.project import Project
    from ensemble.training.job import Job


@dataclass(frozen=True)
class _Machines:
    """Where jobs run, as the flags say.

    Attributes:
        gpus: One job a GPU, on these; empty runs jobs one after the other in this process.
        dask: Address of a Dask scheduler; empty for none.
        devices: Processes of one training on this machine.
        nodes: Machines of one training.
    """

    gpus: tuple[int, ...]
    dask: str
    devices: int
    nodes: int


def train(
    ctx: typer.Context,
    fold: Annotated[str, typer.Option(help="0, or 0,2, or 0..4, or all.")] = "all",
    stage: Annotated[Stage | None, typer.Option(help="Only this stage.")] = None,
    member: Annotated[str | None, typer.Option(help="Only this member.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Most epochs; more than before extends a training.")
    ] = None,
    encoder_weights: Annotated[
        Literal["imagenet", "none"] | None, typer.Option(help="Where encoders start.")
    ] = None,
    gpus: Annotated[
        str | None, typer.Option(help="One job a GPU on these, as 0,1,2; all by default.")
    ] = None,
    dask: Annotated[
        str, typer.Option(help="Hand the jobs to this Dask scheduler, as tcp://host:8786.")
    ] = "",
    devices: Annotated[int, typer.Option(min=1, help="GPUs of one training.")] = 1,
    num_nodes: Annotated[int, typer.Option(min=1, help="Machines of one training.")] = 1,
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove what was trained and begin anew.")
    ] = False,
) -> None:
    """Train the members of ens.toml and cache their out-of-fold predictions.

    A training that was interrupted goes on where it stopped; one that has finished is skipped.
    Restoration of a fold comes before its colorization.

    Examples:

        ens train --fold 0..4

        ens train --stage restoration --member unet-efficientnet-b0 --fold 0 --epochs 60

        ens train --fold all --gpus 0,1,2,3

        ens train --fold all --dask tcp://scheduler:8786

        ens train --fold 0 --member fpn-resnet50 --devices 4
    """
    from ensemble.jobs.plan import plan

    context: Context = ctx.obj
    config = context.config.replace("training", epochs=epochs, encoder_weights=encoder_weights)
    project = context.open_project(config)
    folds = parse_folds(fold, project.folds.n_folds)
    jobs = plan(project, folds, stage=stage, member=member)
    machines = _Machines(_parse_gpus(gpus), dask, devices, num_nodes)
    _record_encoder_weights(context, config)
    _tell(context, project, _run(context, project, jobs, machines, restart=restart))


def _run(
    context: Context,
    project: Project,
    jobs: Sequence[Job],
    machines: _Machines,
    *,
    restart: bool,
) -> Sequence[Entry]:
    from ensemble.training.fit import remove

    if restart:
        for job in jobs:
            remove(job, context.workspace)
    _decode(context, project, jobs)
    if machines.dask:
        return _on_cluster(context, project, jobs, machines.dask)
    if machines.gpus and machines.devices * machines.nodes == 1:
        return _on_gpus(context, project, jobs, machines.gpus)
    return _one_after_the_other(context, project, jobs, machines)


def _one_after_the_other(
    context: Context, project: Project, jobs: Sequence[Job], machines: _Machines
) -> list[Entry]:
    from ensemble.jobs.distributed import run_distributed
    from ensemble.jobs.entry import Entry
    from ensemble.jobs.run import run_job
    from ensemble.training.fit import member_of

    several = machines.devices * machines.nodes > 1
    entries = [Entry(job) for job in jobs]
    for number, entry in enumerate(entries, start=1):
        job = entry.job
        context.console.print(f"[{number}/{len(jobs)}] {job}", highlight=False, markup=False)
        try:
            if several and member_of(job, project).kind == "trained":
                run_distributed(job, project, devices=machines.devices, nodes=machines.nodes)
            else:
                run_job(job, project, progress=context.console.is_terminal)
            entry.state = "done"
        except TrainingError as error:
            entry.state, entry.reason = "failed", str(error)
        gc.collect()  # trainer and network refer to each other: without this they pile up
    return entries


def _on_gpus(
    context: Context, project: Project, jobs: Sequence[Job], gpus: Sequence[int]
) -> Sequence[Entry]:
    from ensemble.jobs.queue import Queue, Slot

    slots = [Slot(f"on GPU {gpu}", gpu) for gpu in gpus]
    with _live_table(context, project) as on_change:
        return Queue(jobs, project, slots, on_change).run()


def _on_cluster(
    context: Context, project: Project, jobs: Sequence[Job], address: str
) -> Sequence[Entry]:
    from ensemble.jobs.cluster import connect, run_on_cluster

    with connect(address) as client, _live_table(context, project) as on_change:
        return run_on_cluster(jobs, project, client, on_change)


@contextmanager
def _live_table(context: Context, project: Project) -> Iterator[Callable[[Sequence[Entry]], None]]:
    """Gives what is to be told the entries; it redraws the table, or without a terminal nothing."""
    from rich.live import Live

    from ensemble.jobs.table import table_of

    if not context.console.is_terminal:
        yield lambda entries: None
        return
    with Live(console=context.console, auto_refresh=False) as live:
        yield lambda entries: live.update(table_of(entries, project), refresh=True)


def _decode(context: Context, project: Project, jobs: Sequence[Job]) -> None:
    """Fill the cache of decoded photographs, if a training is going to read it."""
    from ensemble.data.cache import open_cache
    from ensemble.training.data import decoded_folder
    from ensemble.training.fit import member_of

    trained = [job for job in jobs if member_of(job, project).kind == "trained"]
    unfinished = any(not job.files(context.workspace).manifest.exists() for job in trained)
    if not project.config.training.cache or not unfinished:
        return
    total = len(project.competition.train_ids)
    with progress_bar(context.console, "decoding photographs", total) as advance:
        open_cache(decoded_folder(project), project.competition, advance=advance)


def _parse_gpus(text: str | None) -> tuple[int, ...]:
    """The GPUs named; all of them by default where there are several."""
    import torch

    count = torch.cuda.device_count()
    if text is None:
        return tuple(range(count)) if count > 1 else ()
    try:
        gpus = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"`--gpus` must be numbers as in 0,1,2, but is {text!r}") from None
    unknown = [gpu for gpu in gpus if gpu not in range(count)]
    if unknown:
        raise ConfigError(
            f"`--gpus` must be among the {count} GPUs of this machine (0..{count - 1}), but "
            f"{unknown[0]} is not; leave the flag out where there are none"
        )
    return gpus


def _record_encoder_weights(context: Context, config: Config) -> None:
    """Put a flag that changes what is learnt into ens.toml, so that later commands agree."""
    value = config.training.encoder_weights
    if value == context.config.training.encoder_weights:
        return
    from ensemble.config_text import config_text
    from ensemble.workspace import atomic_write

    kept = context.config.replace("training", encoder_weights=value)
    atomic_write(context.workspace.config_file, config_text(kept))
    context.say(f"recorded encoder_weights = {value} in {context.workspace.config_file}")


def _tell(context: Context, project: Project, entries: Sequence[Entry]) -> None:
    from ensemble.jobs.table import table_of

    console = context.console
    console.print(table_of(entries, project))
    for entry in entries:
        if entry.reason and entry.state != "done":
            console.print(f"{entry.job}: {entry.reason}", style="red", markup=False)
    written = [context.workspace.checkpoints, context.workspace.oof]
    context.say(f"wrote {' and '.join(str(folder) for folder in written if folder.exists())}")
    failed = [entry for entry in entries if entry.state != "done"]
    if failed:
        console.print(
            f"next: mend what failed, then run the same command again ({len(failed)} left)"
        )
        raise typer.Exit(1)
    context.say(f"next: {context.command('blend --trials 200')}")
