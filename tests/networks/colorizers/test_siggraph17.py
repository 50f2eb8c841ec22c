from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from ensemble.networks.colorizers.networks import Siggraph17

# block: (place of each convolution, channels, place of the batch normalization)
BLOCKS = {
    "model1": ((0, 2), (4, 64, 64), 4),
    "model2": ((0, 2), (64, 128, 128), 4),
    "model3": ((0, 2, 4), (128, 256, 256, 256), 6),
    "model4": ((0, 2, 4), (256, 512, 512, 512), 6),
    "model5": ((0, 2, 4), (512, 512, 512, 512), 6),
    "model6": ((0, 2, 4), (512, 512, 512, 512), 6),
    "model7": ((0, 2, 4), (512, 512, 512, 512), 6),
    "model8": ((1, 3), (256, 256, 256), 5),
    "model9": ((1,), (128, 128), 3),
}
PLAIN = {
    "model3short8.0": (256, 256, 3, 3),
    "model2short9.0": (128, 128, 3, 3),
    "model1short10.0": (128, 64, 3, 3),
    "model10.1": (128, 128, 3, 3),
    "model_class.0": (529, 256, 1, 1),
    "model_out.0": (2, 128, 1, 1),
}
UP = {
    "model8up.0": (512, 256, 4, 4),
    "model9up.0": (256, 128, 4, 4),
    "model10up.0": (128, 128, 4, 4),
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
    for key, shape in PLAIN.items():
        shapes |= {f"{key}.weight": shape, f"{key}.bias": shape[:1]}
    for key, shape in UP.items():
        shapes |= {f"{key}.weight": shape, f"{key}.bias": shape[1:2]}
    return shapes


def test_keys_shapes_and_count_are_the_released_files() -> None:
    with torch.device("meta"):
        network = Siggraph17()
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == released_shapes()
    assert sum(parameter.numel() for parameter in network.parameters()) == 34_187_027


def test_forward_is_the_published_network(
    unlike_its_start: Callable[[nn.Module], nn.Module],
    conv: Callable[..., torch.Tensor],
    norm: Callable[..., torch.Tensor],
) -> None:
    network = unlike_its_start(Siggraph17())
    state = network.state_dict()
    lightness = torch.rand(2, 1, 24, 32) * 100

    def block(x: torch.Tensor, name: str) -> torch.Tensor:
        places, _, last = BLOCKS[name]
        for place in places:
            dilation = 2 if name in ("model5", "model6") else 1
            x = conv(x, state, f"{name}.{place}", 1, dilation).clamp(min=0)
        return norm(x, state, f"{name}.{last}")

    def up(x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = state[f"{name}.0.weight"], state[f"{name}.0.bias"]
        return functional.conv_transpose2d(x, weight, bias, stride=2, padding=1)

    hints = torch.zeros(2, 3, 24, 32)
    one = block(torch.cat([(lightness - 50) / 100, hints], 1), "model1")
    two = block(one[..., ::2, ::2], "model2")
    three = block(two[..., ::2, ::2], "model3")
    x = three[..., ::2, ::2]
    for name in ("model4", "model5", "model6", "model7"):
        x = block(x, name)
    assert x.shape == (2, 512, 3, 4)
    x = up(x, "model8up") + conv(three, state, "model3short8.0")
    x = block(x.clamp(min=0), "model8")
    x = up(x, "model9up") + conv(two, state, "model2short9.0")
    x = block(x.clamp(min=0), "model9")
    x = up(x, "model10up") + conv(one, state, "model1short10.0")
    x = conv(x.clamp(min=0), state, "model10.1")
    x = torch.maximum(x, 0.2 * x)
    expected = 110 * torch.tanh(
        functional.conv2d(x, state["model_out.0.weight"], state["model_out.0.bias"])
    )

    with torch.inference_mode():
        actual = network(lightness)
    assert actual.shape == (2, 2, 24, 32)
    assert 1 < expected.std() < 109
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-3)
