"""From a gray picture to color, through CIE Lab."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor, nn
from torch.nn import functional

from ensemble.arrays import Gray, Rgb, check_gray

INSIDE = 256


def lightness(gray: Gray) -> NDArray[np.float32]:
    """CIE Lab lightness of a gray picture taken as R = G = B.

    This task's gray is Rec. 601 luma, so this is not the lightness of the colors it came from,
    only the nearest thing that can be known.

    Args:
        gray: (H, W) uint8.

    Returns:
        (H, W) float32 in 0..100.
    """
    lab = rgb2lab(np.repeat(gray[..., None], 3, axis=-1))
    return lab[..., 0].astype(np.float32)


@torch.inference_mode()
def colorize_with(module: nn.Module, gray: Gray) -> Rgb:
    """Color a picture with a released colorizer.

    The network sees the picture at 256 x 256, as it was trained; its chroma is resized back and
    joined with the lightness at full size.

    Args:
        module: Takes lightness (1, 1, 256, 256), gives chroma (1, 2, 256, 256), on any device.
        gray: (H, W) uint8.

    Returns:
        (H, W, 3) uint8; colors outside the gamut of sRGB are clipped.
    """
    check_gray(gray, name="the gray to color")
    device = next(module.parameters()).device
    small = np.asarray(Image.fromarray(gray).resize((INSIDE, INSIDE), Image.Resampling.BICUBIC))
    shown = torch.from_numpy(lightness(small))[None, None].to(device)  # (1, 1, 256, 256)
    chroma: Tensor = module(shown)
    size = (int(gray.shape[0]), int(gray.shape[1]))
    resized = functional.interpolate(chroma, size=size, mode="bilinear")[0]  # (2, H, W)
    ab = resized.permute(1, 2, 0).cpu().numpy()
    return _lab_to_uint8(np.concatenate([lightness(gray)[..., None], ab], axis=-1))


def _lab_to_uint8(lab: NDArray[Any]) -> Rgb:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*negative Z values.*")
        rgb = lab2rgb(lab.astype(np.float64))
    return np.rint(rgb * 255).astype(np.uint8)
