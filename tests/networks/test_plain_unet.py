"""The plain U-Net against its formulas, written out in numpy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate
from scipy.special import erf

from ensemble.networks.plain_unet import PlainUnet

Array = NDArray[np.float64]


def forward_in_numpy(x: Array, network: PlainUnet) -> Array:
    """(C, H, W) to (classes, H, W), of a network with two levels."""
    w = {key: value.double().numpy() for key, value in network.state_dict().items()}

    def convolve(name: str, x: Array) -> Array:
        weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
        planes = [
            sum(correlate(a, k, mode="constant") for a, k in zip(x, kernels, strict=True))
            for kernels in weight
        ]
        return np.stack(planes) + bias[:, None, None]

    def level(name: str, x: Array) -> Array:
        return gelu(convolve(f"{name}.0", x))

    def halve(name: str, x: Array) -> Array:
        parts = np.stack([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=1)
        weight = w[f"{name}.weight"].reshape(-1, len(x), 4)
        return np.einsum("ocp,cphw->ohw", weight, parts) + w[f"{name}.bias"][:, None, None]

    def double(name: str, x: Array) -> Array:
        weight = w[f"{name}.weight"]  # (in, out, 2, 2)
        y = np.zeros((weight.shape[1], 2 * x.shape[1], 2 * x.shape[2]))
        for i in (0, 1):
            for j in (0, 1):
                y[:, i::2, j::2] = np.einsum("chw,co->ohw", x, weight[:, :, i, j])
        return y + w[f"{name}.bias"][:, None, None]

    fine = level("first.2", gelu(convolve("first.0", x)))
    coarse = gelu(halve("encoder.0.0", fine))
    coarse = level("encoder.0.3", level("encoder.0.2", coarse))
    return convolve("last", level("decoder.0", double("up.0", coarse) + fine))


def gelu(x: Array) -> Array:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def test_it_is_its_formula() -> None:
    network = PlainUnet(3, 2, widths=(4, 5)).double().requires_grad_(False)
    torch.nn.init.normal_(network.last.weight)
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    expected = np.stack([forward_in_numpy(one, network) for one in x.numpy()])
    np.testing.assert_allclose(network(x).numpy(), expected, rtol=1e-9, atol=1e-9)
    assert network.stride == 2


def test_it_begins_with_zero() -> None:
    assert not PlainUnet(1, 1)(torch.randn(1, 1, 16, 24)).any()


def test_its_parameters_by_formula() -> None:
    widths = (24, 48, 96, 144)
    expected = 9 * 8 * 24 + 24 + 9 * 24 * 7 + 7
    expected += sum(9 * c * c + c for c in (24, 48, 48, 96, 96, 144, 144, 96, 48, 24))
    expected += sum(4 * c * d + d + 4 * c * d + c for c, d in pairwise(widths))
    network = PlainUnet(8, 7)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert (network.stride, 0.8e6 < expected < 0.9e6) == (8, True)


def test_it_needs_a_level() -> None:
    with pytest.raises(ValueError, match="at least one level"):
        PlainUnet(1, 1, widths=())
