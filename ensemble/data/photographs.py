"""The photographs of a workspace, from one place: each decoded once, and its hole located once."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb
from ensemble.data.competition import Competition, Sample
from ensemble.data.decoded import DecodedFiles, find_lost
from ensemble.data.png import read_mask
from ensemble.errors import DataError
from ensemble.manifest import digest_file, digest_json
from ensemble.parallel import Progress, silent

MASK_FOLDER = "test_masks"
KEPT = 64
"""Photographs kept in memory where there are no decoded files."""


class Photographs:
    """The photographs of a competition. It may be pickled: another process maps the same files.

    Args:
        competition: Whose photographs.
        folder: Where decoded training photographs are kept; None to decode at each use.
    """

    def __init__(self, competition: Competition, folder: Path | None = None) -> None:
        self.competition = competition
        self.folder = folder

        @lru_cache(KEPT)
        def read(image_id: str) -> Sample:
            sample = competition.train_sample(image_id)
            for array in (sample.target, sample.damaged, sample.lost_mask):
                array.flags.writeable = False
            return sample

        @lru_cache(KEPT)
        def locate(image_id: str) -> Mask:
            drawn = drawn_mask(competition, image_id)
            return find_lost(self.damaged(image_id)) if drawn is None else drawn

        self._read, self._locate = read, locate

    def __reduce__(self) -> tuple[type[Photographs], tuple[Competition, Path | None]]:
        return Photographs, (self.competition, self.folder)

    def prepare(self, progress: Progress = silent) -> None:
        """Build the files, unless they are there or not wanted; the first reading does it, too.

        Of several processes one builds while the others wait; an interrupted building goes on
        where it stopped.

        Raises:
            DataError: A photograph is not as due.
            ConfigError: There is not enough room on the disk; the message gives the size.
        """
        if self.folder is not None:
            DecodedFiles(self.folder, self.competition).prepare(progress)

    def target(self, image_id: str) -> Rgb:
        """A training photograph, (H, W, 3) uint8, read-only.

        Raises:
            DataError: There is no such photograph, or its file is not as due.
        """
        if self.folder is None:
            return self._read(image_id).target
        return self._mapped["targets"][self._row(image_id)]

    def train_sample(self, image_id: str) -> Sample:
        """A training photograph, its damage and its true mask, as `Competition.train_sample`.

        The arrays are copies, which may be written to.
        """
        if self.folder is None:
            sample = self._read(image_id)
            arrays = (sample.target.copy(), sample.damaged.copy(), sample.lost_mask.copy())
            return Sample(image_id, *arrays)
        row, files = self._row(image_id), self._mapped
        target, damaged = np.array(files["targets"][row]), np.array(files["damaged"][row])
        return Sample(image_id, target, damaged, self._unpacked("lost", row))

    def damaged(self, image_id: str) -> Gray:
        """The gray with the hole of a training or test photograph, (H, W) uint8."""
        if self.competition.is_test(image_id):
            return self.competition.test_input(image_id)
        if self.folder is None:
            return self._read(image_id).damaged
        return np.array(self._mapped["damaged"][self._row(image_id)])

    def located(self, image_id: str) -> Mask:
        """The lost pixels, as far as can be known without the answer, (H, W) bool.

        Those of a test photograph are the mask drawn by hand where there is one. Validation uses
        the located hole, so that it is honest about what the locator can do.
        """
        if self.folder is None or self.competition.is_test(image_id):
            return self._locate(image_id)
        return self._unpacked("located", self._row(image_id))

    def _unpacked(self, name: str, row: int) -> Mask:
        width = self.competition.size[1]
        return np.unpackbits(self._mapped[name][row], axis=-1, count=width).astype(np.bool_)

    @cached_property
    def _mapped(self) -> dict[str, NDArray[np.uint8]]:
        self.prepare()
        assert self.folder is not None
        return DecodedFiles(self.folder, self.competition).open()

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {image_id: row for row, image_id in enumerate(self.competition.train_ids)}

    def _row(self, image_id: str) -> int:
        if image_id not in self._rows:
            raise DataError(
                f"no training photograph in `{self.competition.folder}` is called `{image_id}`"
            )
        return self._rows[image_id]


def drawn_mask(competition: Competition, image_id: str) -> Mask | None:
    """The mask drawn by hand for a test photograph, (H, W) bool; None where there is none.

    Raises:
        DataError: It is unreadable, of another size, or marks nothing.
    """
    path = mask_file(competition, image_id)
    if not competition.is_test(image_id) or not path.is_file():
        return None
    mask = read_mask(path)
    if mask.shape != competition.size:
        raise DataError(
            f"`{path}` must be as large as its photograph, {competition.size}, but is {mask.shape}"
        )
    if not mask.any():
        raise DataError(f"`{path}` must be white where the photograph is lost, but is all black")
    return mask


def mask_file(competition: Competition, image_id: str) -> Path:
    """Where a mask drawn by hand for this test photograph would lie; white is lost."""
    return competition.folder / MASK_FOLDER / f"{image_id}.png"


def masks_digest(competition: Competition) -> str:
    """SHA-256 of all masks drawn by hand; changes when one is added, edited or removed."""
    paths = [mask_file(competition, image_id) for image_id in competition.test_ids]
    return digest_json({path.name: digest_file(path) for path in paths if path.is_file()})
