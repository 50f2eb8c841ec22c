"""What a network that has learned from ImageNet makes of a gray picture, as numbers.

What is in a picture tells its hues: grass, the sea, a face. A network that names what is in color
photographs sees much of it in gray too. So the means over the picture of each of its levels, and
its answer, go to the ridge regression of `ensemble.composition.hue_prior`. Nothing is trained here.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensemble.arrays import Gray
from ensemble.errors import ConfigError
from ensemble.manifest import digest_file
from ensemble.networks.device import best_device
from ensemble.networks.encoder_weights import fetch, timm_release

_SIDE = 256
"""Pixels a side that a network is shown which takes any size."""


class GrayEncoder:
    """A network of timm with the weights that are published for it, on the best device there is.

    Attributes:
        name: As timm spells it.
        digest: SHA-256 of its weights' file.

    Raises:
        ConfigError: timm has no such network, or it does not tell its levels.
        WeightsError: Its weights cannot be had; raised within a few seconds.
    """

    def __init__(self, name: str) -> None:
        if not timm.is_model(name):
            raise _useless(name, "timm has no network of this name")
        file = fetch(timm_release(name))
        self.name, self.digest = name, digest_file(file)
        self._device = best_device()
        # What timm's networks can do is known to none of its types.
        net: Any = timm.create_model(
            name, pretrained=True, pretrained_cfg_overlay={"file": str(file)}
        )
        self._net, known = net.eval().to(self._device), net.pretrained_cfg
        self._mean, self._std = (np.mean(known[key]).item() for key in ("mean", "std"))
        self._side = known["input_size"][-1] if known.get("fixed_input_size") else _SIDE

    @torch.inference_mode()
    def describe(self, gray: Gray) -> tuple[NDArray[np.float64], ...]:
        """Kinds of numbers about a gray picture (H, W) uint8, each (F_k,) float64.

        The mean of each level's channels, then what the network would answer from, then its answer.
        """
        square = cv2.resize(gray, (self._side, self._side), interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(square).to(self._device, torch.float32)
        shown = ((pixels / 255 - self._mean) / self._std).expand(1, 3, -1, -1)
        try:
            last, levels = self._net.forward_intermediates(shown)
            read = self._net.forward_head(last, pre_logits=True)
            answer = self._net.forward_head(last)
        except (AttributeError, TypeError, RuntimeError, AssertionError) as error:
            raise _useless(self.name, f"it cannot describe a picture ({error})") from error
        kinds: list[Tensor] = [*(level.mean((2, 3)) for level in levels), read, answer]
        return tuple(_flatten(kind) for kind in kinds)


def _flatten(kind: Any) -> NDArray[np.float64]:
    return np.asarray(kind.float().cpu().numpy(), np.float64).reshape(-1)


def _useless(name: str, reason: str) -> ConfigError:
    return ConfigError(
        f"`prior_encoder` must be a network of timm that tells its levels, but {name!r} is not: "
        f"{reason}; change it under [colorization] in ens.toml, or leave it empty"
    )
