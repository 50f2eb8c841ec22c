"""Two verbs at the same time: some pairs once; `benchmarks/pairs.py` runs all, again and again."""

from __future__ import annotations

from pathlib import Path

from tests.crash.forks import Forks
from tests.crash.pairs import PAIRED, Pairs, prepare_state
from tests.crash.verbs import Prepared

CHOSEN = (
    ("blend --trials 20", "blend --trials 20"),
    ("blend --trials 20", "train --fold 0"),
    ("oof", "oof"),
    ("folds", "submit --force"),
    ("report", "report"),
)
"""How both commands begin."""


def test_two_at_once_leave_what_one_after_the_other_leaves(
    prepared: dict[str, Prepared], forks: Forks, folder: Path
) -> None:
    pairs = Pairs(forks, prepare_state(list(prepared.values()), folder), folder / "chain")
    for number, begins in enumerate(CHOSEN):
        first, second = (next(w for w in PAIRED if w.startswith(begin)) for begin in begins)
        _, fault = pairs.run_pair(first, second, number)
        assert not fault, f"{first} beside {second}: {fault}"
