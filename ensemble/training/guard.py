"""Stops a training whose numbers are no numbers any more, before anything is overwritten."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ensemble.errors import TrainingError
from ensemble.training.progress import Position


class FiniteGuard:
    """Remembers, on the device, whether a loss was not finite; asks only now and then.

    Asking means waiting for the device, so it is done before each validation and before each
    checkpoint: nothing that is not finite is ever validated or written.
    """

    def __init__(self) -> None:
        self._finite: Tensor | None = None

    def watch(self, loss: Tensor) -> None:
        """Take note of a loss."""
        finite = torch.isfinite(loss.detach())
        self._finite = finite if self._finite is None else self._finite & finite

    def check(self, network: nn.Module, position: Position) -> None:
        """Ask.

        Raises:
            TrainingError: A loss since the last question, or a weight, is not finite.
        """
        loss_finite = self._finite is None or bool(self._finite)
        self._finite = None
        if loss_finite and bool(_all_finite(network)):
            return
        what = "the weights" if loss_finite else "the loss"
        raise TrainingError(
            f"{what} must be finite, but became NaN or infinite by batch {position.batch} of epoch "
            f"{position.epoch + 1}; the last checkpoint is from before that and intact; lower "
            '`learning_rate`, set `clip_norm = 1.0`, or set `precision = "float32"` under '
            "[training], then train again with --restart"
        )


def _all_finite(network: nn.Module) -> Tensor:
    values = [value for value in network.state_dict().values() if value.is_floating_point()]
    return torch.isfinite(torch.stack(torch._foreach_norm(values))).all()
