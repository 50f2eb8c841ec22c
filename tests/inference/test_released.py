from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ensemble.inference.fixed import ReleasedColorizer
from ensemble.inference.predictor import Shown
from ensemble.members import MEMBERS
from ensemble.networks.colorizers import released


class RedOnTheLeft(nn.Module):
    """Chroma that depends on the place alone, as no equivariant network's would."""

    def __init__(self) -> None:
        super().__init__()
        self.amount = nn.Parameter(torch.tensor(60.0))

    def forward(self, lightness: torch.Tensor) -> torch.Tensor:
        chroma = torch.zeros(1, 2, *lightness.shape[2:])
        chroma[:, 0, :, : lightness.shape[3] // 2] = self.amount
        return chroma


def test_each_view_is_colored_by_itself_and_flipped_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        released, "load_released", lambda name: asked.append(name) or RedOnTheLeft()
    )
    predictor = ReleasedColorizer(MEMBERS["colorization"]["siggraph17"])
    assert asked == ["siggraph17"]
    grays = np.full((2, 20, 30), 128, dtype=np.uint8)
    pictures = predictor.predict(Shown(grays, np.zeros_like(grays, dtype=np.bool_)))
    assert {view: array.shape for view, array in pictures.items()} == dict.fromkeys(
        ("identity", "hflip", "vflip", "hvflip"), (2, 20, 30, 3)
    )
    for view, array in pictures.items():
        redness = array[..., 0].astype(int) - array[..., 1]
        left, right = redness[:, :, :12].min(), redness[:, :, 18:].min()
        assert (left > 20) == (view in ("identity", "vflip")), view
        assert (right > 20) == (view in ("hflip", "hvflip")), view
