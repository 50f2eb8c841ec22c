"""The histogram network: the hue histogram of a photograph, guessed from its gray.

The hue term of the score sees a picture's hues only as a histogram of 180 bins, so that histogram
can be predicted by itself and the picture's hues moved to it afterwards.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from ensemble.errors import ConfigError
from ensemble.members import Member
from ensemble.networks.catalogue import check_options, check_timm_encoder
from ensemble.networks.encoder_weights import timm_arguments
from ensemble.networks.libraries import timm
from ensemble.networks.tensors import pad_to_stride


class HistogramNetwork(nn.Module):
    """A classifier of timm whose classes are hue bins.

    Attributes:
        net: The network of timm, with one input channel.
        stride: 32, so that every encoder sees a size it can halve five times; `forward` pads.
    """

    def __init__(self, member: Member, *, encoder_weights: Literal["imagenet", "none"]) -> None:
        super().__init__()
        where = f"of member `{member.name}`"
        check_timm_encoder(member.encoder, where=where)
        check_options(dict(member.options), where=where)
        first_weights = timm_arguments(member.encoder, encoder_weights)
        try:
            self.net: nn.Module = timm.create_model(
                member.encoder,
                in_chans=member.in_channels,
                num_classes=member.out_channels,
                **first_weights,
                **dict(member.options),
            )
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            raise ConfigError(
                f"member `{member.name}` cannot be built: timm's {member.encoder} with options "
                f"{dict(member.options)}: {error}; change its encoder or options"
            ) from error
        self.stride = 32

    def forward(self, x: Tensor) -> Tensor:
        """Predict hue histograms.

        Args:
            x: (N, 1, H, W) float32, normalised restored gray; any H and W.

        Returns:
            (N, 180) float32, each row non-negative with sum 1; bin b is OpenCV's uint8 hue b.
        """
        padded, _ = pad_to_stride(x, self.stride)  # (N, 1, H', W')
        logits: Tensor = self.net(padded)  # (N, 180)
        return logits.float().softmax(dim=1)
