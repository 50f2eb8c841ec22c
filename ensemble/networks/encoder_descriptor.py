"""Lookalikes by the pooled features of an ImageNet encoder, where its weights can be had.

Unlike the classical descriptor it also finds photographs of one scene from another viewpoint, at
the price of a network run per photograph and of comparing every photograph with every other.
"""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ensemble.arrays import Rgb, check_rgb
from ensemble.errors import WeightsError
from ensemble.folds.descriptors import Descriptor
from ensemble.folds.neighbours import Found, cosine_neighbours, unique_pairs
from ensemble.networks.encoder_weights import timm_arguments
from ensemble.networks.libraries import timm

DEFAULT_ENCODER = "efficientnet_b0"
N_NEAREST = 32
REACH = 0.1
"""Pairs are reported this far below the threshold, for the audit."""


class EncoderDescriptor(Descriptor):
    """Mean of the pooled features of the picture and of its mirror image, of unit length.

    Similarity is the cosine, negative ones cut off. Comparing costs photographs squared times
    `length`, in float32 products of matrices, 32 nearest each.

    Args:
        encoder: A network of timm.
        encoder_weights: `imagenet`, or `none` for tests.
        threshold: Least cosine of one scene. The default is not calibrated on any photographs;
            look at `ens folds --audit` before trusting it.

    Raises:
        WeightsError: The weights are not in the cache and cannot be downloaded; said at once.
    """

    name: ClassVar[str] = "encoder"
    dtype: ClassVar[type] = np.float32

    def __init__(
        self,
        encoder: str = DEFAULT_ENCODER,
        *,
        encoder_weights: str = "imagenet",
        threshold: float = 0.9,
    ) -> None:
        self.threshold = threshold
        self._network = timm.create_model(
            encoder, num_classes=0, **_weights(encoder, encoder_weights)
        ).eval()
        settings: dict[str, Any] = timm.data.resolve_model_data_config(  # type: ignore[attr-defined, no-untyped-call]
            self._network
        )
        self._side = int(settings["input_size"][-1])
        self._mean = torch.tensor(settings["mean"]).view(1, 3, 1, 1)
        self._std = torch.tensor(settings["std"]).view(1, 3, 1, 1)
        self.length = len(self.describe(np.zeros((self._side, self._side, 3), dtype=np.uint8)))

    @torch.inference_mode()
    def describe(self, rgb: Rgb) -> NDArray[np.float32]:
        """Describe an (H, W, 3) uint8 picture by (length,) float32 of unit length."""
        check_rgb(rgb, name="photograph")
        size = (self._side, self._side)
        small = np.ascontiguousarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
        picture = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255  # (1, 3, S, S)
        both = (torch.cat([picture, picture.flip(-1)]) - self._mean) / self._std
        features = torch.nn.functional.normalize(self._network(both), dim=1).mean(dim=0)
        return torch.nn.functional.normalize(features, dim=0).numpy()

    def alike(self, vectors: NDArray[np.float32]) -> Found:
        """Find each photograph's nearest by cosine."""
        found = cosine_neighbours(
            queries=vectors,
            rows=vectors,
            n_nearest=N_NEAREST + 1,
            floor=max(self.threshold - REACH, 0.0),
        )
        first, second, cosine = unique_pairs(found)
        return first, second, np.clip(cosine, 0, 1)


def _weights(encoder: str, encoder_weights: str) -> dict[str, Any]:
    try:
        return timm_arguments(encoder, encoder_weights)
    except WeightsError as error:
        raise WeightsError(
            f"`--descriptor encoder` needs the ImageNet weights of `{encoder}`, which cannot be "
            "had here; connect once so that they are cached (HF_HOME names the folder), or use "
            "`--descriptor classical`, which needs none"
        ) from error
