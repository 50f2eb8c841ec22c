"""A network that mixes several fills of the hole, pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FIRST_LOGIT = 3.0
"""Added to the first fill's: a network that knows nothing answers nearly with the prefill."""


class FillMixer(nn.Module):
    """Weights of the fills at each pixel, and what is added to their mean.

    Where the truth is flat one fill is right, where it is textured another: to choose is easier
    than to paint, so it is learned in minutes. What no fill has, the network adds.

    Args:
        net: (N, K + 2, H, W) to (N, K + 1, H, W).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Predict.

        Args:
            x: (N, K + 2, H, W) float32 as of `with_mask`: the first fill, mask, distance, and the
                K - 1 other fills less the first.

        Returns:
            (N, 1, H, W): what is to be added to the first fill.
        """
        answer = self.net(x).float()
        first, others, added = answer.tensor_split((1, answer.shape[1] - 1), dim=1)
        logits = torch.cat([first + FIRST_LOGIT, others], dim=1)  # (N, K, H, W)
        weights = logits.softmax(dim=1)[:, 1:]  # (N, K - 1, H, W); the first fill differs by 0
        mixed: Tensor = (weights * x[:, 3:]).sum(dim=1, keepdim=True)
        return mixed + added
