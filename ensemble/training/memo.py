"""Validation inputs, computed once a run: what is shown of a photograph never changes.

Locating a hole, inpainting it, or blending restored grays costs far more than reading the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.data.competition import Sample
from ensemble.data.photographs import reserve_array

ShownOf = Callable[[Sample], tuple[Gray, Mask]]
"""From a sample, the gray the network is shown and the located hole."""


class Memo:
    """Remembers a `ShownOf` in files that all reading processes share.

    Two processes may compute the same photograph at the same time; both then write the same.

    Args:
        shown_of: What to remember.
        image_ids: The photographs it will be asked about.
        size: (H, W) of each.
        folder: Emptied first; `close` removes it.
    """

    def __init__(
        self, shown_of: ShownOf, image_ids: Sequence[str], size: tuple[int, int], folder: Path
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.shown_of = shown_of
        self.image_ids = tuple(image_ids)
        self.folder = folder
        self._rows = {image_id: row for row, image_id in enumerate(image_ids)}
        shape = (len(image_ids), *size)
        reserve_array(folder / "shown.npy", shape, np.uint8)
        reserve_array(folder / "located.npy", shape, np.bool_)
        reserve_array(folder / "known.npy", shape[:1], np.bool_)
        self._map()

    def __call__(self, sample: Sample) -> tuple[Gray, Mask]:
        """What is shown of a sample, and its located hole."""
        row = self._rows[sample.image_id]
        if not self._known[row]:
            self._shown[row], self._located[row] = self.shown_of(sample)
            self._known[row] = True
        return self._shown[row], self._located[row]

    def __getstate__(self) -> dict[str, object]:
        arrays = ("_shown", "_located", "_known")
        return {name: value for name, value in vars(self).items() if name not in arrays}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._map()

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _map(self) -> None:
        self._shown: NDArray[np.uint8] = np.load(self.folder / "shown.npy", mmap_mode="r+")
        self._located: NDArray[np.bool_] = np.load(self.folder / "located.npy", mmap_mode="r+")
        self._known: NDArray[np.bool_] = np.load(self.folder / "known.npy", mmap_mode="r+")
