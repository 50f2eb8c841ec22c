from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ensemble.errors import ConfigError
from ensemble.members import MEMBERS
from ensemble.networks.build import HistogramNetwork, build
from ensemble.networks.catalogue import check_member

MEMBER = MEMBERS["colorization"]["histogram-resnet18"]
LIGHT = replace(MEMBER, encoder="resnet10t")


def test_rows_are_histograms() -> None:
    network = build(LIGHT, encoder_weights="none").eval()
    assert isinstance(network, HistogramNetwork)
    with torch.inference_mode():
        y = network(torch.randn(2, 1, 50, 75))
    assert y.shape == (2, 180)
    assert y.dtype == torch.float32
    assert (y >= 0).all()
    torch.testing.assert_close(y.sum(1), torch.ones(2))
    assert not torch.allclose(y[0], y[1])


def test_a_loss_on_one_bin_reaches_the_first_convolution() -> None:
    network = build(LIGHT, encoder_weights="none")
    network(torch.randn(2, 1, 64, 64))[:, 7].sum().backward()
    first = next(network.parameters())
    assert first.grad is not None
    assert first.grad.any()


def test_the_registrys_own_networks_are_built() -> None:
    for name in ("histogram-resnet18", "histogram-efficientnet-b0"):
        network = build(MEMBERS["colorization"][name], encoder_weights="none")
        assert network.net.get_classifier().out_features == 180  # type: ignore[operator,union-attr]


def test_wrong_members() -> None:
    with pytest.raises(ConfigError, match=r"no timm encoder .*nearest first: `resnet18`"):
        build(replace(MEMBER, encoder="resnet_18"), encoder_weights="none")
    with pytest.raises(
        ConfigError, match=r"cannot be built: histogram with resnet18.*'drop_roete'"
    ):
        build(replace(MEMBER, options=(("drop_roete", 1),)), encoder_weights="none")


@pytest.mark.parametrize("option", ["checkpoint_path", "pretrained", "pretrained_cfg_overlay"])
def test_weights_of_ones_own_are_no_option(option: str) -> None:
    member = replace(LIGHT, options=((option, "evil.pth"),))
    with pytest.raises(ConfigError, match=f"option `{option}` .*unseen by any manifest"):
        build(member, encoder_weights="none")
    with pytest.raises(ConfigError, match=option):
        check_member(member)


def test_a_network_that_gives_features_is_refused() -> None:
    wrong = replace(MEMBER, name="mine", options=(("features_only", True),))
    with pytest.raises(ConfigError, match="member `mine` must answer with 180 numbers, but timm's"):
        build(wrong, encoder_weights="none")
