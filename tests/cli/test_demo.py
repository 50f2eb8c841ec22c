from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.config import Config, load_config
from ensemble.data.competition import Competition

SMALL = ("demo", "--size", 32, "--train", 6, "--test", 2)


def test_it_makes_data_and_settings_and_says_what_is_next(ens, tmp_path: Path) -> None:
    root = tmp_path / "my demo"
    said = ens(root, *SMALL)
    assert said.status == 0
    assert said.out.splitlines() == [
        f"wrote {root}/data: 6 training pairs, 2 test photographs, 32 px",
        f"wrote {root}/ens.toml",
        f"next: ens --root '{root}' folds --groups '{root}/data/groups.csv'",
    ]
    config = load_config(root / "ens.toml")
    competition = Competition.load(root / "data", size=config.data.size, seed=config.seed)
    assert len(competition.train_ids) == 6
    assert len(competition.test_ids) == 2
    assert competition.train_sample("TRAIN_00005").target.shape == (32, 32, 3)
    assert config.training.encoder_weights == "none"
    assert config.restoration == Config().restoration


def test_settings_that_are_there_stay(ens, tmp_path: Path) -> None:
    (tmp_path / "ens.toml").write_text("seed = 8\n[data]\nsize = 32\n")
    said = ens(tmp_path, *SMALL)
    assert "ens.toml" not in said.out
    assert (tmp_path / "ens.toml").read_text() == "seed = 8\n[data]\nsize = 32\n"


def test_an_earlier_set_is_replaced_only_by_force(ens, tmp_path: Path) -> None:
    ens(tmp_path, *SMALL)
    target = tmp_path / "data/train_gt/TRAIN_00000.png"
    before = target.read_bytes()
    said = ens(tmp_path, *SMALL, "--seed", 5)
    assert said.status == 2
    assert "is there already; give --force to replace an earlier demo set" in said.err
    assert target.read_bytes() == before
    assert ens(tmp_path, *SMALL, "--seed", 5, "--force").status == 0
    assert target.read_bytes() != before


def test_foreign_data_is_not_replaced_even_by_force(ens, tmp_path: Path) -> None:
    mine = tmp_path / "data/train.csv"
    mine.parent.mkdir()
    mine.write_text("mine")
    said = ens(tmp_path, *SMALL, "--force")
    assert said.status == 2
    assert "holds data that `ens demo` did not make" in said.err
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("flags", [("--size", 31), ("--train", 3), ("--test", 0), ("--seed", -1)])
def test_flags_have_their_limits(ens, tmp_path: Path, flags: tuple[object, ...]) -> None:
    assert ens(tmp_path, *SMALL, *flags).status == 2
    assert not (tmp_path / "data").exists()


def test_photographs_larger_than_the_shipped_ones_are_refused(ens, tmp_path: Path) -> None:
    said = ens(tmp_path, "demo", "--size", 2000)
    assert said.status == 2
    assert "too few for 96 training and 16 test photographs apart; choose a smaller --size" in (
        said.err
    )
    assert not (tmp_path / "data").exists()


def test_settings_of_another_size_are_told(ens, tmp_path: Path) -> None:
    told = f"next: set `size = 32` under [data] in {tmp_path}/ens.toml, then: ens --root {tmp_path}"
    (tmp_path / "ens.toml").write_text("[data]\nsize = 64\n")
    assert told in ens(tmp_path, *SMALL).out
    (tmp_path / "ens.toml").write_text("[data]\nsize = 32\n")
    assert told not in ens(tmp_path, *SMALL, "--force").out
