"""The search behind a recipe: how it went, and which options mattered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from ensemble.blending.search import JOURNAL, name_damage, name_kept, open_storage
from ensemble.report.plots import Labels, Plot, draw_bars, draw_search

FEWEST_TRIALS = 16
"""Fewer say nothing of an option's importance."""
MOST_OPTIONS = 10


def plot_search(storage: str | Path, study_name: str, *, stage: str) -> Iterator[Plot]:
    """Plot the best value so far, and each option's importance; nothing without the study.

    `storage` is what `ensemble.blending.search.open_storage` takes, and `scores.json` notes the
    name of the study.

    Raises:
        ConfigError: There is no such storage.
        StaleArtefactError: It is damaged.
    """
    study = _load(storage, study_name)
    if study is None:
        return
    with name_damage(name_kept(study_name)):
        trials = study.get_trials(states=(TrialState.COMPLETE,))
        values = [float(trial.value or 0.0) for trial in trials]
        found: dict[str, float] = {}
        if len(values) >= FEWEST_TRIALS and np.ptp(values) > 0:
            found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    if not np.isfinite(values).all() or not values:
        return
    title = f"{stage}: {len(values)} trials"
    text = f"The best of {len(values)} trials rises from {values[0]:.4f} to {max(values):.4f}."
    yield draw_search(values, Labels(f"{stage}-trials", title, "trial", text, y="estimated score"))
    if found:
        shares = {_words(name): share for name, share in list(found.items())[:MOST_OPTIONS]}
        first = next(iter(shares))
        title = f"{stage}: importance"
        text = f"The {first} mattered most: {shares[first]:.0%} of the variance."
        yield draw_bars(shares, Labels(f"{stage}-importance", title, "share of the variance", text))


def _words(option: str) -> str:
    """An option of the search as a person calls it.

    >>> _words("weight/fpn-resnet50"), _words("views/every member"), _words("prior_weight")
    ('weight of fpn-resnet50', 'views of every member', 'prior weight')
    """
    return option.replace("/", " of ", 1) if "/" in option else option.replace("_", " ")


def _load(storage: str | Path, study_name: str) -> optuna.Study | None:
    text = str(storage)
    file = Path(text.removeprefix(JOURNAL))
    if (text.startswith(JOURNAL) or "://" not in text) and not file.exists():
        return None  # opening it would make it
    opened = open_storage(storage)
    with name_damage(name_kept(study_name)):
        try:
            return optuna.load_study(study_name=study_name, storage=opened)
        except KeyError:
            return None
