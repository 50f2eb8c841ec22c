"""Evidence that is in memory already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ensemble.blending.evidence import Evidence, Subject
from ensemble.errors import MissingArtefactError
from ensemble.vocabulary import Stage, View


@dataclass(frozen=True, eq=False)
class ArrayEvidence(Evidence):
    stage: Stage
    views: Mapping[str, tuple[View, ...]]
    subjects: Mapping[str, Subject]
    predictions: Mapping[tuple[str, str, View], NDArray[Any]]
    folds: Mapping[str, int]
    groups: Mapping[str, str]
    digest: str = "in memory"
    histogram_members: frozenset[str] = frozenset()

    def subject(self, image_id: str) -> Subject:
        return self.subjects[image_id]

    def read(self, image_id: str, member: str, view: View) -> NDArray[Any]:
        if (image_id, member, view) not in self.predictions:
            raise MissingArtefactError(f"no `{view}` prediction of `{image_id}` by `{member}`")
        return self.predictions[image_id, member, view]
