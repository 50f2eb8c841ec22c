"""The one crossing between pictures and tensors, and the padding networks need.

Pictures are uint8, (N, H, W) gray or (N, H, W, 3) RGB. Tensors are float32, (N, C, H, W), and
normalized: (value / 255 - mean) / std.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ensemble.errors import ArrayError

Crop = tuple[EllipsisType, slice, slice]


def normalize(pictures: Tensor, *, mean: float, std: float) -> Tensor:
    """Normalize pictures (N, H, W) or (N, H, W, C) uint8: (value / 255 - mean) / std.

    Returns (N, C, H, W) float32 on the same device, laid out channels last.
    """
    channels_last = pictures[..., None] if pictures.ndim == 3 else pictures
    return channels_last.permute(0, 3, 1, 2).to(torch.float32).div_(255).sub_(mean).div_(std)


def denormalize(tensor: Tensor, *, mean: float, std: float) -> Tensor:
    """Back to the scale 0..255, neither rounded nor clipped; float32."""
    return (tensor.float() * std + mean) * 255


def to_uint8(tensor: Tensor, *, mean: float, std: float) -> NDArray[np.uint8]:
    """Undo `normalize` of any dtype and device: the nearest level (halves to even), 0..255.

    Raises:
        ArrayError: Another shape, or a value that is not finite: the network has diverged.
    """
    if tensor.ndim != 4 or tensor.shape[1] not in (1, 3):
        raise ArrayError(
            f"a prediction must have the shape (N, 1 or 3, H, W), but got {tuple(tensor.shape)}"
        )
    values = denormalize(tensor.detach(), mean=mean, std=std)
    if not bool(torch.isfinite(values).all()):
        raise ArrayError(
            "a prediction must be finite, but holds NaN or infinity: the network has diverged; "
            "train it again with a lower learning rate or in float32"
        )
    levels = values.round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
    return (
        levels[:, 0] if levels.shape[1] == 1 else np.ascontiguousarray(levels.transpose(0, 2, 3, 1))
    )


def with_mask(gray: Tensor, lost_masks: Tensor, depth: Tensor | None = None) -> Tensor:
    """Append masks (N, H, W) bool of lost pixels to grays (N, 1, H, W): 1.0 where lost, else 0.0.

    Of grays (N, K, H, W) all but the first plane go to the end, less the first. With the
    `hole_depth` (N, H, W) in pixels, log2(1 + depth) / 4 becomes a further channel: 0 where known,
    0.25 at the rim, 1 at 15 px.
    """
    if lost_masks.dtype != torch.bool or lost_masks.shape != (gray.shape[0], *gray.shape[2:]):
        raise ArrayError(
            f"masks must be bool of shape {(gray.shape[0], *gray.shape[2:])}, but are "
            f"{lost_masks.dtype} of shape {tuple(lost_masks.shape)}"
        )
    further = [lost_masks] if depth is None else [lost_masks, torch.log2(1 + depth) / 4]
    channels = [channel[:, None].to(gray) for channel in further]
    first, others = gray[:, :1], gray[:, 1:]
    return torch.cat([first, *channels, *([others - first] if len(others[0]) else [])], dim=1)


def pad_to_stride(x: Tensor, stride: int) -> tuple[Tensor, Crop]:
    """Pad (N, C, H, W) by reflection, as evenly as possible, until `stride` divides H and W.

    Reflection cannot reach further than a picture is large, so a small one is reflected again and
    again; a picture one pixel wide is repeated instead.

    Returns:
        The padded tensor, and the crop: `y[crop]` cuts a tensor of its height and width back.
    """
    height, width = x.shape[-2:]
    return pad_to(x, height + -height % stride, width + -width % stride)


def pad_to(x: Tensor, height: int, width: int) -> tuple[Tensor, Crop]:
    """Pad to a height and width as `pad_to_stride` does; what is larger stays as it is."""
    h, w = x.shape[-2:]
    top, bottom = _split(max(0, height - h))
    left, right = _split(max(0, width - w))
    padded = _reflect(_reflect(x, top, bottom, vertical=True), left, right, vertical=False)
    return padded, (..., slice(top, top + h), slice(left, left + w))


def _split(total: int) -> tuple[int, int]:
    return total // 2, total - total // 2


def _reflect(x: Tensor, before: int, after: int, *, vertical: bool) -> Tensor:
    while before or after:
        reach = x.shape[-2 if vertical else -1] - 1
        mode = "reflect" if reach else "replicate"
        first, last = (min(before, reach), min(after, reach)) if reach else (before, after)
        sides: Any = (0, 0, first, last) if vertical else (first, last, 0, 0)
        x = functional.pad(x, sides, mode=mode)
        before, after = before - first, after - last
    return x
