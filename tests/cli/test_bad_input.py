"""Files that are not as due: one line with the file, rule and remedy; status 2; no change."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ensemble.config_text import config_text
from ensemble.data.png import encode_png, write_png
from tests.cli.test_status import FIXED

Harm = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a blend and a submission; never changed."""
    from ensemble.config import Config
    from tests.reference.ens import run_ens

    root = tmp_path_factory.mktemp("whole")
    config = Config().replace("data", size=48)
    for section, values in FIXED.items():
        config = config.replace(section, **values)
    (root / "ens.toml").write_text(config_text(config.replace("folds", n_folds=2)))
    for words in ("demo --size 48 --train 8 --test 2", "folds", "blend --trials 2", "submit"):
        said = run_ens(root, *words.split())
        assert said.status == 0, said.err
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "root"))


def put(name: str, content: bytes | str) -> Harm:
    return lambda root: (root / name).write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )


def pipe(name: str) -> Harm:
    def harm(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)

    return harm


def edit(name: str, change: Callable[[Any], object]) -> Harm:
    def harm(root: Path) -> None:
        content = json.loads((root / name).read_bytes())
        change(content)
        (root / name).write_text(json.dumps(content))

    return harm


RECIPE, SCORES, PRIORS = "oof/recipe.json", "oof/scores.json", "oof/priors.safetensors"
STUDY, SAMPLE = "oof/study.log", "data/sample_submission.zip"
NESTED = "[" * 100_000


@pytest.mark.parametrize(
    ("harm", "verb", "due"),
    [
        (pipe(RECIPE), "submit --force", "recipe.json` must be a file, but is a pipe"),
        (put(RECIPE, NESTED), "submit --force", "recipe.json` is not a recipe .* run `ens blend`"),
        (
            edit(RECIPE, lambda c: c["restoration"]["views"].popitem()),
            "submit --force",
            "must have both a weight and views.* run `ens blend`",
        ),
        (
            edit(RECIPE, lambda c: c.update(folds=[0, 0])),
            "submit --force",
            "folds must be distinct",
        ),
        (
            edit(RECIPE, lambda c: c["composition"].update(prior_weight="0.5")),
            "submit --force",
            "`composition.prior_weight`",
        ),
        (
            put(SCORES, NESTED),
            "report",
            "scores.json` is not what `ens blend` writes .* run it again",
        ),
        (
            edit(SCORES, lambda c: c["stages"]["colorization"].pop("rows")),
            "report",
            "`stages.colorization.rows`: field required",
        ),
        (
            edit(SCORES, lambda c: c["stages"]["colorization"]["rows"][0].pop("hue")),
            "report",
            "must have a hue term",
        ),
        (
            edit(SCORES, lambda c: c["stages"]["restoration"]["rows"][0].update(hue=0.5)),
            "report",
            "must have a hue term",
        ),
        (
            edit(SCORES, lambda c: c["stages"]["restoration"]["rows"][0].update(hue=None)),
            "report",
            r"rows.0.hue`: input should be a valid number",
        ),
        (
            put(PRIORS, struct.pack("<Q", 2) + b"{}"),
            "submit --force",
            "priors.*run `ens blend` again",
        ),
        (
            put(STUDY, '{"op_code": 99}\n'),
            "blend --trials 3",
            "study.log` is damaged .*; move it away",
        ),
        (pipe(STUDY), "blend --trials 3", "study.log` must be a file, but is a pipe"),
        (pipe("folds.csv"), "status", "folds.csv` must be a file, but is a pipe"),
        (
            put("folds.csv", f"image_id,group,fold\na,a,{'9' * 5000}\n"),
            "status",
            "row 2: a fold must be one of 0, 1, 2, .* make it anew with `ens folds`",
        ),
        (pipe("ens.toml"), "status", "ens.toml` must be a file, but is a pipe"),
        (
            put("ens.toml", f"seed = {'9' * 5000}"),
            "status",
            "ens.toml` is not valid TOML: .*; correct",
        ),
        (
            put("ens.toml", f"{'.'.join('a' * 50_000)} = 1"),
            "status",
            "keys are nested too deeply; correct it",
        ),
        (put("ens.toml", '[data]\nsize = "48"'), "status", "`data.size`: .* valid integer"),
        (put("ens.toml", "[data]\nsize = 1000000"), "status", "less than or equal to 4096"),
        (
            put("ens.toml", f"seed = {10**30}"),
            "status",
            "`seed`: .* less than or equal to 4294967295",
        ),
        (pipe(SAMPLE), "submit --force", "sample_submission.zip` must be a file, but is a pipe"),
        (
            put(SAMPLE, b"PK\3\4"),
            "submit --force",
            "sample_submission.zip` must be a zip.*download it",
        ),
        (pipe("data/train.csv"), "status", "train.csv` must be a file, but is a pipe"),
        (
            put("data/train.csv", "input_image_path,gt_image_path\na\0,b\n"),
            "status",
            "train.csv`, row 2: `input_image_path` has a NUL",
        ),
        (
            put("data/train.csv", f"input_image_path,gt_image_path\n{'a/' * 3000}a.png,b.png\n"),
            "status",
            "train.csv`, row 2: a path must have at most 255 bytes",
        ),
        (
            put("public-scores.json", '[{"name": "a", "zip": 5}]'),
            "history",
            "`0.zip`.*move it away",
        ),
    ],
)
def test_it_is_refused_by_name(ens, root: Path, harm: Harm, verb: str, due: str) -> None:
    harm(root)
    before = {path: path.stat().st_mtime_ns for path in (root / "oof").rglob("*.json")}
    before |= {path: path.stat().st_mtime_ns for path in (root / "submissions").iterdir()}
    said = ens(root, *verb.split())
    assert said.status == 2, said
    lines = said.err.strip().splitlines()
    assert len(lines) == 1, said.err
    assert re.search(due, lines[0]), lines[0]
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(
    "harm",
    [
        edit("submissions/submission.json", lambda c: c["facts"].update(expected="x", mixed=5)),
        put("submissions/submission.json", NESTED),
        put("data/.ens-digests.json", NESTED),
        put("data/.ens-digests.json", '{"train_gt/TRAIN_00000.png": [[], {}, 5]}'),
    ],
)
def test_what_can_be_made_again_stops_no_verb(ens, root: Path, harm: Harm) -> None:
    harm(root)
    for verb in ("status", "history"):
        said = ens(root, verb)
        assert said.status == 0, said.err


def pair_crosswise(root: Path) -> None:
    (root / "data/train.csv").unlink()
    first, second = (root / f"data/train_input/TRAIN_0000{k}.png" for k in (0, 1))
    other = first.rename(first.with_name("other"))
    second.rename(first)
    other.rename(second)


def fill_all(root: Path) -> None:
    write_png(root / "data/test_input/TEST_001.png", np.full((48, 48), 77, np.uint8))


@pytest.mark.parametrize(
    ("harm", "verb", "due"),
    [
        (pair_crosswise, "blend --trials 2", "`TRAIN_00000` must differ from its damaged input"),
        (pair_crosswise, "oof", "`TRAIN_00000` must differ from its damaged input"),
        (fill_all, "submit --force", "`TEST_001` .* looks lost in all.*data/test_masks/TEST_001.p"),
    ],
)
def test_photographs_that_were_changed_after_the_folds_were_made(
    ens, root: Path, harm: Harm, verb: str, due: str
) -> None:
    harm(root)
    said = ens(root, verb)
    assert said.status == 2
    assert re.search(due, said.err), said.err


def test_what_was_read_of_photographs_has_checksums_and_is_read_again(ens, root: Path) -> None:
    """Else a network would learn from black."""
    path = root / "cache/photographs/damaged.npy"
    content = path.read_bytes()
    path.write_bytes(content[:128] + bytes(len(content) - 128))
    assert ens(root, "report", "--photographs 2").status == 0
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["rows", "sums", "located", "targets"])
def test_a_cache_that_is_no_array_is_made_anew(ens, root: Path, name: str) -> None:
    path = root / f"cache/photographs/{name}.npy"
    path.write_bytes(b"r" * path.stat().st_size)
    assert ens(root, "folds", "--force").status == 0
    assert path.read_bytes().startswith(b"\x93NUMPY")


@pytest.mark.parametrize("verb", ["score", "submit", "compare"])
@pytest.mark.parametrize(
    ("content", "due"),
    [
        (encode_png(np.zeros((48, 47, 3), np.uint8)), "as large as .*, 48 x 48 px, but is 48 x 47"),
        (bytes(70 * 2**20), "at most 64 MiB, but .* (is larger|has 70)"),
    ],
    ids=["size", "unfolds"],
)
def test_a_foreign_zip(ens, root: Path, verb: str, content: bytes, due: str) -> None:
    with zipfile.ZipFile(root / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("TEST_000.png", "TEST_001.png"):
            archive.writestr(name, content)
    words = {
        "score": [
            *("--pred", root / "p.zip", "--target", root / "data/test_target"),
            *("--input", root / "data/test_input"),
        ],
        "submit": ["--force", "--mix", root / "p.zip"],
        "compare": [root / "p.zip", root / "submissions/submission.zip"],
    }[verb]
    said = ens(root, verb, *words)
    assert said.status == 2, said
    if verb == "compare" and "48 x" in due:
        due = "must have one size"
    assert re.search(due, said.err), said.err
