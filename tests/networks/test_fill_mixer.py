from __future__ import annotations

import torch
from torch import Tensor, nn

from ensemble.networks.build import PictureNetwork
from ensemble.networks.fill_mixer import FillMixer
from ensemble.networks.tensors import with_mask


class Answers(nn.Module):
    """A network that always answers with the same."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        return self.answer.to(x).expand(len(x), -1, *x.shape[2:])


def mixed(fills: Tensor, logits: list[float], *, added: float = 0.0) -> Tensor:
    """What comes out for fills (N, K, H, W)."""
    answer = torch.tensor([*logits, added]).view(1, -1, 1, 1)
    network = PictureNetwork(FillMixer(Answers(answer)), stride=4, residual=True)
    lost = torch.ones(len(fills), *fills.shape[2:], dtype=torch.bool)
    return network(with_mask(fills, lost, lost.float()))[:, 0]


def test_the_answer_is_the_weighted_mean_of_the_fills_and_what_is_added() -> None:
    fills = torch.randn(2, 3, 6, 9, generator=torch.Generator().manual_seed(0))
    found = mixed(fills, [-3.0, 0.0, 1.0], added=0.25)  # the first has 3 more: 0, 0, 1
    e = torch.e
    due = (fills[:, 0] + fills[:, 1] + e * fills[:, 2]) / (2 + e) + 0.25
    torch.testing.assert_close(found, due)


def test_one_fill_alone_can_be_chosen() -> None:
    fills = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    for k in range(4):
        logits = [60.0 if k == one else 0.0 for one in range(4)]
        torch.testing.assert_close(mixed(fills, logits), fills[:, k])


def test_a_network_that_knows_nothing_answers_nearly_with_the_first_fill() -> None:
    fills = torch.zeros(1, 6, 4, 4)
    fills[:, 1:] = 1.0
    assert float(mixed(fills, [0.0] * 6).max()) < 0.2
