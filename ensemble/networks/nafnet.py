"""A restorer with a path at full resolution throughout and no activation functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class NafNet(nn.Module):
    """A U-shaped network of gated blocks without activations; 1.2 M parameters by default.

    Each level halves the resolution and doubles the channels; the decoder adds what the encoder had
    at the same resolution, the first level at that of the input. It starts with the answer 0, so
    that a residual starts from the prefill. `width` are the channels at full resolution; the
    decoder's blocks are given lowest resolution first; height and width must be multiples of
    `stride`.

    Source: Chen, Chu, Zhang, Sun, "Simple Baselines for Image Restoration", ECCV 2022
    (arXiv:2204.04676), section 4; the residual is left to `PictureNetwork`.

    Raises:
        ValueError: The decoder has another number of levels than the encoder.
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        *,
        width: int = 24,
        encoder_blocks: Sequence[int] = (2, 2, 4),
        middle_blocks: int = 2,
        decoder_blocks: Sequence[int] = (2, 2, 2),
    ) -> None:
        super().__init__()
        if len(encoder_blocks) != len(decoder_blocks):
            raise ValueError(
                f"`decoder_blocks` must have as many levels as `encoder_blocks`, but they are "
                f"{tuple(decoder_blocks)} and {tuple(encoder_blocks)}"
            )
        widths = [width << level for level in range(len(encoder_blocks))]
        deepest = width << len(widths)
        self.stride = 1 << len(widths)
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.encoder = nn.ModuleList(map(_blocks, widths, encoder_blocks))
        self.down = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths)
        self.middle = _blocks(deepest, middle_blocks)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * c, 4 * c, 1, bias=False), nn.PixelShuffle(2))
            for c in reversed(widths)
        )
        self.decoder = nn.ModuleList(map(_blocks, reversed(widths), decoder_blocks))
        self.last = nn.Conv2d(width, classes, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Predict (N, classes, H, W) from (N, in_channels, H, W) float32."""
        x = self.first(x)  # (N, width, H, W)
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            skips.append(blocks(x))
            x = down(skips[-1])
        x = self.middle(x)  # (N, width * stride, H / stride, W / stride)
        for up, blocks in zip(self.up, self.decoder, strict=True):
            x = blocks(up(x) + skips.pop())
        y: Tensor = self.last(x)
        return y


class _Block(nn.Module):
    """Depthwise convolution and attention, then a pointwise network; each added to its input.

    Both sums start as the input alone: their factors begin at zero.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        c = channels
        self.norm_1, self.norm_2 = _ChannelNorm(c), _ChannelNorm(c)
        self.spread = nn.Conv2d(c, 2 * c, 1)
        self.depthwise = nn.Conv2d(2 * c, 2 * c, 3, padding=1, groups=2 * c)
        self.attention = nn.Conv2d(c, c, 1)
        self.project = nn.Conv2d(c, c, 1)
        self.widen, self.narrow = nn.Conv2d(c, 2 * c, 1), nn.Conv2d(c, c, 1)
        self.factor_1 = nn.Parameter(torch.zeros(c, 1, 1))
        self.factor_2 = nn.Parameter(torch.zeros(c, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = _gate(self.depthwise(self.spread(self.norm_1(x))))  # (N, C, H, W)
        y = y * self.attention(y.mean((2, 3), keepdim=True))
        x = x + self.factor_1 * self.project(y)
        return x + self.factor_2 * self.narrow(_gate(self.widen(self.norm_2(x))))


class _ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels of each pixel, (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        normal = functional.layer_norm(
            last, self.normalized_shape, self.weight, self.bias, self.eps
        )
        return normal.permute(0, 3, 1, 2)


def _gate(x: Tensor) -> Tensor:
    """One half of the channels times the other."""
    first, second = x.chunk(2, dim=1)
    return first * second


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(count)))
