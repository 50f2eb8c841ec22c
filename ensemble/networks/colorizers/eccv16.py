"""eccv16: colour as a distribution over 313 chroma bins, of which the mean is taken.

Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016 (arXiv:1603.08511).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ensemble.networks.colorizers.blocks import CHROMA_SCALE, block, doubled, normalised_lightness

CHROMA_BINS = 313


class Eccv16(nn.Module):
    """The network of `colorization_release_v2`; 32,236,011 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.model1 = block((1, 64, 64), last_stride=2)
        self.model2 = block((64, 128, 128), last_stride=2)
        self.model3 = block((128, 256, 256, 256), last_stride=2)
        self.model4 = block((256, 512, 512, 512))
        self.model5 = block((512, 512, 512, 512), dilation=2)
        self.model6 = block((512, 512, 512, 512), dilation=2)
        self.model7 = block((512, 512, 512, 512))
        self.model8 = nn.Sequential(
            doubled(512, 256),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, CHROMA_BINS, 1),
        )
        self.model_out = nn.Conv2d(CHROMA_BINS, 2, 1, bias=False)

    def forward(self, lightness: Tensor) -> Tensor:
        """Predict chroma.

        Args:
            lightness: (N, 1, H, W) float32, CIE Lab L in 0..100; H and W multiples of 8.

        Returns:
            (N, 2, H, W) float32, CIE Lab a and b.
        """
        x = normalised_lightness(lightness)  # (N, 1, H, W)
        x = self.model3(self.model2(self.model1(x)))  # (N, 256, H/8, W/8)
        x = self.model7(self.model6(self.model5(self.model4(x))))  # (N, 512, H/8, W/8)
        odds = self.model8(x).softmax(dim=1)  # (N, 313, H/4, W/4)
        chroma = self.model_out(odds)  # (N, 2, H/4, W/4)
        return CHROMA_SCALE * functional.interpolate(chroma, scale_factor=4.0, mode="bilinear")
