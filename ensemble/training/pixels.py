"""uint8 tensors in bulk, on the device: the same as `arrays` and `metric.hue` compute of arrays.

Batches travel to the device as uint8 and become floats there: a quarter of the traffic, and the
host has nothing to compute.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ensemble.vocabulary import HUE_BINS


def luma(target: Tensor) -> Tensor:
    """`ensemble.arrays.luma` of a batch (N, H, W, 3) uint8, exactly."""
    red, green, blue = target.to(torch.int32).unbind(-1)
    return ((red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16).to(torch.uint8)


def mirror(pictures: Tensor, chosen: Tensor) -> Tensor:
    """Flip the chosen pictures, (N,) bool, of a batch (N, H, W) or (N, H, W, 3) left to right."""
    columns = chosen.view(-1, *[1] * (pictures.ndim - 1))
    return torch.where(columns, pictures.flip(2), pictures)


def hue(pictures: Tensor) -> Tensor:
    """The hue of every pixel (..., 3) uint8, exactly OpenCV's: (...) int64 in 0..179.

    Source: the fixed-point formula of `ensemble.metric.hue`, in integers.
    """
    red, green, blue = pictures.to(torch.int32).unbind(-1)
    top = pictures.amax(-1).to(torch.int32)
    spread = top - pictures.amin(-1)
    around = torch.where(top == green, blue - red + 2 * spread, red - green + 4 * spread)
    around = torch.where(top == red, green - blue, around)
    table = torch.round(122880 / spread.clamp_min(1).to(torch.float64)).to(torch.int32)
    hues = (around * table + 2048) >> 12
    return torch.where(hues < 0, hues + HUE_BINS, hues).long()


def histogram(pictures: Tensor) -> Tensor:
    """The share of each hue in each picture: (N, 180) float32, each row with sum 1."""
    hues = hue(pictures).flatten(1)  # (N, H * W)
    counts = torch.zeros(len(hues), HUE_BINS, device=hues.device)
    counts.scatter_add_(1, hues, torch.ones_like(hues, dtype=torch.float32))
    return counts / hues.shape[1]
