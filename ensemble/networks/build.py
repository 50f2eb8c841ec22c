"""From a member's spec to its network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import segmentation_models_pytorch as smp
import timm
from torch import Tensor, nn

from ensemble.config import Config
from ensemble.errors import ConfigError
from ensemble.members import HISTOGRAM_ARCH, Member
from ensemble.networks.catalogue import ARCHITECTURES, FULL_RESOLUTION, check_member
from ensemble.networks.encoder_weights import first_weights
from ensemble.networks.fill_mixer import FillMixer
from ensemble.networks.full_resolution import CHANNELS, FullResolution
from ensemble.networks.tensors import pad_to_stride
from ensemble.networks.weights import load_weights

EncoderWeights = Literal["imagenet", "none"]


class PictureNetwork(nn.Module):
    """A network that takes pictures of any size, padded to its stride, with or without a residual.

    With one, as restoration has it, the input's first channel is added: the network then learns
    only what is to change.
    """

    def __init__(self, net: nn.Module, *, stride: int, residual: bool) -> None:
        super().__init__()
        self.net = net
        self.stride = stride
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Predict (N, 1 or 3, H, W) from (N, C, H, W) float32, both normalized."""
        padded, crop = pad_to_stride(x, self.stride)  # (N, C, H', W'), multiples of stride
        y: Tensor = self.net(padded)[crop]  # (N, 1 or 3, H, W)
        return y + x[:, :1] if self.residual else y


class HistogramNetwork(nn.Module):
    """A classifier of timm whose classes are hue bins: the hues of a photograph from its gray.

    The hue term of the score sees a picture's hues only as a histogram of 180 bins, so that
    histogram can be predicted by itself, and the picture's hues moved to it afterwards. The stride
    lets every encoder see a size that it can halve five times.
    """

    stride = 32

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Predict hue histograms of normalized restored grays (N, 1, H, W) float32, of any size.

        Returns:
            (N, 180) float32, each row non-negative with sum 1; bin b is OpenCV's uint8 hue b.
        """
        padded, _ = pad_to_stride(x, self.stride)  # (N, 1, H', W')
        logits: Tensor = self.net(padded)  # (N, 180)
        return logits.float().softmax(dim=1)


def build(member: Member, *, encoder_weights: EncoderWeights) -> nn.Module:
    """The network of a trained member, ready to be trained or filled.

    The encoder starts from ImageNet weights, cached or downloaded, or from random ones.

    Returns:
        A `PictureNetwork`, or for a histogram member a `HistogramNetwork`; either has `.stride`.

    Raises:
        ConfigError: The member is not trained, or cannot be built with these options.
        WeightsError: The ImageNet weights cannot be had; raised within a few seconds.
    """
    if member.kind != "trained":
        raise ConfigError(
            f"only trained members have a network to build, but `{member.name}` is {member.kind}"
        )
    check_member(member)
    options = dict(member.options)
    known = {} if member.arch in ARCHITECTURES else first_weights(member, encoder_weights)
    try:
        net, stride = _make(member, {**known, **options})
    except (TypeError, ValueError, KeyError, AssertionError, RuntimeError) as error:
        kind = " with ".join(filter(None, (member.arch, member.encoder)))
        raise ConfigError(
            f"member `{member.name}` cannot be built: {kind}, {member.in_channels} input "
            f"channel(s) and options {options}: {error}; change its arch, encoder or options"
        ) from error
    if len(member.fills) > 1:
        net = FillMixer(net)
    if member.arch != HISTOGRAM_ARCH:
        return PictureNetwork(net, stride=stride, residual=member.stage == "restoration")
    if getattr(net, "num_classes", None) != member.out_channels:
        raise ConfigError(
            f"member `{member.name}` must answer with {member.out_channels} numbers, but timm's "
            f"{member.encoder} with options {options} does not; leave out `features_only` and the "
            "like"
        )
    return HistogramNetwork(net)


def _make(member: Member, options: dict[str, Any]) -> tuple[nn.Module, int]:
    """A network of our own, of timm, or of smp, this perhaps at full resolution; and its stride."""
    sides: dict[str, Any] = {"in_channels": member.in_channels, "classes": member.out_channels}
    if member.arch in ARCHITECTURES:
        net = ARCHITECTURES[member.arch](**sides, **options)
        return net, int(net.stride)  # type: ignore[arg-type]
    if member.arch == HISTOGRAM_ARCH:
        options |= {"in_chans": member.in_channels, "num_classes": member.out_channels}
        return timm.create_model(member.encoder, **options), HistogramNetwork.stride
    joined = options.pop(FULL_RESOLUTION, False)
    options |= {**sides, "classes": CHANNELS if joined else member.out_channels}
    net = smp.create_model(member.arch, member.encoder, **options)
    stride = int(net.encoder.output_stride)
    return (FullResolution(net, **sides) if joined else net), stride


def require_buildable(members: Iterable[Member], config: Config) -> None:
    """Raise what `build` would raise for one of the members; untrained ones are passed over."""
    for member in members:
        if member.kind == "trained":
            settings = config.of_member(member.stage, member.name).training
            build(member, encoder_weights=settings.encoder_weights)


def load_network(weights: Path, member: Member) -> nn.Module:
    """The network of a file of weights, in evaluation mode; WeightsError if they are of another."""
    network = build(member, encoder_weights="none")
    load_weights(weights, network)
    return network.eval()
