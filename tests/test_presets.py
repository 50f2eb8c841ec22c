"""Each preset runs from data to zip: random weights, tiny photographs, one update a network."""

from __future__ import annotations

import json

import pytest
import torch
from huggingface_hub import constants

from ensemble.config import load_config
from ensemble.config_text import config_text
from ensemble.networks import encoder_weights
from ensemble.networks.colorizers import lab, released
from ensemble.networks.colorizers.released import RELEASES
from ensemble.networks.encoder_weights import timm_release
from ensemble.presets import preset_config, preset_names
from tests.networks.test_encoder_weights import put_in_cache

SIZE = 32


@pytest.fixture
def random_releases(monkeypatch):
    """The released colorizers with random weights, and a smaller picture inside."""

    def load(name: str) -> torch.nn.Module:
        torch.manual_seed(0)
        return RELEASES[name].network().eval()

    monkeypatch.setattr(released, "load_released", load)
    monkeypatch.setattr(lab, "INSIDE", (SIZE, SIZE))


@pytest.fixture
def random_prior_encoder(monkeypatch, tmp_path):
    """A cache of the hub that holds random weights of the presets' prior encoder."""
    release = timm_release("tf_efficientnet_lite0")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    torch.manual_seed(0)
    network = encoder_weights.timm.create_model("tf_efficientnet_lite0")
    put_in_cache(tmp_path / "hub", release, network.state_dict())


@pytest.fixture
def run(ens, tmp_path):
    def run(command: str) -> None:
        said = ens(tmp_path, command)
        assert said.status == 0, f"{command}: {said.err}"

    return run


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_trains_blends_and_submits(
    run, name, tmp_path, random_releases, random_prior_encoder
):
    run(f"init --preset {name}")
    path = tmp_path / "ens.toml"
    quick = {"encoder_weights": "none", "epochs": 1, "batch_size": 4, "steps_per_epoch": 1}
    config = load_config(path).replace("data", size=SIZE).replace("folds", n_folds=2)
    path.write_text(config_text(config.replace("training", **quick)))
    run(f"demo --size {SIZE} --train 8 --test 1")
    run(f"folds --groups {tmp_path}/data/groups.csv")
    run("train --fold 0")
    run("blend --trials 2 --fold 0")
    run("submit")
    recipe = json.loads((tmp_path / "oof/recipe.json").read_text())
    scores = json.loads((tmp_path / "oof/scores.json").read_text())["stages"]
    wanted = preset_config(name)
    for stage in ("restoration", "colorization"):
        members = set(getattr(wanted, stage).members)
        assert set(recipe[stage]["weights"]) <= members
        alone = {name for name in members if not name.startswith("histogram")}  # no picture
        assert alone <= {row["name"] for row in scores[stage]["rows"]} | {"plain mean"}
    assert (tmp_path / "submissions/submission.zip").is_file()
