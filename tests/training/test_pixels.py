from __future__ import annotations

import cv2
import numpy as np
import torch

from ensemble import arrays
from ensemble.metric.hue import count_hues
from ensemble.metric.ssim import to_planes
from ensemble.training import pixels


def _pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_luma_is_pillows_on_every_color_of_a_dense_grid() -> None:
    levels = np.r_[0:256:5, 254]
    grid = np.stack(np.meshgrid(levels, levels, levels), -1).astype(np.uint8)
    ours = pixels.luma(torch.from_numpy(grid))
    np.testing.assert_array_equal(ours.numpy(), arrays.luma(grid))


def test_mirror_flips_the_chosen_left_to_right() -> None:
    for shape in ((3, 4, 5), (3, 4, 5, 3)):
        pictures = _pictures(*shape)
        out = pixels.mirror(torch.from_numpy(pictures), torch.tensor([True, False, True])).numpy()
        np.testing.assert_array_equal(out[0], pictures[0, :, ::-1])
        np.testing.assert_array_equal(out[1], pictures[1])


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
        np.testing.assert_allclose(row * 63, count_hues(to_planes(picture)), atol=1e-4)
