"""Evidence from the archives of a project: what `ens blend` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import luma
from ensemble.blending.candidate import Subject
from ensemble.blending.evidence import Evidence, sample_groups
from ensemble.composition.hue_prior import HuePrior, gray_statistics
from ensemble.composition.hue_target import hue_histogram
from ensemble.composition.recipe import StageRecipe
from ensemble.manifest import digest_json
from ensemble.members import Member
from ensemble.oof.predictions import RESTORED_VIEW, ArchivedPredictions, open_restored
from ensemble.oof.priors import Priors, priors_digest
from ensemble.project import Project
from ensemble.vocabulary import VIEWS, Stage, View

PRIOR_SAMPLE = 2000


class ArchivedEvidence(Evidence):
    """Out-of-fold predictions of one stage, read photograph by photograph.

    Args:
        project: Data and folds.
        members: Members of one stage.
        folds: Folds that all of them finished.
        restoration: For colorization, the blend of stage 1 that it started from.
        priors: Hue prior of each fold, see `fold_priors`.

    Raises:
        MissingArtefactError: An archive is missing or not complete.
        StaleArtefactError: An archive was made from something else than the present things.
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
        self.predictions = ArchivedPredictions(project, members, folds, restoration=restoration)
        self.stage: Stage = self.predictions.stage
        self.views = {member.name: views_of(member) for member in members}
        self.voters = frozenset(m.name for m in members if m.output == "histogram")
        self.folds = self.predictions.folds
        self.groups = {i: str(project.folds.group_of[i]) for i in self.folds}
        self._photographs, self._priors = project.photographs, dict(priors or {})
        self._restored = {
            fold: open_restored(project, fold, restoration) for fold in folds if restoration
        }
        made_from = self.predictions.made_from()
        self.digest = digest_json([project.digests, made_from, priors_digest(self._priors)])

    def subject(self, image_id: str) -> Subject:
        """See `Evidence.subject`."""
        sample = self._photographs.train_sample(image_id)
        located = self._photographs.located(image_id)
        gray, target, prior = sample.damaged, luma(sample.target), None
        if self._restored:
            gray = self._restored[self.folds[image_id]].read(image_id, RESTORED_VIEW)
            target = sample.target
            fitted = self._priors.get(self.folds[image_id])
            prior = None if fitted is None else fitted.predict(gray)
        return Subject(image_id, target, sample.lost_mask, located, gray, prior)

    def read(self, image_id: str, member: str, view: View) -> NDArray[Any]:
        """See `Evidence.read`."""
        return self.predictions.read(image_id, member, view)


def views_of(member: Member) -> tuple[View, ...]:
    """The views worth telling apart: an external member has one picture that stands for all."""
    return VIEWS[:1] if member.kind == "external" else VIEWS


def fold_priors(project: Project, folds: Sequence[int], *, threads: int) -> dict[int, HuePrior]:
    """Of each fold, the hue prior fitted to photographs its networks learn from.

    Up to `PRIOR_SAMPLE` photographs are looked at, whole groups drawn with the settings' seed;
    none of a fold's own validation photographs has a part in its prior.

    Args:
        project: Data and folds.
        folds: Which folds.
        threads: joblib's number of jobs.
    """
    fold_of = project.folds.fold_of
    groups = {image_id: str(group) for image_id, group in project.folds.group_of.items()}
    ids = sample_groups(fold_of, groups, count=PRIOR_SAMPLE, seed=project.config.seed)
    parallel = joblib.Parallel(n_jobs=threads, prefer="threads")
    looked = parallel(joblib.delayed(_look)(project, image_id) for image_id in ids)
    statistics, histograms = (np.stack(arrays) for arrays in zip(*looked, strict=True))
    labels = np.array([fold_of[image_id] for image_id in ids])
    return {
        fold: HuePrior.fit(
            statistics=statistics[labels != fold], histograms=histograms[labels != fold]
        )
        for fold in folds
    }


def _look(project: Project, image_id: str) -> tuple[NDArray[Any], NDArray[Any]]:
    target = project.photographs.target(image_id)
    return gray_statistics(luma(target)), hue_histogram(target)
