"""What a search reads: photographs, and what every member said of them out of fold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ensemble.blending.candidate import Subject
from ensemble.errors import MissingArtefactError
from ensemble.parallel import seed_of
from ensemble.vocabulary import Stage, View

DEFAULT_SAMPLE = 1000


class Evidence(ABC):
    """Out-of-fold predictions of one stage, with the truth.

    Implementations guarantee: what is read is the same each time it is read; nothing is kept in
    memory that grows with the number of photographs' pixels; reading is safe from several threads;
    `digest` changes whenever anything that is read would.

    Attributes:
        stage: The members' stage.
        views: The views each member has, by member.
        voters: Members that predict a hue histogram and no picture.
        folds: The fold that validates each photograph, by image id, in reading order.
        groups: The group of each photograph, by image id.
        digest: Of everything that can be read.
    """

    stage: Stage
    views: Mapping[str, tuple[View, ...]]
    voters: frozenset[str] = frozenset()
    folds: Mapping[str, int]
    groups: Mapping[str, str]
    digest: str

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The photographs."""
        return tuple(self.folds)

    @property
    def members(self) -> tuple[str, ...]:
        """The members."""
        return tuple(self.views)

    @abstractmethod
    def subject(self, image_id: str) -> Subject:
        """What is known of one photograph before any member speaks."""

    @abstractmethod
    def read(self, image_id: str, member: str, view: View) -> NDArray[Any]:
        """One prediction, (H, W) uint8, (H, W, 3) uint8, or (180,) float32 of a voter."""

    def reader(self, image_id: str) -> PhotoReader:
        """Reads predictions of one photograph, each from its source only once."""
        return PhotoReader(self, image_id, {})


@dataclass(frozen=True, eq=False)
class PhotoReader:
    """Predictions of one photograph, kept for as long as this object is."""

    evidence: Evidence
    image_id: str
    kept: dict[tuple[str, View], NDArray[Any]]

    def __call__(self, member: str, view: View) -> NDArray[Any]:
        """One prediction."""
        if (member, view) not in self.kept:
            self.kept[member, view] = self.evidence.read(self.image_id, member, view)
        return self.kept[member, view]


@dataclass(frozen=True, eq=False)
class ArrayEvidence(Evidence):
    """Evidence that is in memory already: for tests, benchmarks and other programs.

    Attributes:
        stage: See `Evidence`.
        views: See `Evidence`.
        subjects: By image id.
        predictions: By image id, member and view.
        folds: See `Evidence`.
        groups: See `Evidence`.
        digest: See `Evidence`.
        voters: See `Evidence`.
    """

    stage: Stage
    views: Mapping[str, tuple[View, ...]]
    subjects: Mapping[str, Subject]
    predictions: Mapping[tuple[str, str, View], NDArray[Any]]
    folds: Mapping[str, int]
    groups: Mapping[str, str]
    digest: str = "in memory"
    voters: frozenset[str] = frozenset()

    def subject(self, image_id: str) -> Subject:
        """See `Evidence.subject`."""
        return self.subjects[image_id]

    def read(self, image_id: str, member: str, view: View) -> NDArray[Any]:
        """See `Evidence.read`."""
        if (image_id, member, view) not in self.predictions:
            raise MissingArtefactError(f"no `{view}` prediction of `{image_id}` by `{member}`")
        return self.predictions[image_id, member, view]


def sample_groups(
    folds: Mapping[str, int], groups: Mapping[str, str], *, count: int, seed: int
) -> tuple[str, ...]:
    """Draw whole groups at random until some `count` photographs are there, alike from each fold.

    Args:
        folds: The fold of each photograph.
        groups: The group of each photograph.
        count: Photographs wanted; a last group may exceed it. 0 for all.
        seed: Seed of the draw.

    Returns:
        Image ids in the order of `folds`; all of them where there are no more than `count`.
    """
    if count == 0 or len(folds) <= count:
        return tuple(folds)
    members: dict[tuple[int, str], list[str]] = {}
    for image_id, fold in folds.items():
        members.setdefault((fold, groups[image_id]), []).append(image_id)
    kept: set[str] = set()
    for fold in sorted(set(folds.values())):
        share = count * sum(k == fold for k in folds.values()) / len(folds)
        order = sorted((seed_of(seed, group, bits=256), group) for k, group in members if k == fold)
        taken = 0
        for _, group in order:
            if taken >= share:
                break
            kept.update(members[fold, group])
            taken += len(members[fold, group])
    return tuple(image_id for image_id in folds if image_id in kept)
