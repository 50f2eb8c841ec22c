"""`ens doctor`: check the machine and the data, and say what everything will cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ensemble.cli.context import Context
from ensemble.data.photographs import Photographs
from ensemble.doctor.finding import Finding
from ensemble.members import configured_members
from ensemble.project import open_photographs
from ensemble.vocabulary import STAGES
from ensemble.workspace import free_bytes

if TYPE_CHECKING:
    from ensemble.doctor.cost import NetworkCost


def doctor(
    ctx: typer.Context,
    sample: Annotated[int, typer.Option(min=1, help="Photographs to look at.")] = 200,
    quick: Annotated[bool, typer.Option("--quick", help="Time no network.")] = False,
) -> None:
    """Check the machine and the data, and say the hours and gigabytes a run will take.

    Looks at Python, torch, the GPU and the encoders' weights; decodes a sample of the photographs
    and locates their holes; times a few steps of every network on this very device. Exits with 1
    if something is wrong.

    Examples:

        ens doctor

        ens doctor --quick
    """
    from ensemble.doctor.cost import check_disk, check_memory, disk_bytes, fold_hours, time_network
    from ensemble.doctor.data import check_copies, check_data
    from ensemble.doctor.machine import check_machine

    context: Context = ctx.obj
    config, workspace = context.config, context.workspace
    members = [member for stage in STAGES for member in configured_members(config, stage)]
    findings = _show(context, check_machine(config, members))
    kept = open_photographs(workspace, config)
    competition = kept.competition
    looked = check_data(competition, sample=sample, seed=config.seed, progress=context.progress)
    findings += _show(context, looked)
    findings += _show(context, [check_copies(kept, context.progress)])
    if not quick:
        trained = [member for member in members if member.kind == "trained"]
        photographs, count = Photographs(competition), len(competition.train_ids)
        with context.progress("timing networks", len(trained)) as advance:
            costs = []
            for member in trained:
                costs.append(time_network(member, config, photographs, competition.train_ids[:16]))
                advance(1)
        hours = [fold_hours(cost, config, count) for cost in costs]
        _say_hours(context, costs, hours)
        needed = disk_bytes(members, costs, config, count)
        disk = check_disk(needed, free_bytes(workspace.root), config)
        findings += _show(context, [*check_memory(costs, config), disk])
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)
    context.say(f"next: {context.command('status')}")


def _show(context: Context, findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding as soon as it is known."""
    found = []
    for finding in findings:
        context.say(f"{finding.verdict:8}{finding.what}: {finding.text}")
        found.append(finding)
    return found


def _say_hours(context: Context, costs: Sequence[NetworkCost], hours: Sequence[float]) -> None:
    """One line a network, then the total."""
    training, n_folds = context.config.training, context.config.folds.n_folds
    for cost, fold in zip(costs, hours, strict=True):
        memory = f", {cost.gpu_bytes / 1e9:.1f} GB of GPU memory" if cost.gpu_bytes else ""
        context.say(
            f"        {cost.member.stage} {cost.member.name}: {cost.step_seconds:.3g} s a step, "
            f"{_duration(fold)} a fold{memory}"
        )
    if hours:
        context.say(
            f"hours   {_duration(sum(hours))} a fold, {_duration(n_folds * sum(hours))} for "
            f"{n_folds} folds, if every network learns for all its {training.epochs} epochs; "
            "`patience` mostly ends it earlier, `max_steps_per_epoch` under [training] shortens it"
        )


def _duration(hours: float) -> str:
    return f"{60 * hours:.0f} min" if hours < 1 else f"{hours:.1f} h"
