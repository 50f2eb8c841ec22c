from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.errors import ArrayError
from ensemble.networks.tensors import (
    denormalize,
    normalize,
    pad_to_stride,
    to_uint8,
    with_mask,
)

MEAN, STD = 0.5, 0.225
EVERY_LEVEL = np.arange(256, dtype=np.uint8).reshape(2, 16, 8)


def test_values_are_normalized() -> None:
    tensor = normalize(torch.from_numpy(EVERY_LEVEL), mean=MEAN, std=STD)
    assert tensor.dtype == torch.float32
    expected = (EVERY_LEVEL[:, None] / 255 - MEAN) / STD
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 5, 7, 3), (1, 4, 3)])
def test_round_trip(shape: tuple[int, ...]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    tensor = normalize(torch.from_numpy(pictures), mean=MEAN, std=STD)
    assert tensor.shape == (shape[0], 3 if len(shape) == 4 else 1, *shape[1:3])
    back = to_uint8(tensor, mean=MEAN, std=STD)
    assert back.dtype == np.uint8
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, pictures)


def test_channels_keep_their_place() -> None:
    red = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    red[0, 0, 1] = (255, 0, 0)
    tensor = normalize(torch.from_numpy(red), mean=0.0, std=1.0)
    assert tensor[0, 0].tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert not tensor[0, 1:].any()


def test_halves_go_to_the_even_level_and_the_rest_is_clipped() -> None:
    values = torch.tensor([-3.0, 0.49, 0.5, 1.5, 2.5, 254.51, 300.0]).reshape(1, 1, 1, 7)
    levels = to_uint8(values, mean=0.0, std=1 / 255)
    assert levels.ravel().tolist() == [0, 0, 0, 2, 2, 255, 255]


def test_the_input_is_left_alone() -> None:
    tensor = torch.full((1, 1, 2, 2), 0.3)
    to_uint8(tensor, mean=MEAN, std=STD)
    assert (tensor == 0.3).all()


def test_a_diverged_network_is_refused() -> None:
    with pytest.raises(ArrayError, match=r"must be finite.*diverged"):
        to_uint8(torch.tensor([[[[0.0, float("nan")]]]]), mean=MEAN, std=STD)


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ArrayError, match=r"but got \(1, 2, 4, 4\)"):
        to_uint8(torch.zeros(1, 2, 4, 4), mean=MEAN, std=STD)


@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 4, 5, 3)])
def test_tensors_are_laid_out_channels_last(shape: tuple[int, ...]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    ours = normalize(torch.from_numpy(pictures), mean=MEAN, std=STD)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    levels = denormalize(ours, mean=MEAN, std=STD).permute(0, 2, 3, 1).squeeze(-1)
    np.testing.assert_allclose(levels.numpy(), pictures, atol=1e-4)


def test_masks_are_one_where_lost() -> None:
    lost = torch.zeros(2, 3, 4, dtype=torch.bool)
    lost[1, 2, 3] = True
    both = with_mask(torch.full((2, 1, 3, 4), 0.5), lost)
    assert both.shape == (2, 2, 3, 4)
    assert (both[:, 0] == 0.5).all()
    assert torch.equal(both[:, 1], lost.float())
    with pytest.raises(ArrayError, match="masks must be bool of shape"):
        with_mask(both[:, :1], lost[:, :2])


def test_the_depth_is_a_third_channel_on_a_logarithmic_scale() -> None:
    depth = torch.tensor([[[0.0, 1.0, 3.0, 15.0]]])
    channels = with_mask(torch.full((1, 1, 1, 4), 0.5), depth > 0, depth)
    torch.testing.assert_close(
        channels[0, :, 0],
        torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.0, 1.0, 1.0, 1.0], [0.0, 0.25, 0.5, 1.0]]),
    )


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    stride=st.sampled_from([1, 8, 16, 32]),
)
@settings(max_examples=60, deadline=None)
def test_padding_is_the_least_and_crops_back(height: int, width: int, stride: int) -> None:
    x = torch.rand(1, 2, height, width)
    padded, crop = pad_to_stride(x, stride)
    for before, after in zip((height, width), padded.shape[-2:], strict=True):
        assert after % stride == 0
        assert 0 <= after - before < stride
    assert torch.equal(padded[crop], x)


def test_padding_is_numpys_reflection() -> None:
    x = torch.arange(100.0 * 75).reshape(1, 1, 100, 75)
    padded, _ = pad_to_stride(x, 32)
    expected = np.pad(x[0, 0].numpy(), ((14, 14), (10, 11)), mode="reflect")
    np.testing.assert_array_equal(padded[0, 0].numpy(), expected)


def test_a_picture_smaller_than_its_padding_is_reflected_again() -> None:
    x = torch.arange(5.0).reshape(1, 1, 1, 5)
    padded, _ = pad_to_stride(x, 16)  # 11 columns to add, 4 at most at a time
    row = padded[0, 0, 0]
    expected = np.pad(np.arange(5.0), (5, 6), mode="reflect")
    np.testing.assert_array_equal(row.numpy(), expected)
    assert (padded == row).all()
