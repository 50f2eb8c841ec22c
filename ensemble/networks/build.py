"""From a member's spec to its network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import segmentation_models_pytorch as smp
import timm
from torch import Tensor, nn

from ensemble.config import Config
from ensemble.errors import ConfigError
from ensemble.members import HISTOGRAM_ARCH, Member
from ensemble.networks.catalogue import ARCHITECTURES, FULL_RESOLUTION, check_member
from ensemble.networks.encoder_weights import smp_arguments, timm_arguments
from ensemble.networks.fill_mixer import FillMixer
from ensemble.networks.full_resolution import CHANNELS, FullResolution
from ensemble.networks.tensors import pad_to_stride
from ensemble.networks.weights import load_weights
from ensemble.provenance import checked_weights

EncoderWeights = Literal["imagenet", "none"]


class PictureNetwork(nn.Module):
    """A network that takes pictures of any size, with or without a residual.

    Attributes:
        net: The network.
        stride: What it needs height and width to be multiples of; `forward` pads to it.
        residual: Whether the input's first channel is added, as restoration does: the network
            then learns only what is to change. Further channels are not added.
    """

    def __init__(self, net: nn.Module, *, stride: int, residual: bool) -> None:
        super().__init__()
        self.net = net
        self.stride = stride
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Predict.

        Args:
            x: (N, C, H, W) float32, normalized; any H and W.

        Returns:
            (N, 1 or 3, H, W), normalized.
        """
        padded, crop = pad_to_stride(x, self.stride)  # (N, C, H', W'), multiples of stride
        y: Tensor = self.net(padded)[crop]  # (N, 1 or 3, H, W)
        return y + x[:, :1] if self.residual else y


class HistogramNetwork(nn.Module):
    """A classifier of timm whose classes are hue bins: the hues of a photograph from its gray.

    The hue term of the score sees a picture's hues only as a histogram of 180 bins, so that
    histogram can be predicted by itself, and the picture's hues moved to it afterwards.

    Attributes:
        net: The network of timm, with one input channel.
        stride: 32, so that every encoder sees a size it can halve five times; `forward` pads.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.stride = 32

    def forward(self, x: Tensor) -> Tensor:
        """Predict hue histograms.

        Args:
            x: (N, 1, H, W) float32, normalized restored gray; any H and W.

        Returns:
            (N, 180) float32, each row non-negative with sum 1; bin b is OpenCV's uint8 hue b.
        """
        padded, _ = pad_to_stride(x, self.stride)  # (N, 1, H', W')
        logits: Tensor = self.net(padded)  # (N, 180)
        return logits.float().softmax(dim=1)


def build(member: Member, *, encoder_weights: EncoderWeights) -> nn.Module:
    """The network of a trained member, ready to be trained or filled.

    Args:
        member: Of kind `trained`.
        encoder_weights: `imagenet` (from the cache or downloaded) or `none` (random).

    Returns:
        A `PictureNetwork`, (N, C, H, W) to (N, 1 or 3, H, W), or for a histogram member a
        `HistogramNetwork`, (N, 1, H, W) to (N, 180). Either has `.stride`.

    Raises:
        ConfigError: The member is not trained, or cannot be built with these options.
        WeightsError: The ImageNet weights cannot be had; raised within a few seconds.
    """
    if member.kind != "trained":
        raise ConfigError(
            f"only trained members have a network to build, but `{member.name}` is {member.kind}"
        )
    check_member(member)
    if member.arch == HISTOGRAM_ARCH:
        return HistogramNetwork(_timm_network(member, encoder_weights))
    make = _own_network if member.arch in ARCHITECTURES else _smp_network
    net, stride = make(member, encoder_weights)
    if member.mixes:
        net = FillMixer(net)
    return PictureNetwork(net, stride=stride, residual=member.stage == "restoration")


def require_buildable(members: Iterable[Member], config: Config) -> None:
    """Raise what `build` would raise for one of the members; untrained ones are passed over."""
    for member in members:
        if member.kind == "trained":
            settings = config.of_member(member.stage, member.name).training
            build(member, encoder_weights=settings.encoder_weights)


def load_network(folder: Path, member: Member) -> nn.Module:
    """The trained network, in evaluation mode.

    Args:
        folder: Of a finished training.
        member: Whose training it is.

    Raises:
        MissingArtefactError: The training has not finished.
        StaleArtefactError: The weights are not those that its manifest was written for.
        WeightsError: They are of another network.
    """
    network = build(member, encoder_weights="none")
    load_weights(checked_weights(folder), network)
    return network.eval()


def _own_network(member: Member, encoder_weights: EncoderWeights) -> tuple[nn.Module, int]:
    """A network of `catalogue.ARCHITECTURES`, and its stride; it has no encoder to be filled."""
    options = dict(member.options)
    try:
        network = ARCHITECTURES[member.arch](member.in_channels, member.out_channels, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"member `{member.name}` cannot be built: {member.arch} with options {options}: "
            f"{error}; change its options"
        ) from error
    return network, int(network.stride)  # type: ignore[arg-type]


def _smp_network(member: Member, encoder_weights: EncoderWeights) -> tuple[nn.Module, int]:
    """A network of smp, with a path at full resolution if its options say so; and its stride."""
    options = dict(member.options)
    joined = bool(options.pop(FULL_RESOLUTION, False))
    first_weights = smp_arguments(member.encoder, encoder_weights)
    try:
        net: nn.Module = smp.create_model(
            member.arch,
            member.encoder,
            in_channels=member.in_channels,
            classes=CHANNELS if joined else member.out_channels,
            **first_weights,
            **options,
        )
    except (TypeError, ValueError, KeyError, AssertionError, RuntimeError) as error:
        raise ConfigError(
            f"member `{member.name}` cannot be built: {member.arch} with {member.encoder}, "
            f"{member.in_channels} input channel(s) and options {options}: {error}; "
            "change its arch, encoder or options"
        ) from error
    stride = int(net.encoder.output_stride)  # type: ignore[union-attr, arg-type]
    if joined:
        sides = {"in_channels": member.in_channels, "classes": member.out_channels}
        net = FullResolution(net, **sides)
    return net, stride


def _timm_network(member: Member, encoder_weights: EncoderWeights) -> nn.Module:
    options = dict(member.options)
    first_weights = timm_arguments(member.encoder, encoder_weights)
    try:
        network: nn.Module = timm.create_model(
            member.encoder,
            in_chans=member.in_channels,
            num_classes=member.out_channels,
            **first_weights,
            **options,
        )
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise ConfigError(
            f"member `{member.name}` cannot be built: timm's {member.encoder} with options "
            f"{options}: {error}; change its encoder or options"
        ) from error
    if getattr(network, "num_classes", None) != member.out_channels:
        raise ConfigError(
            f"member `{member.name}` must answer with {member.out_channels} numbers, but timm's "
            f"{member.encoder} with options {options} does not; leave out `features_only` and the "
            "like"
        )
    return network
