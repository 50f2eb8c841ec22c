"""siggraph17: a U-shaped network that takes colour hints; without any it colours by itself.

Source: Zhang, Zhu, Isola et al., "Real-Time User-Guided Image Colorization with Learned Deep
Priors", SIGGRAPH 2017 (arXiv:1705.02999).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ensemble.networks.colorizers.blocks import CHROMA_SCALE, block, doubled, normalised_lightness

HINT_CHANNELS = 3  # a, b, and where they are given
CLASSES = 529


class Siggraph17(nn.Module):
    """The network of `siggraph17`; 34,187,027 parameters.

    Attributes:
        model_class: Classes of chroma for its training; held because the released file has them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.model1 = block((1 + HINT_CHANNELS, 64, 64))
        self.model2 = block((64, 128, 128))
        self.model3 = block((128, 256, 256, 256))
        self.model4 = block((256, 512, 512, 512))
        self.model5 = block((512, 512, 512, 512), dilation=2)
        self.model6 = block((512, 512, 512, 512), dilation=2)
        self.model7 = block((512, 512, 512, 512))
        self.model8up = nn.Sequential(doubled(512, 256))
        self.model3short8 = _shortcut(256, 256)
        self.model8 = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(256),
        )
        self.model9up = nn.Sequential(doubled(256, 128))
        self.model2short9 = _shortcut(128, 128)
        self.model9 = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 128, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(128),
        )
        self.model10up = nn.Sequential(doubled(128, 128))
        self.model1short10 = _shortcut(64, 128)
        self.model10 = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 128, 3, padding=1),
            nn.LeakyReLU(negative_slope=0.2),
        )
        self.model_class = nn.Sequential(nn.Conv2d(256, CLASSES, 1))
        self.model_out = nn.Sequential(nn.Conv2d(128, 2, 1), nn.Tanh())

    def forward(self, lightness: Tensor) -> Tensor:
        """Predict chroma without hints.

        Args:
            lightness: (N, 1, H, W) float32, CIE Lab L in 0..100; H and W multiples of 8.

        Returns:
            (N, 2, H, W) float32, CIE Lab a and b, within -110..110.
        """
        no_hints = (0, 0, 0, 0, 0, HINT_CHANNELS)
        x = functional.pad(normalised_lightness(lightness), no_hints)  # (N, 4, H, W)
        full = self.model1(x)  # (N, 64, H, W)
        half = self.model2(_halved(full))  # (N, 128, H/2, W/2)
        quarter = self.model3(_halved(half))  # (N, 256, H/4, W/4)
        x = self.model5(self.model4(_halved(quarter)))  # (N, 512, H/8, W/8)
        x = self.model7(self.model6(x))
        x = self.model8(self.model8up(x) + self.model3short8(quarter))  # (N, 256, H/4, W/4)
        x = self.model9(self.model9up(x) + self.model2short9(half))  # (N, 128, H/2, W/2)
        x = self.model10(self.model10up(x) + self.model1short10(full))  # (N, 128, H, W)
        chroma: Tensor = self.model_out(x)  # (N, 2, H, W)
        return CHROMA_SCALE * chroma


def _shortcut(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1))


def _halved(x: Tensor) -> Tensor:
    return x[:, :, ::2, ::2]
