"""Adapters: how a network in an ONNX file is fed with a gray picture, and its answer read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from ensemble.arrays import LUMA_WEIGHTS, Gray, Mask, Rgb
from ensemble.errors import WeightsError
from ensemble.inference.fixed import FixedPredictor
from ensemble.inference.predictor import Predictor
from ensemble.members import Member
from ensemble.networks.colorizers.lab import join_chroma, lightness, resized_gray
from ensemble.networks.onnx_file import OnnxNetwork
from ensemble.networks.tensors import pad_to, pad_to_stride

STRIDE = 32
"""Sides are padded to a multiple of it where a network takes pictures of any size."""

_LUMA = np.array(LUMA_WEIGHTS, dtype=np.float32) / 65536


class OnnxPredictor(FixedPredictor):
    """A network in an ONNX file."""

    inputs: Mapping[str, int]  # the usual name and channels of each
    channels: int  # of the answer

    def __init__(self, member: Member, path: Path) -> None:
        super().__init__(member)
        self.network = OnnxNetwork(
            path, sha256=member.sha256, inputs=self.inputs, channels=self.channels
        )


class Inpainting(OnnxPredictor):
    """Picture (RGB in 0..1, the hole 0) and mask (1 in the hole) in; RGB in 0..255 out.

    The picture keeps its scale. A smaller one than the network takes is padded by reflection; of a
    larger one, overlapping tiles that hold lost pixels are predicted, and averaged with weights
    that fall towards a tile's border.
    """

    inputs: Mapping[str, int] = MappingProxyType({"image": 3, "mask": 1})
    channels = 3

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> Gray:
        shown = np.stack([np.where(lost_mask, 0, gray) / 255, lost_mask]).astype(np.float32)
        x, size = torch.from_numpy(shown)[None], self.network.size  # (1, 2, H, W)
        padded, crop = pad_to_stride(x, STRIDE) if size is None else pad_to(x, *size)
        luma = self._predict_tiles(padded[0].numpy(), size or padded.shape[2:])[crop]
        return np.where(lost_mask, np.rint(luma.clip(0, 255)).astype(np.uint8), gray)

    def _predict_tiles(
        self, shown: NDArray[np.float32], size: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Luma (H, W) in 0..255, where a tile has lost pixels; else 0."""
        height, width = size
        weight = np.outer(_ramp(height), _ramp(width))
        total, weights = np.zeros((2, *shown.shape[1:]), dtype=np.float32)
        for top in _starts(shown.shape[1], height):
            for left in _starts(shown.shape[2], width):
                here = (slice(top, top + height), slice(left, left + width))
                image, mask = shown[:1, *here], shown[1:, *here]
                if mask.any():
                    total[here] += weight * self._predict_tile(image, mask)
                    weights[here] += weight
        luma: NDArray[np.float32] = total / np.maximum(weights, 1)
        return luma

    def _predict_tile(
        self, image: NDArray[np.float32], mask: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Luma (h, w) in 0..255."""
        (answer,) = self.network(image=image[None].repeat(3, axis=1), mask=mask[None])
        if answer.shape[1:] != mask.shape[1:]:
            raise WeightsError(
                f"`{self.network.path}` must answer with a picture of {mask.shape[1:]} pixels, but "
                f"answered with one of {answer.shape[1:]}"
            )
        if answer.max() <= 1 < 255 * image.max():
            raise WeightsError(
                f"`{self.network.path}` must answer on the scale 0..255, but its answer to a "
                "picture that is not black ends at 1; this adapter does not fit it"
            )
        luma: NDArray[np.float32] = np.tensordot(_LUMA, answer, axes=1).astype(np.float32)
        return luma


class Colorizer(OnnxPredictor):
    """A network that gives chroma, CIE Lab a and b; joined with the picture's own lightness.

    It sees the whole picture, resized to the size it takes, or to `size` (height, width) where it
    takes any.
    """

    channels = 2
    size: tuple[int, int]

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> Rgb:
        shown = self._show(resized_gray(gray, self.network.size or self.size))  # (C, h, w)
        (name,) = self.inputs
        return join_chroma(gray, torch.from_numpy(self.network(**{name: shown[None]})))

    @abstractmethod
    def _show(self, gray: Gray) -> NDArray[np.float32]:
        """What the network is shown of a gray (h, w): (channels, h, w) float32."""


class GrayToAb(Colorizer):
    """The gray as RGB in 0..1, as DDColor takes it."""

    inputs: Mapping[str, int] = MappingProxyType({"input": 3})
    size = (512, 512)

    def _show(self, gray: Gray) -> NDArray[np.float32]:
        return (gray / 255)[None].repeat(3, axis=0).astype(np.float32)


class LightnessToAb(Colorizer):
    """CIE Lab lightness in 0..100, as eccv16 and siggraph17 take it."""

    inputs: Mapping[str, int] = MappingProxyType({"lightness": 1})
    size = (256, 256)

    def _show(self, gray: Gray) -> NDArray[np.float32]:
        return lightness(gray)[None]


PREDICTORS: Mapping[str, Callable[[Member, Path], Predictor]] = MappingProxyType(
    {"inpainting": Inpainting, "gray-to-ab": GrayToAb, "lightness-to-ab": LightnessToAb}
)
"""The predictor of each of `ensemble.members.ADAPTERS`."""


def onnx_predictor(member: Member, path: Path) -> Predictor:
    """The predictor of a member with `arch = "onnx"`, by its adapter.

    Raises:
        ConfigError: onnxruntime is not installed.
        WeightsError: The file is not as due; see `OnnxNetwork`.
    """
    return PREDICTORS[member.adapter](member, path)


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles begin, so that they cover the length and overlap by half or more."""
    count = 1 + -(-(length - tile) // max(1, tile // 2))
    return [round(start) for start in np.linspace(0, length - tile, count)]


def _ramp(length: int) -> NDArray[np.float32]:
    """Weights that rise by 1 a pixel from 1 at either end."""
    there = np.arange(1, length + 1, dtype=np.float32)
    return np.minimum(there, there[::-1])
