"""`ens compare`: where two submissions differ."""

from __future__ import annotations

from typing import Annotated

import typer

from ensemble.cli.context import Context
from ensemble.cli.options import Png, Submission


def compare(
    ctx: typer.Context,
    first: Submission,
    second: Submission,
    shown: Annotated[int, typer.Option(min=1, help="Most photographs listed and drawn.")] = 12,
    output: Png = None,
) -> None:
    """Show where two submissions differ, photograph by photograph, the most first.

    Listed are the mean difference of the channels and of the lumas (0 to 255), the share of
    pixels that differ, and the correlation of the hue histograms.

    Examples:

        ens compare submission second

        ens compare old.zip submissions/submission.zip
    """
    from ensemble.data.png import write_png
    from ensemble.report.sheets import draw_contact_sheet
    from ensemble.report.tables import Column, make_table
    from ensemble.submission.compare import TwoZips, find_submission

    context: Context = ctx.obj
    paths = [find_submission(context.workspace, text) for text in (first, second)]
    zips = TwoZips(*paths)
    found = zips.measure(context.progress)
    listed = [one for one in found[:shown] if one.changed]
    equal = sum(1 for one in found if not one.changed)
    context.say(f"{len(found)} photographs, {equal} of them the same in both")
    if not listed:
        return
    table = make_table(
        "largest differences",
        Column("photograph"),
        Column("difference", number=True),
        Column("luma", number=True, drop=2),
        Column("pixels", number=True, drop=3),
        Column("hue correlation", number=True, drop=1),
    )
    for one in listed:
        numbers = (f"{one.mean:.2f}", f"{one.luma:.2f}", f"{one.changed:.1%}", f"{one.hue:.3f}")
        table.add_row(one.name, *numbers)
    context.show(table)
    sheet = draw_contact_sheet(
        [zips.draw(one.name) for one in listed],
        headings=[path.stem for path in paths] + ["difference"],
        captions=[one.name for one in listed],
    )
    names = "-".join(path.stem for path in paths)
    path = output or context.workspace.root / f"compare-{names}.png"
    write_png(path, sheet)
    context.say(f"wrote {path}")
