from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from ensemble.errors import ConfigError
from ensemble.members import MEMBERS, Member
from ensemble.networks.build import PictureNetwork, build
from ensemble.networks.catalogue import FULL_RESOLUTION
from ensemble.vocabulary import FILLS

SIX = {
    "restoration": ["unet-efficientnet-b0", "unet-mobilenet-v2", "manet-efficientnet-b1"],
    "colorization": ["unet-efficientnet-b1", "deeplabv3-efficientnet-b2", "fpn-resnet50"],
}
PARAMETERS = {  # counted from smp's own models with one channel in
    "deeplabv3-efficientnet-b2": 11_235_525,
    "fpn-resnet50": 26_110_019,
}
TRAINED = [
    member
    for members in MEMBERS.values()
    for member in members.values()
    if member.kind == "trained" and member.output != "histogram"
]
SMALL = MEMBERS["restoration"]["unet-mobilenet-v2"]


def identity(member: Member) -> str:
    return f"{member.stage}-{member.name}"


@pytest.mark.parametrize("member", TRAINED, ids=identity)
def test_every_network_takes_any_size(member: Member) -> None:
    network = build(member, encoder_weights="none").eval()
    assert network.stride == (8 if member.arch in ("deeplabv3", "nafnet", "plain-unet") else 32)
    with torch.inference_mode():
        y = network(torch.randn(1, 1, 50, 75))
    assert y.shape == (1, member.out_channels, 50, 75)
    if member.name in PARAMETERS:
        assert sum(p.numel() for p in network.parameters()) == PARAMETERS[member.name]


class Still(nn.Module):
    """Stands for a network of smp that answers with one constant."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.seen = torch.empty(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = x
        return torch.full((x.shape[0], self.classes, *x.shape[2:]), 0.25)


def test_restoration_learns_a_residual_to_the_first_channel() -> None:
    still = Still(1)
    x = torch.randn(2, 2, 100, 75)
    y = PictureNetwork(still, stride=32, residual=True)(x)
    assert torch.equal(y, x[:, :1] + 0.25)
    assert still.seen.shape == (2, 2, 128, 96)


def test_colorization_learns_the_picture_itself() -> None:
    y = PictureNetwork(Still(3), stride=32, residual=False)(torch.randn(2, 1, 33, 64))
    assert y.shape == (2, 3, 33, 64)
    assert (y == 0.25).all()


def test_stages_differ_in_the_residual() -> None:
    for stage, residual in (("restoration", True), ("colorization", False)):
        network = build(replace(SMALL, stage=stage), encoder_weights="none")
        assert isinstance(network, PictureNetwork)
        assert network.residual is residual


def test_the_mask_is_a_second_input_channel() -> None:
    network = build(replace(SMALL, input_mode="prefilled+mask"), encoder_weights="none").eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 2, 64, 64)).shape == (1, 1, 64, 64)


def test_the_distance_is_a_third_input_channel() -> None:
    member = replace(SMALL, input_mode="prefilled+mask+distance")
    network = build(member, encoder_weights="none").eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 3, 64, 64)).shape == (1, 1, 64, 64)


def test_a_network_that_mixes_fills_is_shown_them_all() -> None:
    member = replace(SMALL, input_mode="fills+mask+distance")
    network = build(member, encoder_weights="none").eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 2 + len(FILLS), 50, 64)).shape == (1, 1, 50, 64)


@pytest.mark.parametrize("arch", ["unet", "manet", "fpn", "unetplusplus", "deeplabv3", "linknet"])
def test_every_architecture_takes_a_path_at_full_resolution(arch: str) -> None:
    options = ((FULL_RESOLUTION, True),)
    member = Member("m", "restoration", "trained", arch, "resnet18", options, "prefilled+mask")
    network = build(member, encoder_weights="none").eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 2, 50, 75)).shape == (1, 1, 50, 75)


@pytest.mark.parametrize(
    "member",
    [
        MEMBERS["restoration"]["nafnet"],
        MEMBERS["restoration"]["plain-unet"],
        replace(SMALL, options=((FULL_RESOLUTION, True),)),
    ],
    ids=identity,
)
def test_networks_at_full_resolution_start_from_the_prefill(member: Member) -> None:
    network = build(member, encoder_weights="none")
    x = torch.randn(2, 1, 40, 56)
    y = network(x)
    assert torch.equal(y, x)
    y.square().sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_without_the_path_a_network_is_what_it_was() -> None:
    plain = build(SMALL, encoder_weights="none").state_dict()
    off = build(replace(SMALL, options=((FULL_RESOLUTION, False),)), encoder_weights="none")
    assert {k: v.shape for k, v in off.state_dict().items()} == {
        k: v.shape for k, v in plain.items()
    }


def test_the_path_must_be_true_or_false() -> None:
    wrong = replace(SMALL, name="mine", options=((FULL_RESOLUTION, 64),))
    message = r"`full_resolution` \(of member `mine`\) must be true or false, but is 64"
    with pytest.raises(ConfigError, match=message):
        build(wrong, encoder_weights="none")


def test_a_network_of_ours_has_no_encoder_and_options_of_its_own() -> None:
    member = MEMBERS["restoration"]["nafnet"]
    with pytest.raises(ConfigError, match="nafnet .*has no encoder, but `encoder` is `resnet18`"):
        build(replace(member, encoder="resnet18"), encoder_weights="none")
    with pytest.raises(ConfigError, match=r"`widht` is no option of nafnet .*first: `width`"):
        build(replace(member, options=(("widht", 16),)), encoder_weights="none")
    with pytest.raises(ConfigError, match="`full_resolution` is no option of nafnet"):
        build(replace(member, options=((FULL_RESOLUTION, True),)), encoder_weights="none")
    with pytest.raises(ConfigError, match=r"`nafnet` cannot be built.*as many levels .*\(2,\)"):
        build(replace(member, options=(("decoder_blocks", (2,)),)), encoder_weights="none")
    small = build(replace(member, options=(("width", 8),)), encoder_weights="none")
    assert small.net.first.out_channels == 8  # type: ignore[union-attr]


def test_scse_adds_attention_to_the_decoder() -> None:
    plain, scse = (
        build(MEMBERS["restoration"][name], encoder_weights="none")
        for name in ("unet-mobilenet-v2", "unet-mobilenet-v2-scse")
    )
    added = set(scse.state_dict()) - set(plain.state_dict())
    assert added
    assert all("decoder" in key and "attention" in key for key in added)


def test_a_multiple_of_the_stride_is_not_padded() -> None:
    network = build(SMALL, encoder_weights="none").eval()
    x = torch.randn(1, 1, 64, 96)
    with torch.inference_mode():
        assert torch.equal(network(x), network.net(x) + x)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["telea", "gray"])
def test_fixed_members_have_no_network(name: str) -> None:
    member = {**MEMBERS["restoration"], **MEMBERS["colorization"]}[name]
    with pytest.raises(ConfigError, match=f"only trained members .* but `{name}` is fixed"):
        build(member, encoder_weights="none")


def test_an_unknown_option_is_refused_though_smp_would_pass_over_it() -> None:
    wrong = replace(SMALL, name="mine", options=(("attention_type", "scse"),))
    message = (
        r"`attention_type` is no option of unet \(of member `mine`\); .*`decoder_attention_type`"
    )
    with pytest.raises(ConfigError, match=message):
        build(wrong, encoder_weights="none")


@pytest.mark.parametrize("option", ["classes", "in_channels", "aux_params"])
@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
def test_what_the_member_decides_is_no_option(option: str, encoder: str) -> None:
    wrong = replace(SMALL, encoder=encoder, options=((option, 2),))
    with pytest.raises(ConfigError, match=f"`{option}` is no option of unet"):
        build(wrong, encoder_weights="none")


def test_an_option_of_the_wrong_value_is_the_members_fault() -> None:
    wrong = replace(SMALL, name="mine", options=(("decoder_channels", (8, 8)),))
    message = r"`mine` cannot be built: unet with mobilenet_v2.*\(8, 8\).*for 2 blocks"
    with pytest.raises(ConfigError, match=message):
        build(wrong, encoder_weights="none")


def test_options_reach_the_network() -> None:
    small = replace(
        SMALL, encoder="tu-resnet10t", options=(("decoder_channels", (16, 8, 8, 8, 4)),)
    )
    network = build(small, encoder_weights="none")
    assert network.net.segmentation_head[0].in_channels == 4  # type: ignore[union-attr,index]


@pytest.mark.parametrize("option", ["checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"])
def test_weights_of_ones_own_are_no_option_of_a_timm_encoder(option: str) -> None:
    options = ((option, "evil.pth"),)
    member = Member("m", "restoration", "trained", "unet", "tu-test_efficientnet", options)
    with pytest.raises(ConfigError, match=f"option `{option}` .*unseen by any manifest"):
        build(member, encoder_weights="none")
