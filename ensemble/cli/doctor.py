"""`ens doctor`: check the machine and the data, and say what everything will cost."""

from __future__ import annotations

from typing import Annotated

import typer

from ensemble.cli.context import Context


def doctor(
    ctx: typer.Context,
    sample: Annotated[int, typer.Option(min=1, help="Photographs to look at.")] = 200,
    quick: Annotated[bool, typer.Option("--quick", help="Time nothing.")] = False,
) -> None:
    """Check the machine and the data, and say the hours and gigabytes a run will take.

    Looks at Python, torch, the GPU and the encoders' weights; decodes a sample of the photographs
    and locates their holes; times the decoding, and a few steps of every network on this very
    device. Exits with 1 if something is wrong.

    Examples:

        ens doctor

        ens doctor --quick
    """
    from ensemble.doctor.examine import examine

    context: Context = ctx.obj
    wrong = False
    for finding in examine(
        context.workspace, context.config, sample=sample, quick=quick, progress=context.progress
    ):
        context.say(f"{finding.verdict:8}{finding.what}: {finding.text}")
        wrong = wrong or finding.verdict == "wrong"
    if wrong:
        raise typer.Exit(1)
    context.say(f"next: {context.command('status')}")
