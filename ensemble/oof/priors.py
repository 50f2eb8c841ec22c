"""The hue prior of each fold, in one safetensors file beside the recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save_file

from ensemble.arrays import Gray
from ensemble.composition.hue_prior import HuePrior, gray_statistics, share_extremes
from ensemble.composition.recipe import Recipe
from ensemble.errors import MissingArtefactError, MissingFileError, StaleArtefactError
from ensemble.files import atomic_path
from ensemble.manifest import digest_bytes
from ensemble.project import Project
from ensemble.reading import read_bytes, shorten

Priors = Mapping[int, HuePrior]
"""Of each fold, the prior fitted to the photographs its networks learn from."""

REMEDY = "run `ens blend` again"

_KEY = re.compile(r"\d{1,3}\.\w+")


def write_priors(path: Path, priors: Priors) -> None:
    """Write the priors, whole or not at all."""
    arrays = {
        f"{fold}.{name}": np.ascontiguousarray(array)
        for fold, prior in priors.items()
        for name, array in prior.to_arrays().items()
    }
    with atomic_path(path) as temporary:
        save_file(arrays, temporary)


def read_priors(path: Path) -> dict[int, HuePrior]:
    """Read what `write_priors` wrote.

    MissingArtefactError without such a file, StaleArtefactError where it is damaged or of another
    version.
    """
    try:
        stored = load(read_bytes(path))
        if any(not _KEY.fullmatch(key) for key in stored):
            raise ValueError(f"one of its keys is `{shorten(min(stored))}`")
        by_fold: dict[int, dict[str, NDArray[Any]]] = {}
        for key, array in stored.items():
            fold, _, name = key.partition(".")
            by_fold.setdefault(int(fold), {})[name] = array
        return {fold: HuePrior.from_arrays(arrays) for fold, arrays in sorted(by_fold.items())}
    except MissingFileError:
        raise MissingArtefactError(f"`{path}` is not there; {REMEDY}") from None
    except Exception as error:  # safetensors raises more than its own
        reason = shorten(str(error))
        raise StaleArtefactError(f"`{path}` holds no hue priors ({reason}); {REMEDY}") from None


def read_recipe_priors(project: Project, recipe: Recipe) -> dict[int, HuePrior]:
    """Read the hue priors that a recipe counts on; none where its composition moves no hue.

    MissingArtefactError where they are not there, StaleArtefactError where they are not those that
    the recipe was tuned with.
    """
    if recipe.composition.hue == "none":
        return {}
    path = project.workspace.priors_file
    priors = read_priors(path)
    if recipe.made_from.get("priors") != priors_digest(priors):
        raise StaleArtefactError(
            f"the recipe was tuned with other hue priors than those in `{path}`; {REMEDY}"
        )
    return priors


def priors_digest(priors: Priors) -> str:
    """SHA-256 of the priors' numbers."""
    parts = [
        f"{fold}.{name}".encode() + np.ascontiguousarray(array).tobytes()
        for fold, prior in sorted(priors.items())
        for name, array in sorted(prior.to_arrays().items())
    ]
    return digest_bytes(b"".join(parts))


def mean_prior(priors: Priors, gray: Gray) -> NDArray[np.float64]:
    """The mean over folds of what their priors make of a restored gray (H, W) uint8: (180,)."""
    statistics, extremes = gray_statistics(gray), share_extremes(gray)
    each = [prior.predict_from(statistics, extremes) for prior in priors.values()]
    return np.mean(each, axis=0, dtype=np.float64)
