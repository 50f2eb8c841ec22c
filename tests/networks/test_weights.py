from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ensemble.errors import WeightsError
from ensemble.networks.weights import load_weights, save_weights


def network(width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Conv2d(width, 1, 1))


def test_round_trip(tmp_path: Path) -> None:
    source, target = network(), network()
    source(torch.randn(2, 1, 8, 8))  # moves the running statistics and the counter
    save_weights(tmp_path / "new" / "weights.safetensors", source)
    load_weights(tmp_path / "new" / "weights.safetensors", target)
    for key, value in source.state_dict().items():
        assert torch.equal(value, target.state_dict()[key]), key
        assert value.dtype == target.state_dict()[key].dtype


def test_half_a_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, network())
    before = path.read_bytes()

    def interrupted(_state: object, temporary: Path, **_: object) -> None:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("ensemble.networks.weights.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_weights(path, network())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_keys_are_named_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.ReLU(), nn.Conv2d(3, 1, 1)))
    target = network()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_weights(path, target)
    assert "holds the weights of another network than Sequential" in str(caught.value)
    assert "missing: `0.bias`, `1.bias`, `1.num_batches_tracked`" in str(caught.value)
    assert "and 1 more" in str(caught.value)
    for key, value in before.items():
        assert torch.equal(value, target.state_dict()[key])


def test_other_shapes_are_named(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", network(width=4))
    with pytest.raises(WeightsError, match=r"keys of another shape: `0.bias`, `0.weight`"):
        load_weights(tmp_path / "w.safetensors", network(width=3))


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(WeightsError, match="is not there"):
        load_weights(path, network())
    save_weights(path, network())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WeightsError, match="is no whole safetensors file"):
        load_weights(path, network())
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError, match="is no whole safetensors file"):
        load_weights(path, network())
