"""The photographs of a workspace, from one place: each read once, and its hole located once."""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.arrays import Gray, Mask, Rgb
from ensemble.data.competition import Competition, Sample, check_damage
from ensemble.data.facts import Facts, describe_sample, find_lost
from ensemble.data.picture import read_drawn_mask
from ensemble.data.scan import Scan
from ensemble.errors import DataError, unknown_name
from ensemble.manifest import digest_file, digest_json
from ensemble.parallel import Progress, map_with_bar, silent

MASK_FOLDER = "test_masks"
KEPT = 64
"""Photographs kept in memory where their pixels are not kept on the disk."""


class Photographs:
    """The photographs of a competition. It may be pickled: another process reads the same files.

    What is read of the training photographs is kept in `folder`, if that is given, and with
    `keep_pixels` their pixels too, where the disk has room; else they are decoded at each use.
    """

    def __init__(
        self, competition: Competition, folder: Path | None = None, *, keep_pixels: bool = True
    ) -> None:
        self.competition = competition
        self.folder = folder
        self.keep_pixels = keep_pixels

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

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Photographs, keep_pixels=self.keep_pixels), (self.competition, self.folder)

    def prepare(self, progress: Progress = silent) -> None:
        """Read every training photograph, unless that is done; the first use does it, too.

        Of several processes one reads while the others wait; an interrupted reading goes on
        where it stopped, and where files have changed only these are read again.

        Raises:
            DataError: A photograph is not as due.
            ConfigError: There is not enough room on the disk; the message gives the size.
        """
        if self.folder is not None:
            self._files.prepare(progress)

    @property
    def is_read(self) -> bool:
        """Whether `prepare` has nothing to do."""
        return self.folder is not None and self._files.is_current

    def describe(self, progress: Progress = silent) -> Facts:
        """What describes the training photographs, a row each in the order of `train_ids`.

        Reads them as `prepare` does.
        """
        if self.folder is not None:
            self.prepare(progress)
            return self._scan.facts
        found = map_with_bar(
            lambda image_id: describe_sample(self.competition.train_sample(image_id)),
            self.competition.train_ids,
            what="describing photographs",
            progress=progress,
        )
        return Facts(*map(np.stack, zip(*found, strict=True)))

    def check(self, progress: Progress = silent) -> list[str]:
        """Read every training photograph, and check that its damaged input is of it.

        Returns:
            A warning for each whose damage is unusual.

        Raises:
            EnsembleError: As `prepare`, and `check_damage`.
        """
        facts, (height, width) = self.describe(progress), self.competition.size
        check = partial(check_damage, pixels=height * width)
        shares = facts.traits[:, 2].tolist()
        told = map(check, self.competition.train_ids, shares, facts.flat.tolist())
        return [warning for warning in told if warning]

    def target(self, image_id: str) -> Rgb:
        """A training photograph, (H, W, 3) uint8, read-only; DataError if there is none such."""
        if not self._has_pixels:
            return self._read(image_id).target
        target = self._scan.read("targets", self._row(image_id))
        target.flags.writeable = False
        return target

    def train_sample(self, image_id: str) -> Sample:
        """As `Competition.train_sample`: copies, which may be written to."""
        if not self._has_pixels:
            read = self._read(image_id)
            arrays = (read.target.copy(), read.damaged.copy(), read.lost_mask.copy())
            return Sample(image_id, *arrays)
        row, scan = self._row(image_id), self._scan
        target, damaged = scan.read("targets", row), scan.read("damaged", row)
        return Sample(image_id, target, damaged, self._unpacked("lost", row))

    def damaged(self, image_id: str) -> Gray:
        """The gray with the hole of a training or test photograph, (H, W) uint8."""
        if self.competition.is_test(image_id):
            return self.competition.test_input(image_id)
        if not self._has_pixels:
            return self._read(image_id).damaged
        return self._scan.read("damaged", self._row(image_id))

    def located(self, image_id: str) -> Mask:
        """The lost pixels, as far as can be known without the answer, (H, W) bool.

        Those of a test photograph are the mask drawn by hand where there is one. Validation uses
        the located hole, so that it is honest about what the locator can do.

        Raises:
            DataError: All are lost.
        """
        if self.folder is None or self.competition.is_test(image_id):
            mask = self._locate(image_id)
        else:
            mask = self._unpacked("located", self._row(image_id))
        if mask.all():
            path = mask_file(self.competition, image_id)
            drawn = f"draw its hole into `{path}`" if self.competition.is_test(image_id) else ""
            raise DataError(
                f"`{image_id}` must have pixels that are not lost, but looks lost in all of them; "
                + (drawn or "remove the pair")
            )
        return mask

    def _unpacked(self, name: str, row: int) -> Mask:
        width = self.competition.size[1]
        return np.unpackbits(self._scan.read(name, row), axis=-1, count=width).astype(np.bool_)

    @cached_property
    def _files(self) -> Scan:
        assert self.folder is not None
        return Scan(self.folder, self.competition, keep_pixels=self.keep_pixels)

    @cached_property
    def _scan(self) -> Scan:
        """The files, once they are there."""
        self._files.prepare(silent)
        return self._files

    @cached_property
    def _has_pixels(self) -> bool:
        return self.folder is not None and self._scan.has_pixels

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
        DataError: It is unreadable, of another size, or marks nothing or everything.
    """
    path = mask_file(competition, image_id)
    there = competition.is_test(image_id) and path.is_file()
    return read_drawn_mask(path, competition.size) if there else None


def mask_file(competition: Competition, image_id: str) -> Path:
    """Where a mask drawn by hand for this test photograph would lie; white is lost."""
    return competition.folder / MASK_FOLDER / f"{image_id}.png"


def masks_digest(competition: Competition) -> str:
    """SHA-256 of all masks drawn by hand; changes when one is added, edited or removed.

    Raises:
        DataError: A mask has the name of no test photograph, and would be passed over.
    """
    for path in sorted((competition.folder / MASK_FOLDER).glob("*.png")):
        if not competition.is_test(path.stem):
            raise DataError(
                unknown_name("test photograph", str(path.stem), competition.test_ids, at_most=3)
                + f"; rename `{path}`, or move it away"
            )
    paths = [mask_file(competition, image_id) for image_id in competition.test_ids]
    return digest_json({path.name: digest_file(path) for path in paths if path.is_file()})
