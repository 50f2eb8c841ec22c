from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ensemble.config import load_config
from ensemble.config_text import set_key
from ensemble.training import learner
from ensemble.training.job import Job
from tests.reference import tiny

JOB = Job("restoration", "tiny-restorer", 0)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    tiny.write_photographs(tmp_path / "photographs")
    tiny.make_project(tmp_path / "root", tmp_path / "photographs")
    with tiny.one_thread():
        yield tmp_path / "root"


def facts(root: Path) -> dict[str, object]:
    path = root / "checkpoints/restoration/tiny-restorer/fold-0/manifest.json"
    content: dict[str, object] = json.loads(path.read_text())["facts"]
    return content


def test_a_fold_is_trained_and_the_next_command_named(ens, root: Path) -> None:
    said = ens(root, "train --fold 0 --epochs 1")
    assert said.status == 0
    for member in ("tiny-restorer", "navier-stokes", "tiny-colorizer", "tiny-histogram"):
        assert member in said.out
    assert f"{facts(root)['val_score']:.4f}" in said.out
    assert f"next: ens --root {root} blend --trials 200" in said.line
    assert (root / "cache/photographs/targets.npy").exists()
    assert (root / "oof/colorization/tiny-colorizer/fold-0/manifest.json").exists()


def test_the_time_left_of_all_jobs_is_said(ens, root: Path, monkeypatch) -> None:
    monkeypatch.setattr("ensemble.cli.train.SAY_EVERY_S", 0.01)
    said = ens(root, "train --fold all --member tiny-restorer --epochs 3")
    lines = said.out.splitlines()
    first = lines.index("[1/2] restoration tiny-restorer fold 0: running")
    then = next(n for n, line in enumerate(lines) if line.startswith("[2/2] restoration"))
    told = r"about \d+:\d\d:\d\d left for all jobs, less if some stop early"
    assert any(re.fullmatch(told, line) for line in lines[first + 1 : then])
    assert re.fullmatch(r"\[2/2\] restoration tiny-restorer fold 1: running; " + told, lines[then])
    assert "[2/2] restoration tiny-restorer fold 1: done" in lines


def test_only_what_was_written_is_said_to_be(ens, root: Path) -> None:
    said = ens(root, "train --fold 0 --member navier-stokes")
    assert f"wrote {root}/oof next:" in said.line


def test_more_epochs_extend_and_restart_begins_anew(ens, root: Path) -> None:
    only = "train --fold 0 --member tiny-restorer"
    ens(root, only, "--epochs 1")
    first = facts(root)["scores"]
    ens(root, only, "--epochs 2")
    assert facts(root)["scores"][:1] == first  # type: ignore[index]
    assert facts(root)["epochs"] == 2
    ens(root, only, "--epochs 1 --restart")
    assert facts(root)["scores"] == first


def test_a_flag_that_changes_what_is_learnt_is_recorded(ens, root: Path, monkeypatch) -> None:
    text = (root / "ens.toml").read_text()
    text = text.replace('encoder_weights = "none"', 'encoder_weights = "imagenet"  # mine')
    (root / "ens.toml").write_text(text)
    said = ens(root, "train --fold 0 --member tiny-restorer --epochs 1 --encoder-weights none")
    assert said.status == 0
    assert "recorded encoder_weights = none" in said.line
    config = load_config(root / "ens.toml")
    assert config.training.encoder_weights == "none"
    assert "# mine" in (root / "ens.toml").read_text()
    assert config.training.epochs == 2


def test_a_failed_training_is_told_and_the_rest_goes_on(ens, root: Path, monkeypatch) -> None:
    original = learner.Learner.training_step

    def step(self: learner.Learner, batch: object, batch_idx: int) -> torch.Tensor:
        loss = original(self, batch, batch_idx)  # type: ignore[arg-type]
        return loss * float("nan") if self.task.member.output == "rgb" else loss

    monkeypatch.setattr(learner.Learner, "training_step", step)
    said = ens(root, "train --fold 0 --epochs 1")
    assert said.status == 1
    assert "must be finite" in said.line
    mended = "ens train --stage colorization --member tiny-colorizer --fold 0 --restart"
    assert f"then run `{mended}`" in said.line
    assert "next: mend what failed, as its line says, then run the same command again" in said.line
    assert (root / "checkpoints/colorization/tiny-histogram/fold-0/manifest.json").exists()


def test_a_refused_job_does_not_end_the_queue(ens, root: Path) -> None:
    said = ens(root, "train --stage colorization --fold 1 --epochs 1")
    assert said.status == 1
    for member in ("tiny-colorizer", "tiny-histogram"):
        assert f"colorization {member} fold 1: " in said.line
    assert "run `ens oof --stage restoration" in said.line
    assert "wrote" not in said.line
    due = "next: mend what failed, as its line says, then run the same command again (2 left)"
    assert due in said.line


def test_memory_that_runs_out_is_tried_once_more_and_the_rest_goes_on(
    ens, root: Path, monkeypatch
) -> None:
    original, tried = learner.Learner.training_step, []

    def step(self: learner.Learner, batch: object, batch_idx: int) -> torch.Tensor:
        if self.task.member.name == "tiny-colorizer":
            tried.append(batch_idx)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, batch, batch_idx)  # type: ignore[arg-type]

    monkeypatch.setattr(learner.Learner, "training_step", step)
    said = ens(root, "train --fold 0 --epochs 1")
    # The batch of 4 is halved until a single photograph does not fit; the second try starts there.
    assert (said.status, tried) == (1, [0] * 4)
    assert "OutOfMemoryError: CUDA out of memory" in said.line
    assert (root / "checkpoints/colorization/tiny-histogram/fold-0/manifest.json").exists()


def test_restart_of_everything_wants_a_yes(ens, root: Path) -> None:
    ens(root, "train --fold 0 --member tiny-restorer --epochs 1")
    before = facts(root)
    said = ens(root, "train --restart")
    assert said.status == 2
    assert "`--restart` alone removes all 1 trainings" in said.err
    assert "name a --fold, --stage or --member, or add --yes" in said.err
    assert facts(root) == before


@pytest.mark.parametrize(
    "flags", ["--encoder-weights imagenet", "--dask tcp://127.0.0.1:9", "--devices 3"]
)
def test_a_restart_that_cannot_begin_removes_nothing(
    ens, root: Path, monkeypatch, flags: str
) -> None:
    only = "train --fold 0 --member tiny-restorer --epochs 1"
    ens(root, only)
    before, settings = facts(root), (root / "ens.toml").read_bytes()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("ensemble.jobs.cluster.PATIENCE_SECONDS", 1)
    assert ens(root, only, "--restart", flags).status == 2
    assert facts(root) == before
    assert (root / "ens.toml").read_bytes() == settings


def test_colors_are_not_removed_where_there_is_no_restored_gray(ens, root: Path) -> None:
    ens(root, "train --fold 0 --epochs 1")
    manifest = root / "checkpoints/colorization/tiny-colorizer/fold-0/manifest.json"
    for room in ("checkpoints", "oof"):
        shutil.rmtree(root / room / "restoration")
    said = ens(root, "train --fold 0 --stage colorization --epochs 1 --restart")
    assert said.status == 2
    assert "run `ens oof --stage restoration" in said.err
    assert manifest.exists()
    said = ens(root, "train --fold 0 --epochs 1 --restart")
    assert said.status == 0, said.line


def test_a_restart_that_failed_goes_on_without_restart(ens, root: Path, monkeypatch) -> None:
    monkeypatch.setattr(learner.Learner, "training_step", lambda *_: torch.tensor(float("nan")))
    said = ens(root, "train --fold 0 --member tiny-restorer --epochs 1 --restart")
    assert "then run the same command again without --restart (1 left)" in said.line


def test_a_stopped_training_says_why_more_epochs_do_nothing(ens, root: Path) -> None:
    only = "train --fold 0 --member tiny-restorer"
    set_key(root / "ens.toml", "training", "patience", 1)
    set_key(root / "ens.toml", "training", "learning_rate", 1e-12)
    ens(root, only, "--epochs 9")
    done = facts(root)["epochs"]
    assert done < 9  # type: ignore[operator]
    said = ens(root, only, "--epochs 12")
    told = f"fold 0 stopped after {done} of 12 epochs: no better val_score in the last 1"
    assert told in said.line
    set_key(root / "ens.toml", "training", "patience", 0)
    ens(root, only, "--epochs 9")
    assert facts(root)["epochs"] == 9


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--fold 7", "7"),
        ("--member unet", "tiny-restorer"),
        ("--stage coloring", "'coloring' is not one of"),
        ("--gpus first", "`--gpus` must be numbers as in 0,1,2, but is 'first'"),
        ("--gpus 99", "99 is not"),
    ],
)
def test_what_cannot_be_done_is_refused(ens, root: Path, arguments: str, told: str) -> None:
    said = ens(root, "train", arguments)
    assert said.status == 2
    assert told in " ".join(said.err.split())
