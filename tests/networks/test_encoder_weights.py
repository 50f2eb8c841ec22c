from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from ensemble.errors import WeightsError
from ensemble.members import Member
from ensemble.networks import encoder_weights
from ensemble.networks.build import build
from ensemble.networks.encoder_weights import Release, smp_release, timm_release

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(constants, "ENDPOINT", NOWHERE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put_in_cache(cache: Path, release: Release, state: dict[str, torch.Tensor]) -> None:
    folder = cache / ("models--" + release.repository.replace("/", "--"))
    commit = release.revision or "0" * 40
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    (snapshot / "config.json").write_text("{}")
    save_file(state, snapshot / "model.safetensors")


def member(encoder: str, arch: str = "unet") -> Member:
    return Member("mine", "colorization", "trained", arch, encoder, input_mode="restored")


@pytest.mark.parametrize(
    ("encoder", "arch"),
    [("mobilenet_v2", "unet"), ("tu-regnetx_008", "unet"), ("resnet18", "histogram")],
)
def test_offline_it_fails_quickly_with_the_remedy(encoder: str, arch: str) -> None:
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        build(member(encoder, arch), encoder_weights="imagenet")
    assert time.monotonic() - start < 4
    for part in (f"{NOWHERE} does not answer", "`--encoder-weights none`", "HF_HOME"):
        assert part in str(caught.value)


def test_the_hubs_own_offline_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(encoder_weights, "answers", lambda _: pytest.fail("was asked"))
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set"):
        build(member("mobilenet_v2"), encoder_weights="imagenet")


def test_a_failing_download_is_a_weights_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_weights, "answers", lambda _: True)

    def broken(*_: object, **__: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", broken)
    with pytest.raises(WeightsError, match="no space left"):
        build(member("mobilenet_v2"), encoder_weights="imagenet")


def test_random_encoders_ask_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_weights, "fetch", lambda _: pytest.fail("was asked"))
    build(member("mobilenet_v2"), encoder_weights="none")
    build(member("tu-resnet10t"), encoder_weights="none")


def test_cached_weights_of_smp_are_used_offline(cache: Path) -> None:
    release = smp_release("mobilenet_v2")
    source = encoder_weights.smp.encoders.get_encoder("mobilenet_v2", weights=None).state_dict()
    put_in_cache(cache, release, source)
    network = build(member("mobilenet_v2"), encoder_weights="imagenet")
    loaded = network.net.encoder.state_dict()  # type: ignore[union-attr]
    first = "features.0.0.weight"
    torch.testing.assert_close(loaded[first], source[first].sum(1, keepdim=True))
    assert torch.equal(loaded["features.17.conv.2.weight"], source["features.17.conv.2.weight"])


@pytest.mark.parametrize(
    ("encoder", "arch"), [("tu-resnet10t", "unet"), ("resnet10t", "histogram")]
)
def test_cached_weights_of_timm_are_used_offline(cache: Path, encoder: str, arch: str) -> None:
    source = encoder_weights.timm.create_model("resnet10t").state_dict()
    put_in_cache(cache, timm_release("resnet10t"), source)
    network = build(member(encoder, arch), encoder_weights="imagenet")
    deep = [
        value
        for key, value in network.state_dict().items()
        if key.endswith("layer4.0.conv2.weight")
    ]
    assert len(deep) == 1
    assert torch.equal(deep[0], source["layer4.0.conv2.weight"])
    first = next(v for k, v in network.state_dict().items() if k.endswith("conv1.0.weight"))
    torch.testing.assert_close(first, source["conv1.0.weight"].sum(1, keepdim=True))


@pytest.mark.parametrize("encoder", ["resnext101_32x48d", "dpn68b"])
def test_an_encoder_without_imagenet_weights(encoder: str) -> None:
    with pytest.raises(WeightsError, match=f"no ImageNet weights .* `{encoder}`.*none`"):
        build(member(encoder), encoder_weights="imagenet")


def test_every_registered_encoder_has_published_weights() -> None:
    from ensemble.members import MEMBERS

    for members in MEMBERS.values():
        for entry in members.values():
            if entry.output == "histogram":
                assert timm_release(entry.encoder).repository.startswith("timm/")
            elif entry.encoder.startswith("tu-"):
                assert timm_release(entry.encoder[3:]).repository.startswith("timm/")
            elif entry.encoder:
                assert smp_release(entry.encoder).repository.startswith("smp-hub/")
