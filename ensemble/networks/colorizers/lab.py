"""From a gray picture to color, through CIE Lab."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor, nn
from torch.nn import functional

from ensemble.arrays import Gray, Rgb, check_gray

INSIDE = (256, 256)
"""At which the released colorizers see a picture, as they were trained."""


def lightness(gray: Gray) -> NDArray[np.float32]:
    """CIE Lab lightness of a gray picture taken as R = G = B: (H, W) float32 in 0..100.

    This task's gray is Rec. 601 luma, so this is not the lightness of the colors it came from, only
    the nearest thing that can be known.
    """
    lab = rgb2lab(np.repeat(gray[..., None], 3, axis=-1))
    return lab[..., 0].astype(np.float32)


@torch.inference_mode()
def colorize_with(module: nn.Module, gray: Gray) -> Rgb:
    """Color a picture with a released colorizer, on any device; see `join_chroma`.

    It takes lightness (1, 1, *INSIDE) and gives chroma (1, 2, *INSIDE).
    """
    check_gray(gray, name="the gray to color")
    device = next(module.parameters()).device
    shown = torch.from_numpy(lightness(resized_gray(gray, INSIDE)))[None, None].to(device)
    return join_chroma(gray, module(shown))


def resized_gray(gray: Gray, size: tuple[int, int]) -> Gray:
    """A gray picture at (height, width), for a network that takes no other."""
    height, width = size
    return np.asarray(Image.fromarray(gray).resize((width, height), Image.Resampling.BICUBIC))


def join_chroma(gray: Gray, chroma: Tensor) -> Rgb:
    """The colors of a gray picture and of chroma (1, 2, h, w) float32, CIE Lab a and b.

    The chroma is resized to the gray; colors outside the gamut of sRGB are clipped.
    """
    size = (int(gray.shape[0]), int(gray.shape[1]))
    resized = functional.interpolate(chroma, size=size, mode="bilinear")[0]  # (2, H, W)
    ab = resized.permute(1, 2, 0).cpu().numpy()
    lab = np.concatenate([lightness(gray)[..., None], ab], axis=-1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*negative Z values.*")
        rgb = lab2rgb(lab.astype(np.float64))
    return np.rint(rgb * 255).astype(np.uint8)
