from __future__ import annotations

import csv
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.data.png import write_png
from tests.reference.score import LiteralScore, literal_score

NAMES = ["TEST_000.png", "TEST_001.png", "TEST_002.png"]


@pytest.fixture
def truth(tmp_path: Path, crops: list[np.ndarray]) -> dict[str, LiteralScore]:
    """Targets, predictions, damaged inputs and masks on disk; the literal score of each picture.

    The drawn masks are not where the inputs differ, so that the two cannot be mistaken.
    """
    rng = np.random.default_rng(3)
    scores = {}
    for name, target in zip(NAMES, crops, strict=False):
        noise = rng.integers(-40, 40, target.shape)
        pred = np.clip(0.8 * target + noise, 0, 255).astype(np.uint8)
        mask = np.zeros(target.shape[:2], dtype=bool)
        mask[10:30, 5:25] = True
        damaged = luma(target)
        damaged[10:30, 5:25] = damaged[10:30, 5:25].astype(int) - 128
        write_png(tmp_path / "pred" / name, pred)
        write_png(tmp_path / "truth" / name, target)
        write_png(tmp_path / "inputs" / name, damaged)
        write_png(tmp_path / "masks" / name, mask.T)
        scores[name] = literal_score(pred=pred, target=target, lost_mask=mask)
        scores[name, "drawn"] = literal_score(pred=pred, target=target, lost_mask=mask.T)
    return scores


def call(root: Path, *, pred: str = "pred", lost: str = "inputs") -> tuple[object, ...]:
    flag = {"inputs": "--input", "masks": "--masks"}[lost]
    return ("score", "--pred", root / pred, "--target", root / "truth", flag, root / lost)


def zip_up(root: Path) -> Path:
    path = root / "answer.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.write(root / "pred" / name, name)
    return path


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("lost", ["inputs", "masks"])
def test_it_is_the_literal_score(ens, tmp_path: Path, truth, kind: str, lost: str) -> None:
    zip_up(tmp_path)
    pred = "pred" if kind == "folder" else "answer.zip"
    said = ens(tmp_path, *call(tmp_path, pred=pred, lost=lost), "--json")
    assert said.status == 0
    printed = json.loads(said.out)
    assert printed["pictures"] == 3
    rows = [truth[name, "drawn"] if lost == "masks" else truth[name] for name in NAMES]
    for term in ("score", "ssim", "masked_ssim", "hue"):
        expected = np.mean([getattr(row, term) for row in rows])
        assert printed["mean"][term] == pytest.approx(expected, abs=1e-7)


def test_a_table_is_for_people(ens, tmp_path: Path, truth) -> None:
    said = ens(tmp_path, *call(tmp_path))
    for term in ("score", "ssim", "masked_ssim", "hue"):
        assert f"{np.mean([getattr(truth[name], term) for name in NAMES]):.6f}" in said.out
        assert term in said.out


def test_each_picture_can_be_had(ens, tmp_path: Path, truth) -> None:
    path = tmp_path / "made" / "each.csv"
    said = ens(tmp_path, *call(tmp_path), "--per-image", path)
    assert f"wrote {path}\n" in said.out
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == NAMES
    for row in rows:
        for term in ("score", "ssim", "masked_ssim", "hue"):
            expected = getattr(truth[row["image"]], term)
            assert float(row[term]) == pytest.approx(expected, abs=1e-7)


def test_json_stays_alone_when_pictures_are_written_too(ens, tmp_path: Path, truth) -> None:
    said = ens(tmp_path, *call(tmp_path), "--json", "--per-image", tmp_path / "each.csv")
    assert json.loads(said.out)["pictures"] == 3
    assert (tmp_path / "each.csv").exists()


def test_exactly_one_way_to_know_what_is_lost(ens, tmp_path: Path, truth) -> None:
    both = ens(tmp_path, *call(tmp_path), "--masks", tmp_path / "masks")
    neither = ens(tmp_path, *call(tmp_path)[:5])
    for said in (both, neither):
        assert said.status == 2
        assert said.err == (
            "error: the lost region is known from --masks or from --input; give one of them\n"
        )


def test_a_missing_prediction_is_named(ens, tmp_path: Path, truth) -> None:
    (tmp_path / "pred/TEST_001.png").unlink()
    said = ens(tmp_path, *call(tmp_path))
    assert said.status == 2
    assert "a PNG for each of the 3 targets, but lacks 1, `TEST_001.png` among them" in said.err


def test_a_prediction_of_another_size_is_named(ens, tmp_path: Path, truth) -> None:
    write_png(tmp_path / "pred/TEST_002.png", np.zeros((40, 48, 3), np.uint8))
    said = ens(tmp_path, *call(tmp_path))
    assert said.status == 2
    for words in ("TEST_002.png", "is 40 x 48 px", "its target, 48 x 48 px"):
        assert words in said.err


def test_a_gray_prediction_is_named(ens, tmp_path: Path, truth) -> None:
    write_png(tmp_path / "pred/TEST_001.png", np.zeros((48, 48), np.uint8))
    said = ens(tmp_path, *call(tmp_path))
    assert said.status == 2
    assert f"`{tmp_path}/pred/TEST_001.png` must be RGB, but is gray" in said.err


def test_a_picture_whose_score_is_undefined_is_named(ens, tmp_path: Path, truth) -> None:
    write_png(tmp_path / "masks/TEST_001.png", np.eye(48, dtype=bool) & (np.arange(48) < 6))
    said = ens(tmp_path, *call(tmp_path, lost="masks"))
    assert said.status == 2
    assert "TEST_001.png" in said.err


def test_a_damaged_zip_is_named(ens, tmp_path: Path, truth) -> None:
    path = zip_up(tmp_path)
    content = bytearray(path.read_bytes())
    start = content.index(b"IHDR") + 400
    content[start : start + 40] = bytes(40)
    path.write_bytes(content)
    said = ens(tmp_path, *call(tmp_path, pred="answer.zip"))
    assert said.status == 2
    assert f"`{path}` is damaged at `TEST_00" in said.err


def test_the_worst_and_the_best_pictures_are_listed(ens, tmp_path: Path, truth) -> None:
    said = ens(tmp_path, *call(tmp_path), "--per-image", tmp_path / "terms.csv")
    assert said.status == 0
    worst, best = re.split(r"^(?:worst|best)\s*$", said.out, flags=re.MULTILINE)[1:]
    ranked = sorted(NAMES, key=lambda name: truth[name].score)
    for text, expected in ((worst, ranked), (best, ranked[::-1])):
        assert re.findall(r"TEST_\d+\.png", text) == expected
    assert f"{truth[ranked[0]].score:.4f}"[:-1] in worst
