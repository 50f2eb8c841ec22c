"""The competition's photographs: listed at once, decoded on demand."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ensemble.arrays import Gray, Mask, Rgb, luma
from ensemble.data.digests import digest_files
from ensemble.data.layout import SAMPLE_SUBMISSION, TrainFiles, find_test, find_train
from ensemble.data.png import read_gray, read_rgb, same_size
from ensemble.data.zip_file import open_zip
from ensemble.errors import DataError, MissingFileError
from ensemble.manifest import digest_json
from ensemble.parallel import Progress, seed_of, silent

_REMEDY = "put the competition's files there, or make a demo set with `ens demo`"


@dataclass(frozen=True, eq=False)
class Sample:
    """One training photograph as the competition poses it."""

    image_id: str  # `TRAIN_00000`
    target: Rgb  # the photograph, (H, W, 3) uint8
    damaged: Gray  # its gray with the hole, (H, W) uint8
    # where `damaged` differs from `luma(target)`, (H, W) bool. A lost pixel whose true gray
    # happens to be the fill does not differ: so the competition's own masks are made.
    lost_mask: Mask

    def gray(self) -> Gray:
        """The `luma` of the target, computed where it is lost: elsewhere the input has it."""
        gray = self.damaged.copy()
        gray[self.lost_mask] = luma(self.target[self.lost_mask][:, None])[:, 0]
        return gray


def measure_damage(sample: Sample) -> tuple[float, float]:
    """The share of pixels that is lost, and the share of these that has their most frequent gray.

    Both are 0 where nothing is lost.
    """
    lost = sample.damaged[sample.lost_mask]
    flat = float(np.bincount(lost).max() / lost.size) if lost.size else 0.0
    return float(sample.lost_mask.mean()), flat


def check_damage(name: str, share: float, flat: float, *, pixels: int) -> str | None:
    """Check that a photograph of so many pixels and its damaged input belong together.

    `share` and `flat` are those of `measure_damage`.

    Returns:
        A warning, where the damage is unusual: more than half of the picture, or several grays.

    Raises:
        DataError: Fewer pixels are lost than can be scored, or all are, or the grays of the lost
            ones are those of a picture instead of a fill: another photograph, or a gray of another
            formula than Pillow's.
    """
    from ensemble.metric.ssim import WINDOW  # slow to import

    lost = round(share * pixels)
    if lost < WINDOW or lost == pixels:
        raise DataError(
            f"`{name}` must have a hole of at least {WINDOW} pixels, and pixels around it, but its "
            f"damaged input differs from the target's gray in {lost} of {pixels}; remove the pair"
        )
    if flat < 0.5:
        raise DataError(
            f"`{name}` must differ from its damaged input only in a hole of one gray, but "
            f"{share:.1%} of its pixels differ and at most {flat:.0%} of these share a gray; see "
            "whether the two files are one photograph, and the input's gray is Pillow's "
            '`convert("L")`'
        )
    if share > 0.5:
        return f"`{name}` has lost {share:.0%} of its pixels"
    if flat < 1:
        return f"`{name}` has a hole of several grays: {flat:.0%} of it are of one"
    return None


@dataclass(frozen=True, eq=False)
class Competition:
    """The data of one workspace; make it with `Competition.load`."""

    folder: Path  # `data/`, in the competition's layout
    size: tuple[int, int]  # (H, W) of every photograph
    seed: int  # seeds the damage that is simulated where there is no `train_input/`
    _train: dict[str, TrainFiles] = field(repr=False)
    _test: dict[str, Path] = field(repr=False)
    _digests: dict[str, str] = field(repr=False, init=False, default_factory=dict)

    @classmethod
    def load(cls, folder: Path, *, size: int, seed: int) -> Competition:
        """List the photographs, of `size` pixels a side, and check that all of them are there.

        Raises:
            MissingFileError: There is no data, or a file that is listed is not there.
            DataError: A CSV is not as due, or a photograph is there twice.
        """
        train = find_train(folder)
        test = {path.stem: path for path in find_test(folder)}
        if not train and not test:
            raise MissingFileError(f"`{folder}` has neither training nor test data; {_REMEDY}")
        if shared := train.keys() & test.keys():
            raise DataError(
                f"training and test photographs in `{folder}` must have distinct names, but "
                f"`{min(shared)}` is both; rename one"
            )
        return cls(folder, (size, size), seed, train, test)

    @property
    def train_ids(self) -> tuple[str, ...]:
        """The training photographs, in the order of `train.csv`; MissingFileError if none."""
        if not self._train:
            raise MissingFileError(f"`{self.folder / 'train_gt'}` has no photographs; {_REMEDY}")
        return tuple(self._train)

    @property
    def test_ids(self) -> tuple[str, ...]:
        """The test photographs, in the order of `test.csv`; MissingFileError if none."""
        if not self._test:
            raise MissingFileError(f"`{self.folder / 'test_input'}` has no photographs; {_REMEDY}")
        return tuple(self._test)

    @property
    def has_test(self) -> bool:
        """Whether there are test photographs."""
        return bool(self._test)

    @property
    def test_names(self) -> tuple[str, ...]:
        """The file names that a submission must hold, in the order of `test_ids`."""
        return tuple(self._test[image_id].name for image_id in self.test_ids)

    @property
    def simulated(self) -> bool:
        """Whether the damage is simulated, there being no `train_input/`."""
        return all(files.damaged is None for files in self._train.values())

    def is_test(self, image_id: str) -> bool:
        """Whether this is a test photograph; no name is both."""
        return image_id in self._test

    def train_files(self, image_id: str) -> TrainFiles:
        """The files of a training photograph and its damaged input; None if that is simulated."""
        if image_id not in self._train:
            raise DataError(f"no training photograph is called `{image_id}` in `{self.folder}`")
        return self._train[image_id]

    def target(self, image_id: str) -> Rgb:
        """Decode the answer to a training photograph, (H, W, 3) uint8; as `train_sample`."""
        return read_rgb(self.train_files(image_id).target, check_size=self._check_size)

    def train_sample(self, image_id: str) -> Sample:
        """Decode a training photograph, its damage and its true mask.

        Raises:
            DataError: A file is unreadable or of the wrong mode, the two differ in size, or the
                size is not that of the settings.
        """
        target = self.target(image_id)
        gray = luma(target)
        damaged = self._damaged(image_id, gray)
        return Sample(image_id, target, damaged, damaged != gray)

    def test_input(self, image_id: str) -> Gray:
        """Decode a damaged test photograph, (H, W) uint8.

        Raises:
            DataError: It is unreadable, not gray, or not of the size in the settings.
        """
        if image_id not in self._test:
            raise DataError(f"no test photograph is called `{image_id}` in `{self.folder}`")
        return read_gray(self._test[image_id], check_size=self._check_size)

    def sample_submission_names(self) -> tuple[str, ...] | None:
        """File names in `sample_submission.zip`, sorted; None where there is no such file.

        Raises:
            DataError: It is not a zip.
        """
        path = self.folder / SAMPLE_SUBMISSION
        if not path.exists():
            return None
        with open_zip(path, remedy="download it again") as archive:
            # An entry without a name, which `ZipInfo.is_dir` does not survive, is no folder.
            return tuple(sorted(n for n in archive.namelist() if not n.endswith("/")))

    def digest(self, progress: Progress = silent) -> str:
        """SHA-256 of the training data: names, contents, size, and the seed of simulated damage.

        The test photographs do not count, so a later test set leaves trained networks valid; see
        `test_digest`. The first call ever reads every file, which takes minutes where there are
        tens of thousands, under the bar; later ones only what has changed since.
        """
        if "train" not in self._digests:
            self._digests["train"] = self._digest_train(progress)
        return self._digests["train"]

    def test_digest(self) -> str:
        """SHA-256 of the test photographs: names, order and contents."""
        if "test" not in self._digests:
            paths = [self._test[image_id] for image_id in self.test_ids]
            found = digest_files(paths, folder=self.folder)
            self._digests["test"] = digest_json(list(found.items()))
        return self._digests["test"]

    def _digest_train(self, progress: Progress) -> str:
        ids = sorted(self.train_ids)
        paths = [path for image_id in ids for path in self._train[image_id] if path is not None]
        digests = digest_files(paths, folder=self.folder, progress=progress)

        def digest_of(path: Path | None) -> str | None:
            return digests[os.path.relpath(path, self.folder)] if path is not None else None

        pairs = [[image_id, *map(digest_of, self._train[image_id])] for image_id in ids]
        return digest_json([list(self.size), self.seed if self.simulated else None, pairs])

    def _damaged(self, image_id: str, gray: Gray) -> Gray:
        target, damaged = self.train_files(image_id)
        if damaged is None:
            # Slow to import, and most commands simulate no damage.
            from ensemble.damage.draw import apply_damage, draw_damage

            seed = seed_of(self.seed, image_id)
            return apply_damage(gray, draw_damage(size=self.size, seed=seed))
        return read_gray(damaged, check_size=same_size(gray.shape, reference=f"`{target}`"))

    def _check_size(self, name: str, shape: tuple[int, int]) -> None:
        if shape != self.size:
            square = shape[0] == shape[1]
            remedy = f"set `size = {shape[0]}` in that file" if square else "crop it to a square"
            raise DataError(
                f"`{name}` must be {_sides(self.size)}, `size` under [data] of `ens.toml` "
                f"(`ens init` writes one), but is {_sides(shape)}; {remedy}"
            )


def _sides(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]} px"
