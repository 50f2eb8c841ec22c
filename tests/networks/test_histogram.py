from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ensemble.errors import ConfigError
from ensemble.members import MEMBERS
from ensemble.networks.build import HistogramNetwork, build
from ensemble.networks.catalogue import SECTORS, check_member

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


def test_sectors_are_spread_as_the_training_photographs_were() -> None:
    rng = np.random.default_rng(0)
    seen = rng.random((5, 180)) ** 8
    seen[:, 31:40] = 0  # the fourth of 18 sectors, bins 30 to 39, but for its first bin
    seen[:, 50:60] = 0  # nothing in the sixth
    network = build(replace(LIGHT, options=((SECTORS, 18),)), encoder_weights="none").eval()
    assert isinstance(network, HistogramNetwork)
    network.learn_shapes(torch.from_numpy(seen).float())
    x = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        y, shares = network(x).double().numpy(), network.net(x).softmax(1).double().numpy()
    assert shares.shape == (2, 19)
    mean = seen.mean(0)
    for k in range(18):
        bins = slice(max(1, 10 * k), 10 * k + 10)
        shape = mean[bins] / mean[bins].sum() if k != 5 else np.full(10, 0.1)
        np.testing.assert_allclose(y[:, bins], shares[:, k + 1 : k + 2] * shape, rtol=1e-4)
    np.testing.assert_allclose(y[:, 0], shares[:, 0], rtol=1e-5)


def test_sectors_are_a_part_of_the_weights() -> None:
    with_sectors = build(replace(LIGHT, options=((SECTORS, 6),)), encoder_weights="none")
    assert with_sectors.state_dict()["shapes"].shape == (7, 180)
    assert "shapes" not in build(LIGHT, encoder_weights="none").state_dict()


@pytest.mark.parametrize("sectors", [180, -1, 1.5, True, "18"])
def test_the_number_of_sectors_is_checked(sectors: object) -> None:
    member = replace(LIGHT, name="mine", options=((SECTORS, sectors),))
    message = r"`sectors` \(of member `mine`\) must be a whole number from 0 to 179, but is"
    with pytest.raises(ConfigError, match=message):
        check_member(member)


def test_the_registrys_own_networks_are_built() -> None:
    for name in ("histogram-resnet18", "histogram-efficientnet-b0"):
        network = build(MEMBERS["colorization"][name], encoder_weights="none")
        assert network.net.get_classifier().out_features == 180  # type: ignore[operator,union-attr]


def test_wrong_members() -> None:
    with pytest.raises(ConfigError, match=r"no timm encoder .*nearest first: `resnet18`"):
        build(replace(MEMBER, encoder="resnet_18"), encoder_weights="none")
    with pytest.raises(ConfigError, match=r"cannot be built: timm's resnet18 .*'drop_roete'"):
        build(replace(MEMBER, options=(("drop_roete", 1),)), encoder_weights="none")


@pytest.mark.parametrize("option", ["checkpoint_path", "pretrained", "pretrained_cfg_overlay"])
def test_weights_of_ones_own_are_no_option(option: str) -> None:
    member = replace(LIGHT, options=((option, "evil.pth"),))
    with pytest.raises(ConfigError, match=f"option `{option}` .*unseen by any manifest"):
        build(member, encoder_weights="none")
    with pytest.raises(ConfigError, match=option):
        check_member(member)
