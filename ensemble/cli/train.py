"""`ens train`: train networks, fold by fold, on whatever machines there are."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ensemble.cli.context import Context
from ensemble.cli.folds_option import parse_folds
from ensemble.cli.progress import progress_bar
from ensemble.errors import ConfigError
from ensemble.vocabulary import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ensemble.jobs.plan import Entry
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
    yes: Annotated[
        bool, typer.Option("--yes", help="Restart everything without being asked.")
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
    if restart and not yes and (fold, stage, member) == ("all", None, None):
        _confirm_restart(context, jobs)
    _record_encoder_weights(context, project, jobs)
    entries = _run(context, project, jobs, machines, restart=restart)
    _tell(context, project, entries)
    if epochs is not None:
        _tell_stopped(context, project, entries, epochs)
    _finish(context, entries)


def _confirm_restart(context: Context, jobs: Sequence[Job]) -> None:
    there = [job for job in jobs if job.files(context.workspace).folder.exists()]
    if not there:
        return
    told = f"`--restart` alone removes all {len(there)} trainings in `{context.workspace.root}`"
    if not context.console.is_terminal:
        raise ConfigError(f"{told}; name a --fold, --stage or --member, or add --yes")
    typer.confirm(f"{told}. Go on?", abort=True)


def _run(
    context: Context,
    project: Project,
    jobs: Sequence[Job],
    machines: _Machines,
    *,
    restart: bool,
) -> Sequence[Entry]:
    if machines.dask:
        return _on_cluster(context, project, jobs, machines.dask, restart=restart)
    _decode(context, project, jobs)
    if machines.gpus and machines.devices * machines.nodes == 1:
        return _on_gpus(context, project, jobs, machines.gpus, restart=restart)
    return _one_after_the_other(context, project, jobs, machines, restart=restart)


def _one_after_the_other(
    context: Context,
    project: Project,
    jobs: Sequence[Job],
    machines: _Machines,
    *,
    restart: bool,
) -> list[Entry]:
    from ensemble.jobs.queue import run_here
    from ensemble.jobs.run import run_distributed, run_job
    from ensemble.training.fit import remove

    numbers = {job: number for number, job in enumerate(jobs, start=1)}
    several = machines.devices * machines.nodes > 1

    def announce(job: Job) -> None:
        context.say(f"[{numbers[job]}/{len(jobs)}] {job}")

    def run(job: Job, anew: bool) -> None:
        if several and project.member(job.stage, job.member).kind == "trained":
            if anew:
                remove(job, project)
            run_distributed(job, project, devices=machines.devices, nodes=machines.nodes)
        else:
            run_job(job, project, restart=anew, progress=context.console.is_terminal)

    return run_here(jobs, run, begin=announce, restart=restart)


def _on_gpus(
    context: Context,
    project: Project,
    jobs: Sequence[Job],
    gpus: Sequence[int],
    *,
    restart: bool,
) -> Sequence[Entry]:
    from ensemble.jobs.queue import Queue, Slot

    slots = [Slot(f"on GPU {gpu}", gpu) for gpu in gpus]
    with _live_table(context, project) as on_change:
        return Queue(jobs, project, slots, on_change, restart=restart).run()


def _on_cluster(
    context: Context, project: Project, jobs: Sequence[Job], address: str, *, restart: bool
) -> Sequence[Entry]:
    from ensemble.jobs.cluster import connect, run_on_cluster
    from ensemble.training.fit import remove

    with connect(address) as client, _live_table(context, project) as on_change:
        _decode(context, project, jobs)
        for job in jobs if restart else ():
            remove(job, project)
        return run_on_cluster(jobs, project, client, on_change)


@contextmanager
def _live_table(context: Context, project: Project) -> Iterator[Callable[[Sequence[Entry]], None]]:
    """Yield a callback that redraws the table of jobs; without a terminal it does nothing."""
    from rich.live import Live

    from ensemble.report.job_table import job_table

    if not context.console.is_terminal:
        yield lambda entries: None
        return
    with Live(console=context.console, auto_refresh=False) as live:
        yield lambda entries: live.update(job_table(entries, project), refresh=True)


def _decode(context: Context, project: Project, jobs: Sequence[Job]) -> None:
    """Decode the photographs, if a training is going to read them."""
    trained = [job for job in jobs if project.member(job.stage, job.member).kind == "trained"]
    if any(not job.files(context.workspace).manifest.exists() for job in trained):
        project.photographs.prepare(partial(progress_bar, context.console))


def _parse_gpus(text: str | None) -> tuple[int, ...]:
    """The GPUs named; all of them by default."""
    import torch

    count = torch.cuda.device_count()
    if text is None:
        return tuple(range(count))
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


def _record_encoder_weights(context: Context, project: Project, jobs: Sequence[Job]) -> None:
    """Put a flag that changes what is learnt into ens.toml, so that later commands agree.

    Nothing is written before the weights are at hand: without them nothing is trained either.
    """
    value = project.config.training.encoder_weights
    if value == context.config.training.encoder_weights:
        return
    from ensemble.config_text import set_key
    from ensemble.networks.build import build

    members = {project.member(job.stage, job.member) for job in jobs}
    for member in members:
        if value != "none" and member.kind == "trained":
            build(member, encoder_weights=value)
    set_key(context.workspace.config_file, "training", "encoder_weights", value)
    context.say(f"recorded encoder_weights = {value} in {context.workspace.config_file}")


def _tell(context: Context, project: Project, entries: Sequence[Entry]) -> None:
    from ensemble.report.job_table import job_table

    context.console.print(job_table(entries, project))
    for entry in entries:
        if entry.reason and entry.state != "done":
            context.console.print(f"{entry.job}: {entry.reason}", style="red", markup=False)
    folders = [context.workspace.checkpoints, context.workspace.oof]
    written = [str(folder) for folder in folders if folder.exists()]
    if written:
        context.say(f"wrote {' and '.join(written)}")


def _tell_stopped(
    context: Context, project: Project, entries: Sequence[Entry], epochs: int
) -> None:
    """Say why a training has fewer epochs than were asked for."""
    from ensemble.report.job_table import read_facts

    for entry in entries:
        done = read_facts(entry.job, project).get("epochs", epochs)
        if entry.state == "done" and done < epochs:
            context.say(
                f"{entry.job} stopped after {done} of {epochs} epochs: no better val_score in the "
                f"last {project.config.training.patience}; a larger `patience` under [training] "
                "extends it"
            )


def _finish(context: Context, entries: Sequence[Entry]) -> None:
    """Name the next command; raises Exit with status 1 where a job is not done."""
    failed = [entry for entry in entries if entry.state != "done"]
    if failed:
        context.say(f"next: mend what failed, then run the same command again ({len(failed)} left)")
        raise typer.Exit(1)
    context.say(f"next: {context.command('blend --trials 200')}")
