"""The whole path through the command line, on tiny real photographs."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ensemble import checkpoint
from ensemble.blending.candidate import Candidate, make_picture
from ensemble.blending.evidence import ArchivedEvidence
from ensemble.composition.recipe import SLIDES, Composition, StageRecipe
from ensemble.data.png import read_rgb
from ensemble.inference.load import load_predictor
from ensemble.inference.predictor import Shown
from ensemble.oof.collect import collect
from ensemble.oof.priors import Priors, read_priors, read_recipe_priors
from ensemble.project import open_project
from ensemble.provenance import read_recipe
from ensemble.submission.chain import predict_test
from ensemble.submission.submit import FULL_NOTE
from ensemble.vocabulary import FULL
from tests.reference.ens import Said
from tests.reference.small import SMALL_RESTORER

SETTINGS = (
    """
[data]
size = 48
[folds]
n_folds = 2
[restoration]
members = ["small", "navier-stokes"]
[colorization]
members = ["tint", "gray"]
[training]
encoder_weights = "none"
epochs = 2
batch_size = 4
[[member]]
name = "tint"
stage = "colorization"
arch = "FPN"
encoder = "tu-test_efficientnet"
"""
    + SMALL_RESTORER
)

TRAINED = [
    f"checkpoints/{stage}/{member}/fold-{fold}/{file}"
    for stage, member in (("restoration", "small"), ("colorization", "tint"))
    for fold in (0, 1)
    for file in ("weights.safetensors", "last.ckpt", "metrics.csv", "manifest.json")
]
CACHED = [
    f"oof/{stage}/{member}/fold-{fold}/manifest.json"
    for stage, member in (
        ("restoration", "small"),
        ("restoration", "navier-stokes"),
        ("colorization", "tint"),
        ("colorization", "gray"),
    )
    for fold in (0, 1)
]
DECIDED = ["oof/recipe.json", "oof/scores.json", "oof/study.log"]
SENT = [f"submissions/submission.{kind}" for kind in ("zip", "json", "png")]


def refusal(said: Said, *, queued: bool = False) -> str:
    """The message; a queue of trainings goes on after one that is refused, and ends with 1."""
    assert said.status == (1 if queued else 2)
    return said.line if queued else said.err


@pytest.fixture(scope="module")
def finished(ens, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("end_to_end")
    (root / "ens.toml").write_text(SETTINGS)
    for command in (
        "demo --size 48 --train 12 --test 3",
        f"folds --groups {root}/data/groups.csv",
        "train --fold 0..1",
        "blend --trials 6",
        "submit",
    ):
        said = ens(root, command)
        assert said.status == 0, f"{command}: {said.err}"
    return root


def contents(root: Path) -> dict[Path, bytes]:
    kept = [*TRAINED, *CACHED, "oof/recipe.json", "folds.csv"]
    return {root / name: (root / name).read_bytes() for name in kept}


def test_every_artefact_is_there(finished):
    missing = [n for n in [*TRAINED, *CACHED, *DECIDED, *SENT] if not (finished / n).is_file()]
    assert not missing


def test_the_zip_scores_what_its_manifest_says(ens, finished):
    command = (
        f"score --pred {finished}/submissions/submission.zip --target {finished}/data/test_target "
        f"--input {finished}/data/test_input --json"
    )
    printed = json.loads(ens(finished, command).out)
    manifest = json.loads((finished / "submissions/submission.json").read_text())
    for term, value in manifest["facts"]["score"].items():
        assert printed["mean"][term] == pytest.approx(value, abs=1e-12)


def test_submitting_again_gives_the_same_bytes(ens, finished):
    before = (finished / "submissions/submission.zip").read_bytes()
    assert ens(finished, "submit --force").status == 0
    assert (finished / "submissions/submission.zip").read_bytes() == before
    with zipfile.ZipFile(finished / "submissions/submission.zip") as archive:
        assert all(re.fullmatch(r"TEST_\d{3}\.png", name) for name in archive.namelist())


def test_weights_are_hashed_only_when_they_are_loaded(ens, finished, monkeypatch):
    hashed = []
    honest = checkpoint.digest_file
    monkeypatch.setattr(checkpoint, "digest_file", lambda p: hashed.append(p) or honest(p))
    assert ens(finished, "status").status == 0
    assert not any(path.name == checkpoint.WEIGHTS for path in hashed)
    assert ens(finished, "submit --force").status == 0
    weights = [path for path in hashed if path.name == checkpoint.WEIGHTS]
    assert len(weights) == len(set(weights)) > 0


def swapped(finished, stage, member):
    folders = [finished / f"checkpoints/{stage}/{member}/fold-{fold}" for fold in (0, 1)]
    aside = folders[0].with_name("aside")
    for old, new in ((folders[0], aside), (folders[1], folders[0]), (aside, folders[1])):
        old.rename(new)


def test_networks_of_another_fold_are_refused_by_every_verb(ens, finished):
    swapped(finished, "restoration", "small")
    try:
        for command in ("train --fold 0", "oof", "blend --trials 2", "submit --force"):
            message = refusal(ens(finished, command), queued=command == "train --fold 0")
            assert "another fold than" in message.replace("another fold;", "another fold than")
        said = ens(finished, "status")
        assert "stale" in said.out
        command = "train --stage restoration --member small --fold 0,1 --restart"
        assert said.out.splitlines()[-1] == f"next: ens --root {finished} {command}"
    finally:
        swapped(finished, "restoration", "small")


TINT = "checkpoints/colorization/tint/fold-0"


def of_another_fold(path):
    path.write_bytes((path.parent.with_name("fold-1") / path.name).read_bytes())


def of_another_member(path):
    path.write_bytes(
        next(path.parents[3].glob(f"restoration/small/fold-0/{path.name}")).read_bytes()
    )


def without_facts(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"facts": {}}))


@pytest.mark.parametrize(
    ("name", "harm", "fault"),
    [
        ("weights.safetensors", of_another_fold, "is not the file that"),
        ("weights.safetensors", of_another_member, "is not the file that"),
        ("weights.safetensors", lambda p: p.write_bytes(p.read_bytes()[:-10]), "is not the file"),
        (
            "weights.safetensors",
            lambda p: p.write_bytes(b"\xff" * 8 + b"{}"),
            "is not the file that",
        ),
        ("weights.safetensors", Path.unlink, "is not there"),
        ("manifest.json", without_facts, "is not a manifest"),
        ("manifest.json", lambda p: p.write_bytes(b""), "is not a manifest"),
    ],
)
def test_a_damaged_training_is_told_by_every_verb_and_mended_by_the_next_command(
    ens, finished, name, harm, fault
):
    before, study = contents(finished), (finished / "oof/study.log").read_bytes()
    path = finished / TINT / name
    harm(path)
    command = "train --stage colorization --member tint --fold 0"
    try:
        said = ens(finished, "status")
        assert said.status == 0
        assert re.search(f"tint fold 0 cannot be used: .*{name}` {fault}", said.out)
        assert said.out.splitlines()[-1] == f"next: ens --root {finished} {command}"
        for verb in ("oof", "blend --trials 50", "submit --force", "report"):
            message = refusal(ens(finished, verb))
            assert f"{name}` {fault}" in message
            assert f"put the file back, or run `ens {command}`" in message
        assert (finished / "oof/study.log").read_bytes() == study
        said = ens(finished, command)
        assert said.status == 0, said.out
    finally:
        now = contents(finished)
        for changed, content in before.items():
            changed.write_bytes(content)
    assert now == before


def test_one_changed_byte_of_weights_is_told_before_anything_is_tuned(ens, finished):
    path, study = finished / TINT / "weights.safetensors", finished / "oof/study.log"
    honest, tried = path.read_bytes(), study.read_bytes()
    at = len(honest) // 2
    try:
        path.write_bytes(honest[:at] + bytes([honest[at] ^ 1]) + honest[at + 1 :])
        for verb in ("blend --trials 50", "submit --force"):
            assert "weights.safetensors` is not the file that" in refusal(ens(finished, verb))
        assert study.read_bytes() == tried
    finally:
        path.write_bytes(honest)


def test_a_recipe_tuned_on_other_weights_is_refused(ens, finished):
    path = finished / "oof/recipe.json"
    honest = path.read_text()
    recipe = json.loads(honest)
    keys = [key for key in recipe["made_from"] if key.startswith("restoration/small/")]
    recipe["made_from"] |= dict.fromkeys(keys, "other")
    recipe["restoration"] = {"weights": {"small": 1.0}, "views": {"small": ["identity"]}}
    try:
        path.write_text(json.dumps(recipe))
        message = refusal(ens(finished, "submit --force"))
        assert "tuned on other weights of `restoration/small/fold-0`" in message
    finally:
        path.write_text(honest)


def test_a_damaged_archive_is_made_anew(ens, finished):
    archive = finished / "oof/restoration/small/fold-0"
    record = archive / "checksums.npy"
    honest = record.read_bytes()
    record.write_bytes(b"rubbish")
    assert "stale" in ens(finished, "status").out
    assert ens(finished, "oof --stage restoration").status == 0
    assert record.read_bytes() == honest
    shutil.rmtree(archive / "views.zarr/hflip")
    assert ens(finished, "oof --stage restoration").status == 0
    assert record.read_bytes() == honest
    assert ens(finished, "submit --force").status == 0


@pytest.mark.parametrize("look", ["recipe", "slides", "median", "minimum risk"])
def test_what_is_sent_is_what_was_scored(ens, finished, look, request):
    """A training photograph, submitted with its fold's networks, equals its out-of-fold answer."""
    project = open_project(finished)
    recipe = read_recipe(project)
    own = read_priors(project.workspace.priors_file)[0]
    options = {
        "slides": SLIDES,
        "median": Composition(hue="natural", chroma="median", prior_weight=0.4),
    }.get(look, recipe.composition)
    colors = StageRecipe.plain_mean(["tint", "gray"])
    update = {"folds": (0,), "composition": options, "colorization": colors}
    if look == "minimum risk":
        every = [member.name for member in project.members("restoration")]
        risk = StageRecipe.plain_mean(every, ("identity",)).model_copy(
            update={"decode": "minimum-risk"}
        )
        recipe = recipe.model_copy(update={"restoration": risk})
        for member in project.members("colorization"):
            collect(project, member, 0, restoration=risk)
        request.addfinalizer(lambda: ens(finished, "oof --fold 0"))
    evidence = ArchivedEvidence(
        project,
        project.members("colorization"),
        (0,),
        restoration=recipe.restoration,
        priors=Priors({0: own}),
    )
    image_ids = project.folds.validation(0)
    answers = predict_test(
        project,
        recipe.model_copy(update=update),
        Priors({FULL: own}),
        image_ids=image_ids,
        advance=lambda _: None,
    )
    assert [answer.image_id for answer in answers] == list(image_ids)
    for answer in answers:
        subject, read = evidence.subject(answer.image_id), evidence.reader(answer.image_id)
        scored = make_picture("colorization", subject, read, Candidate(colors, options))
        assert np.array_equal(answer.gray, subject.gray)
        assert np.array_equal(answer.picture, scored)


def test_any_photograph_is_predicted_as_a_test_photograph_is_sent(ens, finished, tmp_path):
    said = ens(
        finished, "predict", finished / "data/test_input", f"--look score --out {tmp_path}/out"
    )
    assert said.status == 0, said.err
    assert "recipe.json, 2 folds" in said.out
    project = open_project(finished)
    recipe = read_recipe(project)
    priors = read_recipe_priors(project, recipe)
    answers = predict_test(project, recipe, priors, advance=lambda _: None)
    for answer in answers:
        made = read_rgb(tmp_path / "out" / f"{answer.image_id}.png")
        # One photograph at a time or several at once: networks add up in another order.
        assert np.mean(made != answer.picture) < 0.01
        assert np.ptp(made, axis=-1).any()


@pytest.fixture
def with_networks(finished):
    """A recipe that blends trained networks alone."""
    path = finished / "oof/recipe.json"
    honest = path.read_text()
    options = json.loads(honest)["composition"] | {"hue": "none"}
    stages = {
        stage: {"weights": {name: 1.0}, "views": {name: ["identity"]}}
        for stage, name in (("restoration", "small"), ("colorization", "tint"))
    }
    path.write_text(json.dumps(json.loads(honest) | stages | {"composition": options}))
    yield finished
    path.write_text(honest)


def test_networks_of_all_photographs_are_one_more_fold(ens, with_networks):
    root = with_networks
    message = refusal(ens(root, "submit --full --name all"))
    assert "run `ens train --stage restoration --member small --fold full`" in message
    assert "leave out `--epochs`" in refusal(ens(root, "train --fold full --epochs 3"))
    message = refusal(ens(root, "train --fold full --member gray"))
    assert "`--fold full` trains networks, but `gray` cannot be trained" in message
    assert " full " not in ens(root, "status").out
    said = ens(root, "train --fold full")
    assert said.status == 0
    assert f"next: ens --root {root} submit --full" in said.line
    assert sorted(path.parent.parent.name for path in root.glob("checkpoints/*/*/full/w*")) == [
        "small",
        "tint",
    ]
    assert not list(root.glob("oof/*/*/full"))
    assert ens(root, "status").out.count("trained") == 4, "of either member kind and state"
    said = ens(root, "submit --full --name all")
    assert f"note: {FULL_NOTE}" in said.out
    facts = json.loads((root / "submissions/all.json").read_text())["facts"]
    assert (facts["folds"], facts["full"], facts["note"]) == ([0, 1], True, FULL_NOTE)
    assert "submission all.zip: up to date" in ens(root, "status").out
    project = open_project(root)
    recipe, member = read_recipe(project), project.member("restoration", "small")
    answers, alone = (
        predict_test(project, recipe, {}, full=full, advance=lambda _: None)
        for full in (True, False)
    )
    for answer, other in zip(answers, alone, strict=True):
        hole = project.photographs.located(answer.image_id)
        shown = Shown(answer.damaged[None], hole[None])
        predicted = [
            load_predictor(project, member, fold).predict(shown)["identity"][0]
            for fold in (0, 1, "full")
        ]
        mean = np.where(hole, np.mean(predicted, axis=0), answer.damaged)
        assert np.abs(answer.gray - mean).max() <= 0.5 + 1e-4
        assert not np.array_equal(answer.picture, other.picture)
    (root / "checkpoints/colorization/tint/full/manifest.json").unlink()
    assert "stale" in next(
        line for line in ens(root, "status").out.splitlines() if "all.zip" in line
    )


def test_a_second_training_is_a_no_op(ens, finished):
    before = contents(finished)
    assert ens(finished, "train --fold 0..1").status == 0
    assert contents(finished) == before


def test_a_zip_is_not_overwritten_unasked(ens, finished):
    assert "--force" in refusal(ens(finished, "submit"))


def test_status_names_what_is_next(ens, finished):
    printed = ens(finished, "status").out
    assert printed.count("cached") >= 4
    assert f"next: ens --root {finished} report\n" in printed


def test_tampered_folds_are_refused(ens, finished):
    path = finished / "folds.csv"
    honest = path.read_text()
    lines = honest.splitlines()
    header, *rows = lines
    swapped = [row[:-1] + str(1 - int(row[-1])) for row in rows]
    try:
        path.write_text("\n".join([header, *swapped]) + "\n")
        for command in ("train --fold 0", "blend --trials 2", "submit --force"):
            message = refusal(ens(finished, command), queued=command == "train --fold 0")
            assert "another folds" in message
    finally:
        path.write_text(honest)
