from __future__ import annotations

import cv2
import numpy as np
import torch

from ensemble.metric.hue import hue_counts
from ensemble.metric.score import planar
from ensemble.training import pixels


def test_hue_is_opencvs() -> None:
    levels = np.r_[0:256:5, 1, 254].astype(np.uint8)
    red, green, blue = np.meshgrid(levels, levels, levels, indexing="ij")
    pictures = np.stack([red, green, blue], -1).reshape(1, -1, len(levels), 3)
    theirs = cv2.cvtColor(pictures[0], cv2.COLOR_RGB2HSV)[..., 0]
    np.testing.assert_array_equal(pixels.hue(torch.from_numpy(pictures))[0].numpy(), theirs)


def test_histogram_is_the_metrics_counts() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    ours = pixels.histogram(torch.from_numpy(pictures)).numpy()
    for row, picture in zip(ours, pictures, strict=True):
        np.testing.assert_allclose(row * 63, hue_counts(planar(picture)), atol=1e-4)
