from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import torch
from huggingface_hub import constants
from torch import nn

from ensemble.arrays import luma
from ensemble.errors import ConfigError, WeightsError
from ensemble.manifest import digest_file
from ensemble.networks import encoder_weights
from ensemble.networks.encoder_weights import timm_release
from ensemble.networks.gray_encoder import GrayEncoder
from tests.networks.test_encoder_weights import put_in_cache

timm = encoder_weights.timm  # importable only after `ensemble.networks`
GRAY = luma(skimage.data.astronaut())[:300, :400]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def published(cache: Path, name: str) -> nn.Module:
    """Have random weights in the cache as if they were the published ones; their network."""
    torch.manual_seed(3)
    net = timm.create_model(name).eval()
    put_in_cache(cache, timm_release(name), net.state_dict())
    return net


def test_a_gray_is_described_by_the_means_of_each_level_and_the_answer(cache: Path) -> None:
    net = published(cache, "resnet10t")
    levels = timm.create_model("resnet10t", features_only=True).eval()
    levels.load_state_dict(net.state_dict(), strict=False)
    square = cv2.resize(GRAY, (256, 256), interpolation=cv2.INTER_AREA)
    mean, std = net.pretrained_cfg["mean"], net.pretrained_cfg["std"]
    planes = [(square / 255 - np.mean(mean)) / np.mean(std)] * 3
    shown = torch.from_numpy(np.stack(planes)[None].astype(np.float32))
    with torch.no_grad():
        pooled = [level.mean((2, 3))[0].numpy() for level in levels(shown)]
        answer = net(shown)[0].numpy()
        read = net.global_pool(net.forward_features(shown))[0].numpy()
    found = GrayEncoder("resnet10t").describe(GRAY)
    assert len(found) == len(pooled) + 2
    for kind, due in zip(found, [*pooled, read, answer], strict=True):
        assert kind.dtype == np.float64
        assert kind == pytest.approx(due, rel=1e-3, abs=1e-4)
    assert max(np.abs(kind).max() for kind in found) > 0.1


def test_it_is_known_by_its_weights(cache: Path) -> None:
    published(cache, "resnet10t")
    encoder = GrayEncoder("resnet10t")
    [file] = cache.rglob("model.safetensors")
    assert (encoder.name, encoder.digest) == ("resnet10t", digest_file(file))


def test_a_network_of_one_size_is_shown_that_size(cache: Path) -> None:
    published(cache, "deit_tiny_patch16_224")
    found = GrayEncoder("deit_tiny_patch16_224").describe(GRAY)
    assert [len(kind) for kind in found] == [192] * 13 + [1000]


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="`prior_encoder` must be .* 'nobody' is not: timm has no network"
    ):
        GrayEncoder("nobody")


def test_without_weights_it_is_refused() -> None:
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set"):
        GrayEncoder("resnet10t")


def test_a_network_that_tells_no_levels_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(cache, "resnet10t")
    mute = nn.Identity()
    mute.pretrained_cfg = {"mean": (0.5,), "std": (0.5,)}
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: mute)
    with pytest.raises(ConfigError, match="`prior_encoder` must be .* 'resnet10t' is not"):
        GrayEncoder("resnet10t").describe(GRAY)
