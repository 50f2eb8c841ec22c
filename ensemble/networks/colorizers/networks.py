"""The networks of the released colorizers, from CIE Lab lightness to chroma.

The released files name a layer by its place in its block, so the order of layers is a format.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

LIGHTNESS_CENTER = 50.0
LIGHTNESS_SCALE = 100.0
CHROMA_SCALE = 110.0
CHROMA_BINS = 313
HINT_CHANNELS = 3  # a, b, and where they are given
CLASSES = 529


class Eccv16(nn.Module):
    """`colorization_release_v2`: the mean of a distribution over 313 chroma bins.

    It has 32,236,011 parameters.

    Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016 (arXiv:1603.08511).
    """

    def __init__(self) -> None:
        super().__init__()
        self.model1 = _block((1, 64, 64), last_stride=2)
        self.model2 = _block((64, 128, 128), last_stride=2)
        self.model3 = _block((128, 256, 256, 256), last_stride=2)
        self.model4 = _block((256, 512, 512, 512))
        self.model5 = _block((512, 512, 512, 512), dilation=2)
        self.model6 = _block((512, 512, 512, 512), dilation=2)
        self.model7 = _block((512, 512, 512, 512))
        self.model8 = nn.Sequential(
            _double(512, 256),
            nn.ReLU(inplace=True),
            *_convolutions((256, 256, 256)),
            nn.Conv2d(256, CHROMA_BINS, 1),
        )
        self.model_out = nn.Conv2d(CHROMA_BINS, 2, 1, bias=False)

    def forward(self, lightness: Tensor) -> Tensor:
        """Predict chroma (N, 2, H, W) float32, CIE Lab a and b.

        `lightness` is (N, 1, H, W) float32, CIE Lab L in 0..100; H and W multiples of 8.
        """
        x = _normalize_lightness(lightness)  # (N, 1, H, W)
        x = self.model3(self.model2(self.model1(x)))  # (N, 256, H/8, W/8)
        x = self.model7(self.model6(self.model5(self.model4(x))))  # (N, 512, H/8, W/8)
        odds = self.model8(x).softmax(dim=1)  # (N, 313, H/4, W/4)
        chroma = self.model_out(odds)  # (N, 2, H/4, W/4)
        return CHROMA_SCALE * functional.interpolate(chroma, scale_factor=4.0, mode="bilinear")


class Siggraph17(nn.Module):
    """`siggraph17`: a U-shaped network that takes color hints; here it gets none.

    It has 34,187,027 parameters; `model_class`, classes of chroma for its training, only because
    the released file has them.

    Source: Zhang, Zhu, Isola et al., "Real-Time User-Guided Image Colorization with Learned Deep
    Priors", SIGGRAPH 2017 (arXiv:1705.02999).
    """

    def __init__(self) -> None:
        super().__init__()
        self.model1 = _block((1 + HINT_CHANNELS, 64, 64))
        self.model2 = _block((64, 128, 128))
        self.model3 = _block((128, 256, 256, 256))
        self.model4 = _block((256, 512, 512, 512))
        self.model5 = _block((512, 512, 512, 512), dilation=2)
        self.model6 = _block((512, 512, 512, 512), dilation=2)
        self.model7 = _block((512, 512, 512, 512))
        self.model8up = nn.Sequential(_double(512, 256))
        self.model3short8 = _shortcut(256, 256)
        self.model8 = nn.Sequential(nn.ReLU(inplace=True), *_block((256, 256, 256)))
        self.model9up = nn.Sequential(_double(256, 128))
        self.model2short9 = _shortcut(128, 128)
        self.model9 = nn.Sequential(nn.ReLU(inplace=True), *_block((128, 128)))
        self.model10up = nn.Sequential(_double(128, 128))
        self.model1short10 = _shortcut(64, 128)
        self.model10 = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 128, 3, padding=1),
            nn.LeakyReLU(negative_slope=0.2),
        )
        self.model_class = nn.Sequential(nn.Conv2d(256, CLASSES, 1))
        self.model_out = nn.Sequential(nn.Conv2d(128, 2, 1), nn.Tanh())

    def forward(self, lightness: Tensor) -> Tensor:
        """Predict chroma without hints, as `Eccv16`; it is within -110..110."""
        no_hints = (0, 0, 0, 0, 0, HINT_CHANNELS)
        x = functional.pad(_normalize_lightness(lightness), no_hints)  # (N, 4, H, W)
        full = self.model1(x)  # (N, 64, H, W)
        half = self.model2(_halve(full))  # (N, 128, H/2, W/2)
        quarter = self.model3(_halve(half))  # (N, 256, H/4, W/4)
        x = self.model5(self.model4(_halve(quarter)))  # (N, 512, H/8, W/8)
        x = self.model7(self.model6(x))
        x = self.model8(self.model8up(x) + self.model3short8(quarter))  # (N, 256, H/4, W/4)
        x = self.model9(self.model9up(x) + self.model2short9(half))  # (N, 128, H/2, W/2)
        x = self.model10(self.model10up(x) + self.model1short10(full))  # (N, 128, H, W)
        chroma: Tensor = self.model_out(x)  # (N, 2, H, W)
        return CHROMA_SCALE * chroma


def _normalize_lightness(lightness: Tensor) -> Tensor:
    """CIE Lab lightness, 0..100, as the networks see it: -0.5..0.5."""
    return (lightness - LIGHTNESS_CENTER) / LIGHTNESS_SCALE


def _block(channels: Sequence[int], *, last_stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """`_convolutions`, and one batch normalization at the end."""
    layers = _convolutions(channels, last_stride=last_stride, dilation=dilation)
    return nn.Sequential(*layers, nn.BatchNorm2d(channels[-1]))


def _convolutions(
    channels: Sequence[int], *, last_stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    """3x3 convolutions, each with a ReLU; channels (64, 128, 128) make two."""
    layers: list[nn.Module] = []
    for index, (inside, outside) in enumerate(pairwise(channels), start=2):
        stride = last_stride if index == len(channels) else 1
        layers += [
            nn.Conv2d(inside, outside, 3, stride, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
        ]
    return layers


def _double(inside: int, outside: int) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles height and width."""
    return nn.ConvTranspose2d(inside, outside, kernel_size=4, stride=2, padding=1)


def _shortcut(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1))


def _halve(x: Tensor) -> Tensor:
    return x[:, :, ::2, ::2]
