"""`metrics.csv`: the numbers of each epoch of a training."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

Columns = Mapping[str, tuple[float, ...]]
"""Of one training, the numbers of each epoch by the name of the column."""


def read_metrics(path: Path) -> Columns:
    """The columns of numbers; none where the file is missing or no table of numbers."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: tuple(float(row[name]) for row in rows) for name in (rows[0] if rows else ())}
    except (OSError, ValueError, TypeError, KeyError, csv.Error):
        return {}
