"""`ens train`: train networks, fold by fold, on whatever machines there are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ensemble.cli.complete import complete_training_folds
from ensemble.cli.context import Context, parse_folds
from ensemble.cli.options import OnlyMember, OnlyStage
from ensemble.errors import ConfigError
from ensemble.vocabulary import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ensemble.jobs.plan import Entry
    from ensemble.project import Project
    from ensemble.training.job import Job

SAY_EVERY_S = 600.0
"""Seconds between two lines with the time left, where there is no terminal for a table."""


def train(
    ctx: typer.Context,
    fold: Annotated[
        str,
        typer.Option(
            help="0, or 0,2, or 0..4, or all (folds); full learns from all photographs.",
            autocompletion=complete_training_folds,
        ),
    ] = "all",
    stage: OnlyStage = None,
    member: OnlyMember = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Most epochs; more than before extends a training.")
    ] = None,
    encoder_weights: Annotated[
        Literal["imagenet", "none"] | None,
        typer.Option(help="Where encoders start; a [[member]] table's own key stays."),
    ] = None,
    gpus: Annotated[
        str | None, typer.Option(help="One job a GPU on these, as 0,1,2; all by default.")
    ] = None,
    dask: Annotated[
        str,
        typer.Option(
            help="Hand the jobs to this Dask scheduler, as tcp://host:8786; it must be yours, for "
            "a scheduler and its clients run each other's code."
        ),
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
    Restoration of a fold comes before its colorization. `--fold full` comes after the folds: it
    learns from all photographs, for as many epochs as the folds' best ones on average, and is not
    validated; `ens submit --full` uses it.

    Examples:

        ens train --fold 0..4

        ens train --stage restoration --member unet-efficientnet-b0 --fold 0 --epochs 60

        ens train --fold all --gpus 0,1,2,3

        ens train --fold all --dask tcp://scheduler:8786

        ens train --fold 0 --member fpn-resnet50 --devices 4

        ens train --fold full
    """
    from ensemble.jobs.dispatch import Machines, parse_gpus, run_jobs
    from ensemble.jobs.plan import plan

    context: Context = ctx.obj
    config = context.config.replace("training", epochs=epochs, encoder_weights=encoder_weights)
    project = context.open_project(config)
    if fold == FULL and epochs is not None:
        raise ConfigError(f"`--fold {FULL}` takes its epochs from the folds; leave out `--epochs`")
    folds = (FULL,) if fold == FULL else parse_folds(fold, project.folds.n_folds)
    jobs = plan(project, folds, stage=stage, member=member)
    machines = Machines(parse_gpus(gpus), dask, devices, num_nodes)
    if restart and not yes and (fold, stage, member) == ("all", None, None):
        _confirm_restart(context, jobs)
    _record_encoder_weights(context, project, jobs)
    entries = run_jobs(
        jobs,
        project,
        machines,
        restart=restart,
        progress=context.progress,
        open_table=partial(_show_jobs, context, project),
    )
    _print_outcome(context, project, entries)
    if epochs is not None:
        _explain_stopped(context, project, entries, epochs)
    following = "submit --full" if fold == FULL else "blend --trials 200"
    _finish(context, entries, following, restart=restart)


def _confirm_restart(context: Context, jobs: Sequence[Job]) -> None:
    there = [job for job in jobs if job.files(context.workspace).folder.exists()]
    if not there:
        return
    warning = f"`--restart` alone removes all {len(there)} trainings in `{context.workspace.root}`"
    if not context.console.is_terminal:
        raise ConfigError(f"{warning}; name a --fold, --stage or --member, or add --yes")
    typer.confirm(f"{warning}. Continue?", abort=True)


@contextmanager
def _show_jobs(context: Context, project: Project) -> Iterator[Callable[[Sequence[Entry]], None]]:
    """Yield what shows the jobs: a table, drawn anew each second, or lines without a terminal."""
    from rich.live import Live

    from ensemble.report.job_table import job_table, say_state, say_time_left
    from ensemble.report.tables import fit_table

    shown: list[Entry] = []
    if context.console.is_terminal:
        with Live(
            get_renderable=lambda: fit_table(job_table(shown, project), context.console.width),
            console=context.console,
            refresh_per_second=1,
            transient=True,
        ):
            yield lambda entries: shown.__setitem__(slice(None), entries)
        return
    told: dict[Job, str] = {}

    def tell(entries: Sequence[Entry]) -> None:
        shown[:] = entries
        for number, entry in enumerate(entries, 1):
            state = say_state(entry, project)
            if state != told.get(entry.job, "waiting"):
                left = say_time_left(entries, project)
                line = f"[{number}/{len(entries)}] {entry.job}: {state}"
                context.say(f"{line}; {left}" if left else line)
            told[entry.job] = state

    def tell_time_left() -> None:
        if left := say_time_left(shown, project):
            context.say(left)

    with _every(SAY_EVERY_S, tell_time_left):
        yield tell


@contextmanager
def _every(seconds: float, work: Callable[[], None]) -> Iterator[None]:
    """Do some work in a thread again and again while the block runs."""
    over = Event()

    def repeat() -> None:
        while not over.wait(seconds):
            work()

    with ThreadPoolExecutor(1) as pool:
        repeated = pool.submit(repeat)
        try:
            yield
        finally:
            over.set()
    repeated.result()


def _record_encoder_weights(context: Context, project: Project, jobs: Sequence[Job]) -> None:
    """Put a flag that changes what is learned into ens.toml, so that later commands agree.

    Nothing is written before the weights are at hand: without them nothing is trained either.
    """
    value = project.config.training.encoder_weights
    if value == context.config.training.encoder_weights:
        return
    from ensemble.config_text import set_key
    from ensemble.networks.build import require_buildable

    require_buildable({project.member(job.stage, job.member) for job in jobs}, project.config)
    set_key(context.workspace.config_file, "training", "encoder_weights", value)
    context.say(f"recorded encoder_weights = {value} in {context.workspace.config_file}")


def _print_outcome(context: Context, project: Project, entries: Sequence[Entry]) -> None:
    from ensemble.report.job_table import job_table

    context.show(job_table(entries, project))
    for entry in entries:
        if entry.reason and entry.state != "done":
            context.say(f"{entry.job}: {entry.reason}", "red")
    folders = [context.workspace.checkpoints, context.workspace.oof]
    if all(entry.job.fold == FULL for entry in entries):
        folders.pop()  # nothing is predicted out of fold
    written = [str(folder) for folder in folders if folder.exists()]
    if written:
        context.say(f"wrote {' and '.join(written)}")


def _explain_stopped(
    context: Context, project: Project, entries: Sequence[Entry], epochs: int
) -> None:
    """Say why a training has fewer epochs than were asked for."""
    from ensemble.report.job_table import read_facts

    for entry in entries:
        done = read_facts(entry.job, project).get("epochs", epochs)
        if entry.state == "done" and done < epochs:
            settings = project.config.of_member(entry.job.stage, entry.job.member).training
            context.say(
                f"{entry.job} stopped after {done} of {epochs} epochs: no better val_score in the "
                f"last {settings.patience}; a larger `patience` under [training] extends it"
            )


def _finish(context: Context, entries: Sequence[Entry], following: str, *, restart: bool) -> None:
    """Name the next command; raises Exit with status 1 where a job is not done."""
    failed = [entry for entry in entries if entry.state != "done"]
    if failed:
        again = "again without --restart" if restart else "again"
        context.say(
            f"next: mend what failed, as its line says, then run the same command {again} "
            f"({len(failed)} left)"
        )
        raise typer.Exit(1)
    context.say(f"next: {context.command(following)}")
