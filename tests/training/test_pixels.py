from __future__ import annotations

import numpy as np
import torch

from ensemble import arrays
from ensemble.config import NormalisationSection
from ensemble.networks.tensors import to_tensor, to_uint8
from ensemble.training import pixels

SLIDES = NormalisationSection()


def _pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_luma_is_pillows_on_every_colour_of_a_dense_grid() -> None:
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


def test_damage_fills_each_hole_with_its_own_gray() -> None:
    gray, mask = _pictures(2, 4, 4), _pictures(2, 4, 4) > 100
    fill = torch.tensor([7, 9], dtype=torch.uint8)
    out = pixels.damage(torch.from_numpy(gray), torch.from_numpy(mask), fill).numpy()
    np.testing.assert_array_equal(out, np.where(mask, np.array([7, 9])[:, None, None], gray))


def test_normalise_is_the_crossing_of_networks() -> None:
    for shape in ((2, 4, 5), (2, 4, 5, 3)):
        pictures = _pictures(*shape)
        ours = pixels.normalise(torch.from_numpy(pictures), SLIDES)
        torch.testing.assert_close(ours, to_tensor(pictures, mean=SLIDES.mean, std=SLIDES.std))
        assert ours.is_contiguous(memory_format=torch.channels_last)


def test_rounding_is_the_crossing_of_networks() -> None:
    tensor = torch.linspace(-4, 4, 600).reshape(2, 3, 10, 10)
    ours = pixels.round_to_levels(pixels.denormalise(tensor, SLIDES)).permute(0, 2, 3, 1).numpy()
    theirs = to_uint8(tensor, mean=SLIDES.mean, std=SLIDES.std)
    np.testing.assert_array_equal(ours, theirs)
