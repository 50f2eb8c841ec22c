"""One stage of one fold, ready to predict test photographs, whatever its members are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.composition.recipe import StageRecipe
from ensemble.errors import StaleArtefactError
from ensemble.inference.load import load_predictor
from ensemble.inference.predictor import Predictor
from ensemble.members import Member
from ensemble.oof.archive import Archive
from ensemble.oof.external import open_external_test
from ensemble.project import Project
from ensemble.vocabulary import Stage, View


class _Source(Protocol):
    def __call__(
        self, image_id: str, gray: Gray, lost_mask: Mask, views: tuple[View, ...]
    ) -> Mapping[View, NDArray[Any]]: ...


class StageSource:
    """The members of a recipe's stage, those of one fold where they were trained.

    Args:
        project: Whose checkpoints and archives.
        stage: Which stage.
        recipe: Its members and views.
        fold: Whose networks.

    Raises:
        MissingArtefactError: A checkpoint, or an external member's test predictions, is missing.
        StaleArtefactError: The recipe names a member that the settings no longer do.
    """

    def __init__(self, project: Project, stage: Stage, recipe: StageRecipe, fold: int) -> None:
        self.recipe = recipe
        known = {member.name: member for member in project.members(stage)}
        for name in recipe.weights:
            if name not in known:
                raise StaleArtefactError(
                    f"the recipe blends `{name}`, which is no longer a member of {stage} in "
                    "ens.toml; run `ens blend` again"
                )
        self._sources = {name: _source(project, known[name], fold) for name in recipe.weights}

    def predict(
        self, image_id: str, gray: Gray, lost_mask: Mask
    ) -> dict[str, Mapping[View, NDArray[Any]]]:
        """Predict the views that the recipe averages.

        Args:
            image_id: The test photograph.
            gray: (H, W) uint8, what the members are shown.
            lost_mask: (H, W) bool, the located hole.

        Returns:
            By member and view, what `Predictor.predict` gives for one photograph.
        """
        return {
            name: source(image_id, gray, lost_mask, self.recipe.views[name])
            for name, source in self._sources.items()
        }


def _source(project: Project, member: Member, fold: int) -> _Source:
    if member.kind == "external":
        return _archived(open_external_test(project, member))
    return _predicting(load_predictor(project, member, fold))


def _predicting(predictor: Predictor) -> _Source:
    def predict(
        image_id: str, gray: Gray, lost_mask: Mask, views: tuple[View, ...]
    ) -> Mapping[View, NDArray[Any]]:
        batch = predictor.predict(gray[None], lost_mask[None], views)
        return {view: predictions[0] for view, predictions in batch.items()}

    return predict


def _archived(archive: Archive) -> _Source:
    def read(
        image_id: str, gray: Gray, lost_mask: Mask, views: tuple[View, ...]
    ) -> Mapping[View, NDArray[Any]]:
        return {view: archive.read(image_id, view) for view in views}

    return read
