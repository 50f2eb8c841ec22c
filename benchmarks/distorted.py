"""Photographs with distortions of them that stand for members' predictions, in files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray

from ensemble.blending.evidence import Evidence, Subject
from ensemble.vocabulary import VIEWS, View
from tests.reference.corpus import polygon_mask

MEMBERS = ("blurred", "noisy", "faded")


def distorted(target: NDArray[np.uint8], member: int, view: int, seed: int) -> NDArray[np.uint8]:
    """What a network of some weakness says of a photograph, a little different in each view."""
    rng = np.random.default_rng([seed, member, view])
    size = target.shape[0]
    blur, noise, saturation = ((2.5, 6, 0.8), (0.8, 22, 0.9), (1.2, 8, 0.45))[member]
    picture = cv2.GaussianBlur(target, (0, 0), blur).astype(np.float32)
    gray = picture.mean(axis=-1, keepdims=True)
    coarse = rng.normal(0, noise, (size // 4, size // 4, 3)).astype(np.float32)
    spots = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    # The color cast is the member's own; a flip changes little of it.
    cast = np.random.default_rng([seed, member]).normal(0, 9, 3) + rng.normal(0, 2, 3)
    shifted = gray + saturation * (picture - gray) + spots + cast.astype(np.float32)
    return np.clip(np.rint(shifted), 0, 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class StoredEvidence(Evidence):
    """Distorted photographs in uncompressed files; photograph i is in file i modulo `stored`."""

    folder: Path
    count: int
    stored: int
    size: int

    stage = "colorization"
    views = dict.fromkeys(MEMBERS, VIEWS)
    digest = "benchmark"

    @cached_property
    def folds(self) -> dict[str, int]:
        return {f"{i:05d}": i % 5 for i in range(self.count)}

    @cached_property
    def groups(self) -> dict[str, str]:
        return {image_id: image_id for image_id in self.folds}

    def subject(self, image_id: str) -> Subject:
        mask = polygon_mask((self.size, self.size), seed=int(image_id))
        target = self._picture(image_id, 0)
        return Subject(image_id, target, mask, mask, target[..., 1])

    def read(self, image_id: str, member: str, view: View) -> NDArray[np.uint8]:
        place = 1 + MEMBERS.index(member) * len(VIEWS) + VIEWS.index(view)
        return self._picture(image_id, place)

    def _picture(self, image_id: str, place: int) -> NDArray[np.uint8]:
        shape = (self.size, self.size, 3)
        file = self.folder / f"{int(image_id) % self.stored}.bin"
        length = int(np.prod(shape))
        return np.fromfile(file, np.uint8, length, offset=place * length).reshape(shape)


def store(photos: Path, folder: Path, count: int, size: int) -> None:
    files = sorted(file for file in photos.iterdir() if file.suffix in {".jpg", ".jpeg", ".png"})
    if not files:
        raise SystemExit(f"{photos} must hold .jpg, .jpeg or .png photographs, but holds none")

    def write(index: int) -> None:
        photograph = cv2.imread(str(files[index % len(files)]))[..., ::-1]
        target = cv2.resize(photograph, (size, size), interpolation=cv2.INTER_CUBIC)
        views = [distorted(target, m, v, index) for m in range(len(MEMBERS)) for v in range(4)]
        np.stack([target, *views]).tofile(folder / f"{index}.bin")

    joblib.Parallel(n_jobs=2, prefer="threads")(joblib.delayed(write)(i) for i in range(count))
