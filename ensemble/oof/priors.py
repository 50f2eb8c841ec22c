"""The hue prior of each fold, and of all photographs, in one safetensors file beside the recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from ensemble.vocabulary import FULL, Fold

if TYPE_CHECKING:
    from ensemble.networks.gray_encoder import GrayEncoder

REMEDY = "run `ens blend` again"

_KEY = re.compile(rf"(\d{{1,3}}|{FULL})\.\w+")


@dataclass(frozen=True)
class Priors:
    """The hue prior of each fold, fitted to the photographs that its networks learn from.

    That of `FULL` is fitted to all, for photographs that are in no fold: those of the test.
    """

    of_folds: Mapping[Fold, HuePrior] = field(default_factory=dict)
    encoder: GrayEncoder | None = None  # `[colorization] prior_encoder`

    def __bool__(self) -> bool:
        return bool(self.of_folds)

    def predict(self, fold: Fold, gray: Gray) -> NDArray[np.float64]:
        """The wanted histogram of a restored gray (H, W) uint8, as one prior has it: (180,)."""
        return self.of_folds[fold].predict(self.describe(gray), share_extremes(gray))

    def describe(self, gray: Gray) -> tuple[NDArray[np.float64], ...]:
        """The statistics of a gray (H, W) uint8 that the priors know, each kind (F_k,)."""
        seen = self.encoder.describe(gray) if self.encoder else ()
        return gray_statistics(gray), *seen

    def digest(self) -> str:
        """SHA-256 of the priors' numbers, and of the encoder's weights."""
        encoder = [self.encoder.name.encode(), self.encoder.digest.encode()] if self.encoder else []
        parts = [name.encode() + array.tobytes() for name, array in self.to_arrays().items()]
        return digest_bytes(b"".join(encoder + parts))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays to store, by fold and name, in this order."""
        return {
            f"{fold}.{name}": np.ascontiguousarray(array)
            for fold in sorted(self.of_folds, key=str)
            for name, array in sorted(self.of_folds[fold].to_arrays().items())
        }


def unfitted_priors(project: Project) -> Priors:
    """Priors of no fold, with the encoder that ens.toml names, if any; raises as it does."""
    name = project.config.colorization.prior_encoder
    if not name:
        return Priors()
    from ensemble.networks.gray_encoder import GrayEncoder

    return Priors(encoder=GrayEncoder(name))


def write_priors(path: Path, priors: Priors) -> None:
    """Write the priors, whole or not at all."""
    with atomic_path(path) as temporary:
        save_file(priors.to_arrays(), temporary)


def read_priors(path: Path) -> dict[Fold, HuePrior]:
    """Read what `write_priors` wrote.

    MissingArtefactError without such a file, StaleArtefactError where it is damaged or of another
    version.
    """
    try:
        stored = load(read_bytes(path))
        if any(not _KEY.fullmatch(key) for key in stored):
            raise ValueError(f"one of its keys is `{shorten(min(stored))}`")
        by_fold: dict[Fold, dict[str, NDArray[Any]]] = {}
        for key, array in sorted(stored.items()):
            fold, _, name = key.partition(".")
            by_fold.setdefault(FULL if fold == FULL else int(fold), {})[name] = array
        if FULL not in by_fold:
            raise ValueError("none is of all photographs")
        return {fold: HuePrior.from_arrays(arrays) for fold, arrays in by_fold.items()}
    except MissingFileError:
        raise MissingArtefactError(f"`{path}` is not there; {REMEDY}") from None
    except Exception as error:  # safetensors raises more than its own
        reason = shorten(str(error))
        raise StaleArtefactError(f"`{path}` holds no hue priors ({reason}); {REMEDY}") from None


def read_recipe_priors(project: Project, recipe: Recipe) -> Priors:
    """Read the hue priors that a recipe counts on; none where its composition moves no hue.

    Raises:
        ConfigError: The encoder that they need is none.
        MissingArtefactError: They are not there.
        StaleArtefactError: They are not those that the recipe was tuned with.
        WeightsError: The encoder's weights cannot be had.
    """
    if recipe.composition.hue == "none":
        return Priors()
    path = project.workspace.priors_file
    of_folds = read_priors(path)
    priors = replace(unfitted_priors(project), of_folds=of_folds)
    if recipe.made_from.get("priors") != priors.digest():
        raise StaleArtefactError(
            f"the recipe was tuned with other hue priors than those in `{path}`, or with other "
            f"weights of `prior_encoder`; {REMEDY}"
        )
    return priors
