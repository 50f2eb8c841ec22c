from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.config import Config, load_config
from ensemble.presets import preset_config

PRESETS = [
    "slides-final",
    "slides-mobilenet-scse",
    "slides-regnetx",
    "slides-b4-resnext",
    "slides-all",
    "training-free",
]


def test_every_default_is_written_and_the_next_command_said(ens, tmp_path: Path) -> None:
    said = ens(tmp_path, "init")
    path = tmp_path / "ens.toml"
    assert said.status == 0
    assert said.out.splitlines() == [
        f"wrote {path}",
        f"next: put the competition's files in {tmp_path}/data, then: ens --root {tmp_path} folds",
    ]
    assert load_config(path) == Config()
    assert "epochs = 40" in path.read_text()


def test_with_data_the_folds_are_next_and_then_whatever_status_says(ens, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert ens(tmp_path, "init").out.endswith(f"next: ens --root {tmp_path} folds\n")
    (tmp_path / "folds.csv").touch()
    assert ens(tmp_path, "init", "--force").out.endswith(f"next: ens --root {tmp_path} status\n")


def test_settings_are_replaced_only_by_force(ens, tmp_path: Path) -> None:
    path = tmp_path / "ens.toml"
    path.write_text("seed = 3\n")
    said = ens(tmp_path, "init")
    assert said.status == 2
    assert f"`{path}` is there already; edit it, or give --force to replace it" in said.err
    assert path.read_text() == "seed = 3\n"
    assert ens(tmp_path, "init", "--force").status == 0
    assert load_config(path) == Config()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_written_whole_with_its_comments(ens, tmp_path: Path, name: str) -> None:
    assert ens(tmp_path, "init", "--preset", name).status == 0
    path = tmp_path / "ens.toml"
    assert load_config(path) == preset_config(name)
    heading = path.read_text().split("\n\n")[0].splitlines()
    assert all(line.startswith("# ") and len(line) > 4 for line in heading)


def test_an_unknown_preset_is_told_the_valid_ones(ens, tmp_path: Path) -> None:
    said = ens(tmp_path, "init", "--preset", "slides")
    assert said.status == 2
    assert all(name in said.err for name in PRESETS)
    assert not (tmp_path / "ens.toml").exists()
