"""Evidence: the input of a search. Targets, and each member's out-of-fold predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, luma
from ensemble.composition.blend import Read
from ensemble.composition.hue_prior import HuePrior, count_inner_hues
from ensemble.composition.recipe import StageRecipe
from ensemble.folds.sample import sample_groups
from ensemble.manifest import digest_json
from ensemble.members import Member
from ensemble.oof.predictions import RESTORED_VIEW, ArchivedPredictions, open_restored
from ensemble.oof.priors import Priors
from ensemble.parallel import Advance, Result, count_cores
from ensemble.project import Project
from ensemble.vocabulary import FULL, Fold, Stage, View

PRIOR_SAMPLE = 2000


@dataclass(frozen=True, eq=False)
class Subject:
    """One photograph without its predictions."""

    image_id: str
    target: NDArray[np.uint8]  # the truth, (H, W) for restoration, (H, W, 3) for colorization
    lost_mask: Mask  # (H, W), the true mask, which the score reads
    located: Mask  # (H, W), the mask as found in the input, which composition reads
    gray: Gray  # (H, W), the damaged input for restoration, the restored gray for colorization
    prior: NDArray[Any] | None = None  # (180,) hue histogram predicted from the gray; None for none


class Evidence(ABC):
    """Out-of-fold predictions of one stage, with the targets.

    Implementations guarantee: reading again gives the same; no picture stays in memory; several
    threads may read at once; `digest` changes with anything that is read.
    """

    stage: Stage
    views: Mapping[str, tuple[View, ...]]  # the views each member has
    # members that predict a hue histogram and no picture
    histogram_members: frozenset[str] = frozenset()
    # the fold that validates each photograph, by image id, in reading order
    folds: Mapping[str, int]
    groups: Mapping[str, str]  # the group of each photograph, by image id
    digest: str  # of everything that can be read

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The photographs."""
        return tuple(self.folds)

    @abstractmethod
    def subject(self, image_id: str) -> Subject:
        """Read one photograph."""

    @abstractmethod
    def read(self, image_id: str, member: str, view: View) -> NDArray[Any]:
        """Read one prediction: (H, W) or (H, W, 3) uint8, or a (180,) float32 histogram."""

    @cached_property
    def scored(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """The exact terms (T,) computed so far, by image id and `Candidate.key`."""
        return {}

    def reader(self, image_id: str) -> Read:
        """A function that reads predictions of one photograph, each only once."""
        return cache(partial(self.read, image_id))


class ArchivedEvidence(ArchivedPredictions, Evidence):
    """Evidence from the archives of a project; see `ArchivedPredictions` for arguments and errors.

    `priors` are the hue prior of each fold, see `fit_priors`; without them no hue is predicted.
    """

    def __init__(
        self,
        project: Project,
        members: Sequence[Member],
        folds: Sequence[int],
        *,
        restoration: StageRecipe | None = None,
        priors: Priors | None = None,
    ) -> None:
        super().__init__(project, members, folds, restoration=restoration)
        self.views = {member.name: member.views for member in members}
        self.histogram_members = frozenset(m.name for m in members if m.output == "histogram")
        self.groups = {i: str(project.folds.group_of[i]) for i in self.folds}
        self._photographs, self._priors = project.photographs, priors or Priors()
        self._predicted: dict[str, NDArray[Any]] = {}
        self._restored = {
            fold: open_restored(project, fold, restoration) for fold in folds if restoration
        }
        made_from = [project.digests, self.made_from(), self._priors.digest()]
        self.digest = digest_json(made_from)

    def subject(self, image_id: str) -> Subject:
        """See `Evidence.subject`."""
        sample = self._photographs.train_sample(image_id)
        located = self._photographs.located(image_id)
        gray, target, prior = sample.damaged, luma(sample.target), None
        if self._restored:
            gray = self._restored[self.folds[image_id]].read(image_id, RESTORED_VIEW)
            target = sample.target
            prior = self._predicted.get(image_id)
            if prior is None and self.folds[image_id] in self._priors.of_folds:
                # A search reads a photograph some ten times, and a prediction takes 9 ms.
                prior = self._priors.predict(self.folds[image_id], gray)
                self._predicted[image_id] = prior
        return Subject(image_id, target, sample.lost_mask, located, gray, prior)


def map_photographs(
    function: Callable[[str], Result],
    image_ids: Sequence[str],
    advance: Advance = lambda _: None,
) -> list[Result]:
    """Apply a function to each photograph, in order, by a thread of joblib on each core."""

    def apply(image_id: str) -> Result:
        result = function(image_id)
        advance(1)
        return result

    parallel = joblib.Parallel(n_jobs=count_cores(), prefer="threads")
    return list(parallel(joblib.delayed(apply)(image_id) for image_id in image_ids))


def fit_priors(project: Project, folds: Sequence[int], unfitted: Priors = Priors()) -> Priors:
    """Fit the hue prior of each fold to photographs that its networks learn from, and one to all.

    Up to `PRIOR_SAMPLE` photographs are read, whole groups drawn with the settings' seed. The
    validation photographs of a fold are left out of its prior. What describes a gray is that of
    `unfitted`; ConfigError where its encoder cannot.
    """
    fold_of, group_of = project.folds.fold_of, project.folds.group_of
    ids = sample_groups(fold_of, group_of, count=PRIOR_SAMPLE, seed=project.config.seed)

    def describe(image_id: str) -> tuple[NDArray[Any], ...]:
        target = project.photographs.target(image_id)
        return count_inner_hues(target), *unfitted.describe(luma(target))

    rows = map_photographs(describe, ids)
    histograms, *statistics = (np.stack(arrays) for arrays in zip(*rows, strict=True))
    labels = np.array([fold_of[image_id] for image_id in ids])

    def fit(fold: Fold) -> HuePrior:
        learned = labels >= 0 if fold == FULL else labels != fold
        known = [kind[learned] for kind in statistics]
        return HuePrior.fit(statistics=known, histograms=histograms[learned])

    every: tuple[Fold, ...] = (*folds, FULL)
    return replace(unfitted, of_folds={fold: fit(fold) for fold in every})
