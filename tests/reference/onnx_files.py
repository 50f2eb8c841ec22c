"""ONNX files of small networks, written by torch's own exporter."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn


def export(
    network: nn.Module,
    path: Path,
    inputs: Mapping[str, Sequence[int]],
    *,
    outputs: Sequence[str] = ("output",),
    free_size: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write a network that takes inputs of these shapes, or of any height and width."""
    examples = tuple(torch.rand(*shape, dtype=dtype) for shape in inputs.values())
    axes = {name: {2: f"{name}_height", 3: f"{name}_width"} for name in inputs} if free_size else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            examples,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            dynamo=False,
            opset_version=17,
        )
    return path


class Inpainter(nn.Module):
    """A stand-in for LaMa: fills with a blur of what it is shown, brighter to the right.

    That makes its answer depend on the picture, on the mask, and on where in its window it is.
    """

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        blur = nn.functional.avg_pool2d(image, 5, stride=1, padding=2)
        there = _place(image) * 0.004
        return 255 * ((blur + there) * mask + image * (1 - mask))


def _place(x: Tensor) -> Tensor:
    """The column of each pixel, from 1, (N, 1, H, W)."""
    return torch.ones_like(x[:, :1]).cumsum(3)


class Tint(nn.Module):
    """A stand-in for DDColor: RGB in 0..1 to chroma that follows brightness and place."""

    def forward(self, x: Tensor) -> Tensor:
        there = _place(x) - 24
        return torch.cat([80 * x[:, :1] - 40, there + 20 * (x[:, 1:2] - x[:, 2:])], dim=1)
