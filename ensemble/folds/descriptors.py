"""What a photograph's descriptor must give, and the pairs of lookalikes found with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Rgb
from ensemble.errors import DataError
from ensemble.folds.neighbours import Found


@dataclass(frozen=True)
class Pairs:
    """Photographs that look alike, most alike first; ties go by image id.

    Attributes:
        image_ids: The N photographs that were compared, sorted.
        first: (P,) int64 rows of `image_ids`.
        second: (P,) int64 rows of `image_ids`, above `first`; no pair is there twice.
        similarity: (P,) float32, falling.
    """

    image_ids: tuple[str, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def above(self, threshold: float) -> Pairs:
        """The pairs whose similarity is at least `threshold`."""
        keep = self.similarity >= threshold
        return Pairs(self.image_ids, self.first[keep], self.second[keep], self.similarity[keep])


class Descriptor(ABC):
    """One vector a photograph, and how alike two vectors are.

    An implementation must guarantee:

    - `describe` is a pure function of the picture, for RGB of any size, flat ones included;
    - a similarity is 0 to 1, and two photographs count as one scene from `threshold` up;
    - `alike` finds the pairs at or above `threshold`, and some below it for the audit, at a cost
      and memory that do not grow as all pairs do;
    - a picture and its mirror image have a similarity of at least `threshold`.
    """

    name: ClassVar[str]
    length: int
    dtype: ClassVar[type]
    threshold: float

    @abstractmethod
    def describe(self, rgb: Rgb) -> NDArray[Any]:
        """Describe a picture by a vector of `length` numbers of `dtype`."""

    @abstractmethod
    def alike(self, vectors: NDArray[Any]) -> Found:
        """Find the rows that look alike.

        Args:
            vectors: (N, length), one `describe` a row.

        Returns:
            (P,) rows, (P,) other rows, (P,) similarities; each pair once, first row below second.
        """


def find_pairs(*, image_ids: Sequence[str], vectors: NDArray[Any], descriptor: Descriptor) -> Pairs:
    """Find the photographs that look alike, whatever the order they come in.

    Args:
        image_ids: N distinct names.
        vectors: (N, length), the descriptor of each.
        descriptor: What made the vectors.

    Raises:
        DataError: There is not one vector of the descriptor's length for every photograph.
    """
    if vectors.shape != (len(image_ids), descriptor.length):
        raise DataError(
            f"`{descriptor.name}` descriptors of {len(image_ids)} photographs must have the shape "
            f"({len(image_ids)}, {descriptor.length}), but have {vectors.shape}"
        )
    order = sorted(range(len(image_ids)), key=lambda row: image_ids[row])
    first, second, similarity = descriptor.alike(vectors[order])
    rank = np.lexsort((second, first, -similarity))
    return Pairs(
        image_ids=tuple(image_ids[row] for row in order),
        first=first[rank],
        second=second[rank],
        similarity=similarity[rank],
    )
