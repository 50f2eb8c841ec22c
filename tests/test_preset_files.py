from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ensemble.config import Config, load_config
from ensemble.config_text import config_text
from ensemble.errors import ConfigError
from ensemble.members import MEMBERS, Member, resolve
from ensemble.presets import preset_config, preset_names, preset_text
from ensemble.vocabulary import STAGES

NAMES = [
    "best",
    "h200-two-hours",
    "slides-all",
    "slides-b4-resnext",
    "slides-final",
    "slides-mobilenet-scse",
    "slides-regnetx",
    "t4-night",
    "training-free",
]


def members(name: str) -> list[Member]:
    config = preset_config(name)
    return [
        member
        for stage in STAGES
        for member in resolve(stage, getattr(config, stage).members, custom=config.member)
    ]


def test_the_shipped_presets() -> None:
    assert preset_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_a_whole_ens_toml(name: str, tmp_path: Path) -> None:
    (tmp_path / "ens.toml").write_text(preset_text(name))
    config = load_config(tmp_path / "ens.toml")
    assert config == preset_config(name)
    (tmp_path / "ens.toml").write_text(config_text(config))
    assert load_config(tmp_path / "ens.toml") == config
    assert preset_text(name).startswith("# ")
    assert members(name)


def test_the_final_solution_is_the_default_but_for_the_slides_input() -> None:
    slides = preset_config("slides-final")
    assert slides == Config().replace("restoration", input_mode="damaged")
    assert slides != Config()


def test_the_slides_rounds() -> None:
    specs = {
        name: [(member.arch, member.encoder, dict(member.options)) for member in members(name)]
        for name in NAMES
    }
    scse = {"decoder_attention_type": "scse"}
    assert specs["slides-mobilenet-scse"] == [
        ("unet", "mobilenet_v2", scse),
        ("unet", "efficientnet-b0", scse),
    ]
    assert specs["slides-regnetx"] == [("unet", "tu-regnetx_008", {})] * 2
    assert specs["slides-b4-resnext"] == [
        ("unet", "efficientnet-b4", {}),
        ("unet", "resnext50_32x4d", {}),
    ]


def test_all_of_the_slides_holds_every_other_preset_of_theirs() -> None:
    every = set(members("slides-all"))
    for name in NAMES:
        if name.startswith("slides-"):
            assert set(members(name)) <= every
    released = {MEMBERS["colorization"][name] for name in ("eccv16", "siggraph17")}
    assert released <= every
    assert len(every) == 14


def test_the_training_free_preset_trains_nothing() -> None:
    assert {member.kind for member in members("training-free")} == {"fixed"}


def test_an_unknown_preset_lists_the_valid_ones_nearest_first() -> None:
    with pytest.raises(ConfigError) as caught:
        preset_text("slides_finale")
    assert str(caught.value).startswith(
        "`slides_finale` is no preset; valid, nearest first: `slides-final`, `slides-all`, "
    )
    for name in NAMES:
        assert f"`{name}`" in str(caught.value)


def test_presets_need_no_torch() -> None:
    code = (
        "import sys; from ensemble.presets import preset_config;"
        "preset_config('slides-all'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
