"""The table of folds, as `ens folds` prints and `ens explore` draws it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ensemble.folds.split import Folds
from ensemble.report.tables import Table, make_row, number_cell


def table_folds(folds: Folds, traits: Mapping[str, NDArray[np.float64]]) -> Table:
    """Count the photographs of each fold, and take the means of their `measure_traits`."""
    rows = []
    for fold in range(folds.n_folds):
        ids = folds.validation(fold)
        bright, colorful, lost = np.mean([traits[image_id] for image_id in ids], axis=0).tolist()
        counts = (len(ids), len({folds.group_of[image_id] for image_id in ids}))
        means = (number_cell(mean, "level") for mean in (bright, colorful))
        cells = (*(number_cell(count, "count") for count in counts), *means)
        rows.append(make_row(f"fold {fold}", *cells, number_cell(lost, "share")))
    columns = ("fold", "photographs", "groups", "brightness", "colorfulness", "lost")
    return Table("Each fold: counts and means", columns, rows, least=columns[:0:-1])
