"""The table of submissions, as `ens history` prints and `ens report` draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ensemble.report.tables import Table, make_row, number_cell
from ensemble.submission.history import Sent


def table_submissions(
    history: Sequence[Sent], judge: Callable[[Sent], str] = lambda _: ""
) -> Table:
    """List submissions; `judge` says what there is to say of one that was not replaced."""
    rows = []
    for one in history:
        state = "replaced" if one.replaced else judge(one)
        rows.append(
            make_row(
                one.name,
                one.made_at,
                number_cell(one.expected),
                number_cell(one.public),
                number_cell(one.difference, "gain"),
                ", ".join(filter(None, (state, one.note))),
            )
        )
    columns = ("submission", "made", "expected", "public", "difference", "state")
    least = ("state", "made", "difference")
    return Table(
        "Zips, with what was expected of them and what the board gave", columns, rows, least
    )
