"""Gated blocks against the formulas of the paper, written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate

from ensemble.networks.nafnet import NafNet, _Block

C = 4


def block_in_numpy(x: NDArray[np.float64], block: _Block) -> NDArray[np.float64]:
    """(C, H, W) to (C, H, W)."""
    w = {key: value.detach().double().numpy() for key, value in block.state_dict().items()}

    def pointwise(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        weight, bias = w[f"{name}.weight"][:, :, 0, 0], w[f"{name}.bias"]
        return np.einsum("oc,chw->ohw", weight, x) + bias[:, None, None]

    def norm(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        normal = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-6)
        return normal * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    y = pointwise("spread", norm("norm_1", x))
    kernels = w["depthwise.weight"][:, 0]
    y = np.stack([correlate(a, k, mode="constant") for a, k in zip(y, kernels, strict=True)])
    y = y + w["depthwise.bias"][:, None, None]
    y = y[:C] * y[C:]
    y = y * pointwise("attention", y.mean((1, 2), keepdims=True))
    x = x + w["factor_1"] * pointwise("project", y)
    y = pointwise("widen", norm("norm_2", x))
    return x + w["factor_2"] * pointwise("narrow", y[:C] * y[C:])


def test_a_block_is_the_papers() -> None:
    block = _Block(C).double()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, C, 5, 7, dtype=torch.float64)
    y = block(x).detach().numpy()
    expected = np.stack([block_in_numpy(one, block) for one in x.numpy()])
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)


def test_a_block_begins_as_its_input() -> None:
    x = torch.randn(1, C, 5, 7)
    assert torch.equal(_Block(C)(x), x)


def test_a_pixel_reaches_the_answer_at_full_resolution() -> None:
    """A pattern that every halving would lose, a checkerboard, is told from its negative."""
    network = NafNet(1, 1, width=4, encoder_blocks=(1,), middle_blocks=1, decoder_blocks=(1,))
    torch.nn.init.normal_(network.last.weight)
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).tile(4, 4)[None, None]
    with torch.inference_mode():
        assert (network(board) - network(-board)).abs().mean() > 0.05


def test_its_parameters_by_formula() -> None:
    def block(c: int) -> int:
        return 7 * c * c + 33 * c

    levels = [(24, 4), (48, 4), (96, 6)]
    expected = sum(n * block(c) for c, n in levels) + 2 * block(192)
    expected += sum(4 * c * 2 * c + 2 * c + 2 * c * 4 * c for c, _ in levels)  # down and up
    expected += 9 * 3 * 24 + 24 + 9 * 24 + 1
    found = sum(parameter.numel() for parameter in NafNet(3, 1).parameters())
    assert found == expected
    assert 1.0e6 < found < 1.3e6


def test_levels_must_match() -> None:
    with pytest.raises(ValueError, match=r"as many levels .* are \(1,\) and \(1, 1\)"):
        NafNet(1, 1, encoder_blocks=(1, 1), decoder_blocks=(1,))
