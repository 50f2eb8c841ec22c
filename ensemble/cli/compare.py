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
    from ensemble.report.tables import Cell, Table, make_row, number_cell
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
    rows = [
        make_row(
            one.name,
            *(Cell(f"{level:.2f}", level) for level in (one.mean, one.luma)),
            number_cell(one.changed, "share"),
            number_cell(one.hue),
        )
        for one in listed
    ]
    columns = ("photograph", "difference", "luma", "pixels", "hue correlation")
    least = ("pixels", "luma", "hue correlation")
    context.show(Table("largest differences", columns, rows, least))
    sheet = draw_contact_sheet(
        [zips.draw(one.name) for one in listed],
        headings=[path.stem for path in paths] + ["difference"],
        captions=[one.name for one in listed],
    )
    names = "-".join(path.stem for path in paths)
    path = output or context.workspace.root / f"compare-{names}.png"
    write_png(path, sheet)
    context.say(f"wrote {path}")
