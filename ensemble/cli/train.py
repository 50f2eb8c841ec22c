"""`ens train`: train networks, fold by fold, on whatever machines there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ensemble.cli.context import Context
from ensemble.cli.folds_option import parse_folds
from ensemble.config import Config
from ensemble.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ensemble.jobs.run import Outcome
    from ensemble.networks.project import Project
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
    stage: Annotated[str | None, typer.Option(help="restoration or colorization only.")] = None,
    member: Annotated[str | None, typer.Option(help="Only the member of this name.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Most epochs; more than before extends a training.")
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
    from ensemble.networks.project import Project

    context: Context = ctx.obj
    config = context.config.replace("training", epochs=epochs, encoder_weights=encoder_weights)
    project = Project.open(context.workspace, config)
    folds = parse_folds(fold, project.folds.n_folds)
    jobs = plan(project, folds, stage=stage, member=member)
    machines = _Machines(_parse_gpus(gpus), dask, devices, num_nodes)
    _record_encoder_weights(context, config)
    finished = _run(context, project, jobs, machines, restart=restart)
    _tell(context, finished)
    if len(finished) < len(jobs):
        raise typer.Exit(1)


def _run(
    context: Context,
    project: Project,
    jobs: Sequence[Job],
    machines: _Machines,
    *,
    restart: bool,
) -> list[Outcome]:
    from ensemble.jobs.run import run_job

    outcomes = []
    for number, job in enumerate(jobs, start=1):
        context.console.print(f"[{number}/{len(jobs)}] {job}", highlight=False, markup=False)
        progress = context.console.is_terminal
        outcomes.append(run_job(job, project, progress=progress, restart=restart))
    return outcomes


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
    from ensemble.config import config_text
    from ensemble.workspace import atomic_write

    kept = context.config.replace("training", encoder_weights=value)
    atomic_write(context.workspace.config_file, config_text(kept))
    context.console.print(f"recorded encoder_weights = {value} in {context.workspace.config_file}")


def _tell(context: Context, outcomes: Sequence[Outcome]) -> None:
    from rich.table import Table

    table = Table("stage", "member", "fold", "epochs", "val_score")
    for outcome in outcomes:
        job, score = outcome.job, outcome.val_score
        shown = "-" if score is None else f"{score:.4f}"
        table.add_row(job.stage, job.member, str(job.fold), str(outcome.epochs or "-"), shown)
    context.console.print(table)
    context.console.print(f"wrote {context.workspace.checkpoints} and {context.workspace.oof}")
    context.console.print("next: ens blend --trials 200")
