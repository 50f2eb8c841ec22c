from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ensemble.cli.app import main
from ensemble.config import load_config
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


@pytest.fixture
def ens(root: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; gives its exit status and what it printed, each on one line."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            main(["--root", str(root), "train", *arguments])
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capsys.readouterr()
        return status, " ".join(captured.out.split()), " ".join(captured.err.split())

    return run


def facts(root: Path) -> dict[str, object]:
    path = root / "checkpoints/restoration/tiny-restorer/fold-0/manifest.json"
    content: dict[str, object] = json.loads(path.read_text())["facts"]
    return content


def test_a_fold_is_trained_and_the_next_command_named(ens, root: Path) -> None:
    status, printed, _ = ens("--fold", "0", "--epochs", "1")
    assert status == 0
    for member in ("tiny-restorer", "navier-stokes", "tiny-colorizer", "tiny-histogram"):
        assert member in printed
    assert f"{facts(root)['val_score']:.4f}" in printed
    assert f"next: ens --root {root} blend --trials 200" in printed
    assert (root / "cache/photographs/targets.npy").exists()
    assert (root / "oof/colorization/tiny-colorizer/fold-0/manifest.json").exists()


def test_only_what_was_written_is_said_to_be(ens, root: Path) -> None:
    _, printed, _ = ens("--fold", "0", "--member", "navier-stokes")
    assert f"wrote {root}/oof next:" in printed


def test_more_epochs_extend_and_restart_begins_anew(ens, root: Path) -> None:
    only = ("--fold", "0", "--member", "tiny-restorer")
    ens(*only, "--epochs", "1")
    first = facts(root)["scores"]
    ens(*only, "--epochs", "2")
    assert facts(root)["scores"][:1] == first  # type: ignore[index]
    assert facts(root)["epochs"] == 2
    ens(*only, "--epochs", "1", "--restart")
    assert facts(root)["scores"] == first


def test_a_flag_that_changes_what_is_learnt_is_recorded(ens, root: Path, monkeypatch) -> None:
    text = (root / "ens.toml").read_text()
    (root / "ens.toml").write_text(
        text.replace('encoder_weights = "none"', 'encoder_weights = "imagenet"')
    )
    only = ("--fold", "0", "--member", "tiny-restorer", "--epochs", "1")
    status, printed, _ = ens(*only, "--encoder-weights", "none")
    assert status == 0
    assert "recorded encoder_weights = none" in printed
    config = load_config(root / "ens.toml")
    assert config.training.encoder_weights == "none"
    assert config.training.epochs == 2


def test_a_failed_training_is_told_and_the_rest_goes_on(ens, root: Path, monkeypatch) -> None:
    original = learner.Learner.training_step

    def step(self: learner.Learner, batch: object, batch_idx: int) -> torch.Tensor:
        loss = original(self, batch, batch_idx)  # type: ignore[arg-type]
        return loss * float("nan") if self.task.member.output == "rgb" else loss

    monkeypatch.setattr(learner.Learner, "training_step", step)
    status, printed, _ = ens("--fold", "0", "--epochs", "1")
    assert status == 1
    assert "must be finite" in printed
    assert (root / "checkpoints/colorization/tiny-histogram/fold-0/manifest.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--fold", "7"), "7"),
        (("--member", "unet"), "tiny-restorer"),
        (("--stage", "colouring"), "'colouring' is not one of"),
        (("--gpus", "first"), "`--gpus` must be numbers as in 0,1,2, but is 'first'"),
        (("--gpus", "99"), "99 is not"),
        (("--stage", "colorization", "--fold", "1"), "run `ens oof --stage restoration"),
    ],
)
def test_what_cannot_be_done_is_refused(ens, arguments: tuple[str, ...], told: str) -> None:
    status, _, refused = ens(*arguments)
    assert status == 2
    assert told in refused
