from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from ensemble.networks.colorizers.networks import Eccv16

# block: (place of each convolution, channels, place of the batch normalization)
BLOCKS = {
    "model1": ((0, 2), (1, 64, 64), 4),
    "model2": ((0, 2), (64, 128, 128), 4),
    "model3": ((0, 2, 4), (128, 256, 256, 256), 6),
    "model4": ((0, 2, 4), (256, 512, 512, 512), 6),
    "model5": ((0, 2, 4), (512, 512, 512, 512), 6),
    "model6": ((0, 2, 4), (512, 512, 512, 512), 6),
    "model7": ((0, 2, 4), (512, 512, 512, 512), 6),
}
BN = ("weight", "bias", "running_mean", "running_var")


def released_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (places, channels, last) in BLOCKS.items():
        for place, inside, outside in zip(places, channels, channels[1:], strict=False):
            shapes[f"{name}.{place}.weight"] = (outside, inside, 3, 3)
            shapes[f"{name}.{place}.bias"] = (outside,)
        shapes |= {f"{name}.{last}.{key}": (channels[-1],) for key in BN}
        shapes[f"{name}.{last}.num_batches_tracked"] = ()
    shapes |= {"model8.0.weight": (512, 256, 4, 4), "model8.0.bias": (256,)}
    shapes |= {"model8.2.weight": (256, 256, 3, 3), "model8.2.bias": (256,)}
    shapes |= {"model8.4.weight": (256, 256, 3, 3), "model8.4.bias": (256,)}
    shapes |= {"model8.6.weight": (313, 256, 1, 1), "model8.6.bias": (313,)}
    return shapes | {"model_out.weight": (2, 313, 1, 1)}


def test_keys_shapes_and_count_are_the_released_files() -> None:
    with torch.device("meta"):
        network = Eccv16()
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == released_shapes()
    assert sum(parameter.numel() for parameter in network.parameters()) == 32_236_011


def test_forward_is_the_published_network(
    unlike_its_start: Callable[[nn.Module], nn.Module],
    conv: Callable[..., torch.Tensor],
    norm: Callable[..., torch.Tensor],
) -> None:
    network = unlike_its_start(Eccv16())
    state = {
        key: value * (300 if key == "model_out.weight" else 1)
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(state)
    lightness = torch.rand(2, 1, 24, 32) * 100

    x = lightness / 100 - 0.5
    for name, (places, _, last) in BLOCKS.items():
        for place in places:
            ends = place == places[-1] and name in ("model1", "model2", "model3")
            dilation = 2 if name in ("model5", "model6") else 1
            x = conv(x, state, f"{name}.{place}", 2 if ends else 1, dilation).clamp(min=0)
        x = norm(x, state, f"{name}.{last}")
    assert x.shape == (2, 512, 3, 4)
    x = functional.conv_transpose2d(x, state["model8.0.weight"], state["model8.0.bias"], 2, 1)
    x = conv(x.clamp(min=0), state, "model8.2").clamp(min=0)
    x = conv(x, state, "model8.4").clamp(min=0)
    x = functional.conv2d(x, state["model8.6.weight"], state["model8.6.bias"])
    odds = x.exp() / x.exp().sum(1, keepdim=True)
    chroma = torch.einsum("ob,nbhw->nohw", state["model_out.weight"][:, :, 0, 0], odds)
    expected = functional.interpolate(chroma, (24, 32), mode="bilinear", align_corners=False) * 110

    with torch.inference_mode():
        actual = network(lightness)
    assert actual.shape == (2, 2, 24, 32)
    assert expected.std() > 0.1
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-3)
