from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ensemble.arrays import luma
from ensemble.checkpoint import checkpoint_digests
from ensemble.composition.luma import paste_back
from ensemble.config import Config
from ensemble.damage.locate import locate_hole
from ensemble.errors import ConfigError, LockedError, MissingArtefactError, StaleArtefactError
from ensemble.files import exclusive_lock
from ensemble.manifest import read_manifest
from ensemble.metric.score import gray_score
from ensemble.networks.build import load_network
from ensemble.networks.tensors import normalize, to_uint8
from ensemble.project import Project
from ensemble.training.fit import fit, remove
from ensemble.training.job import Job
from ensemble.training.learner import PICTURE_SIDE, PICTURES, draw_strip
from ensemble.vocabulary import FULL, STAGES
from tests.training.test_resume import killed_after

MakeProject = Callable[..., Project]
COLORIZER = Job("colorization", "tiny-colorizer", 0)


def test_it_leaves_weights_a_manifest_and_records(
    make_project: MakeProject, restoration_job: Job
) -> None:
    project = make_project()
    manifest = fit(restoration_job, project=project)
    files = restoration_job.files(project.workspace)
    assert read_manifest(files.manifest, "checkpoint") == manifest
    member = project.members("restoration")[0]
    assert manifest.made_from == checkpoint_digests(project, member, 0)
    assert manifest.facts["epochs"] == 2
    rows = list(csv.DictReader(files.metrics.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    scores = [float(row["val_score"]) for row in rows]
    assert scores == pytest.approx(manifest.facts["scores"])
    assert manifest.facts["val_score"] == max(manifest.facts["scores"])
    assert json.loads(files.progress.read_text())["done"] == 1.0
    events = EventAccumulator(str(files.folder / "tensorboard"), size_guidance={"images": 0})
    names = events.Reload().Tags()["images"]
    validated = project.oof_sample(0)
    assert {name.removeprefix("validation/") for name in names} == set(validated[:PICTURES])
    assert [[image.step for image in events.Images(name)] for name in names] == [[1, 2]] * len(
        names
    )
    picture = events.Images(names[0])[0]
    assert (picture.height, picture.width) == (PICTURE_SIDE, 3 * PICTURE_SIDE)


def test_val_score_is_the_score_of_the_kept_weights_pasted_back(
    make_project: MakeProject, restoration_job: Job
) -> None:
    project = make_project(epochs=1)
    manifest = fit(restoration_job, project=project)
    member = project.members("restoration")[0]
    network = load_network(restoration_job.files(project.workspace).weights, member)
    crossing = project.config.normalization.model_dump()
    scores = []
    for image_id in project.folds.validation(0):
        sample = project.competition.train_sample(image_id)
        output = network(normalize(torch.from_numpy(sample.damaged[None]), **crossing))
        answer = paste_back(
            restored=to_uint8(output, **crossing)[0],
            damaged=sample.damaged,
            lost_mask=locate_hole(sample.damaged).lost_mask,
        )
        target = luma(sample.target)
        scores.append(gray_score(pred=answer, target=target, lost_mask=sample.lost_mask).score)
    assert manifest.facts["val_score"] == pytest.approx(np.mean(scores), abs=2e-3)


def test_a_finished_job_is_skipped(make_project: MakeProject, restoration_job: Job) -> None:
    project = make_project(epochs=1)
    first = fit(restoration_job, project=project)
    files = restoration_job.files(project.workspace)
    before = {path: path.stat().st_mtime_ns for path in files.folder.iterdir()}
    assert fit(restoration_job, project=project) == first
    assert {path: path.stat().st_mtime_ns for path in files.folder.iterdir()} == before


def test_restart_begins_anew(make_project: MakeProject, restoration_job: Job) -> None:
    project = make_project(epochs=1)
    fit(restoration_job, project=project)
    files = restoration_job.files(project.workspace)
    weights = files.weights.read_bytes()
    (files.folder / "of the past").write_text("")
    changed = make_project(epochs=1, learning_rate=0.5)
    remove([restoration_job], changed)
    fit(restoration_job, project=changed)
    assert not (files.folder / "of the past").exists()
    assert files.weights.read_bytes() != weights


def test_two_processes_on_one_job_are_one_too_many(
    make_project: MakeProject, restoration_job: Job
) -> None:
    project = make_project()
    folder = restoration_job.files(project.workspace).folder
    with exclusive_lock(folder, what="training"):
        with pytest.raises(LockedError, match="training restoration tiny-restorer fold 0"):
            fit(restoration_job, project=project)
        with pytest.raises(LockedError, match="removing restoration tiny-restorer fold 0"):
            remove([restoration_job], project)


def test_nothing_is_removed_for_a_member_that_cannot_be_built(
    make_project: MakeProject, restoration_job: Job
) -> None:
    project = make_project(epochs=1)
    fit(restoration_job, project=project)
    table = project.config.member[0].model_copy(update={"options": {"decoder_channels": (8, 8)}})
    config = project.config.model_copy(update={"member": (table,)})
    with pytest.raises(ConfigError, match="`tiny-restorer` cannot be built"):
        remove([restoration_job], dataclasses.replace(project, config=config))
    assert restoration_job.files(project.workspace).weights.exists()


def test_patience_ends_a_training(make_project: MakeProject, restoration_job: Job) -> None:
    # A rate of next to nothing changes no score: the first epoch stays the best.
    project = make_project(epochs=9, patience=2, learning_rate=1e-30, weight_decay=0.0)
    facts = fit(restoration_job, project=project).facts
    assert facts["stopped_early"]
    assert facts["epochs"] < 9
    assert facts["epochs"] == facts["best_epoch"] + 2
    progress = json.loads(restoration_job.files(project.workspace).progress.read_text())
    assert (progress["done"], progress["seconds_left"]) == (1, 0)
    assert progress["epoch_seconds"] > 0
    longer = make_project(epochs=20, patience=2, learning_rate=1e-30, weight_decay=0.0)
    assert fit(restoration_job, project=longer).facts == facts


def test_a_sample_of_the_fold_judges_an_epoch(make_project: MakeProject) -> None:
    project = make_project(epochs=1)
    config = project.config.replace("oof", photographs=4)
    project = dataclasses.replace(project, config=config)
    judged: list[str] = []

    def validation_gray(image_id: str) -> np.ndarray:
        judged.append(image_id)
        return luma(project.competition.target(image_id))

    fit(COLORIZER, project=project, validation_grays=validation_gray)
    assert sorted(judged) == list(project.oof_sample(0))
    assert len(judged) == 2 < len(project.folds.validation(0))


def test_colorization_and_histogram_members_learn(make_project: MakeProject) -> None:
    project = make_project(epochs=1)
    grays: list[str] = []

    def validation_gray(image_id: str) -> np.ndarray:
        grays.append(image_id)
        return luma(project.competition.target(image_id))

    fit(COLORIZER, project=project, validation_grays=validation_gray)
    assert sorted(grays) == list(project.folds.validation(0))
    rows = list(csv.DictReader(COLORIZER.files(project.workspace).metrics.read_text().splitlines()))
    terms = {
        name: float(rows[0][f"val_{name}"]) for name in ("score", "ssim", "masked_ssim", "hue")
    }
    weighted = 0.2 * terms["ssim"] + 0.4 * terms["masked_ssim"] + 0.4 * terms["hue"]
    assert terms["score"] == pytest.approx(weighted, abs=1e-6)
    histogram = fit(Job("colorization", "tiny-histogram", 0), project=project)
    assert -1 <= histogram.facts["val_score"] <= 1


def test_an_unknown_member_is_named(make_project: MakeProject) -> None:
    with pytest.raises(ConfigError, match="`big` is no member of restoration.*tiny-restorer"):
        fit(Job("restoration", "big", 0), project=make_project())


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("restoration", {"input_mode": "prefilled"}),
        ("restoration", {"input_mode": "prefilled+mask", "hole_loss": 0.5}),
        ("restoration", {"input_mode": "prefilled+mask+distance", "ssim_finish": 0.5}),
        ("restoration", {"input_mode": "fills+mask+distance", "ssim_finish": 1.0}),
        ("training", {"crop": 16}),
        ("training", {"clip_norm": 1.0, "schedule": "one-cycle", "accumulate": 2}),
        ("training", {"precision": "bf16", "compile": False}),
        ("training", {"precision": "bf16", "clip_norm": 1.0}),
    ],
)
def test_each_way_of_training_restoration(
    make_project: MakeProject, restoration_job: Job, section: str, settings: dict[str, object]
) -> None:
    manifest = fit(restoration_job, project=make_project(section=section, **settings))
    assert 0 < manifest.facts["val_score"] < 1


@pytest.mark.parametrize("mode", ["damaged", "prefilled", "prefilled+mask+distance"])
def test_a_network_that_was_shown_another_fill_is_stale(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    project = make_project(section="restoration", input_mode=mode)
    (restorer, *_), (colorizer, *_) = (project.members(stage) for stage in STAGES)
    before = [checkpoint_digests(project, member, 0) for member in (restorer, colorizer)]
    monkeypatch.setattr("ensemble.checkpoint.FILL_VERSION", 99)
    after = [checkpoint_digests(project, member, 0) for member in (restorer, colorizer)]
    assert (after[0] != before[0]) == (mode != "damaged")
    assert after[1] == before[1]


def with_table(project: Project, name: str = "tiny-restorer", **settings: object) -> Project:
    """The project with settings in one [[member]] table."""
    content = project.config.model_dump()
    for table in content["member"]:
        table.update(settings if table["name"] == name else {})
    return dataclasses.replace(project, config=Config.model_validate(content))


def test_a_table_trains_its_member_as_the_sections_would(
    make_project: MakeProject, restoration_job: Job, tmp_path: Path
) -> None:
    """To the very weights."""
    training = {"learning_rate": 1e-2, "batch_size": 5, "epochs": 3, "l1": 2.0, "flips": False}
    restoration = {"input_mode": "prefilled+mask", "hole_loss": 0.25}
    sections = make_project(tmp_path / "a", **training)
    config = sections.config.replace("restoration", **restoration)
    sections = dataclasses.replace(sections, config=config)
    table = with_table(
        make_project(tmp_path / "b", encoder_weights="imagenet", batch_size=2),
        **training,
        **restoration,
        encoder_weights="none",
    )
    first, second = (fit(restoration_job, project=p) for p in (sections, table))
    assert first.facts == second.facts
    plain = make_project(tmp_path / "c")
    other = fit(restoration_job, project=plain)
    assert other.facts["weights"] != second.facts["weights"]


def test_one_architecture_with_two_seeds_is_two_members(
    make_project: MakeProject, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "a", epochs=1)
    table = project.config.member[0]
    again = table.model_copy(update={"name": "again", "seed": 4})
    same = table.model_copy(update={"name": "same", "seed": project.config.seed})
    config = project.config.model_copy(update={"member": (table, again, same)})
    config = config.replace("restoration", members=("tiny-restorer", "again", "same"))
    project = dataclasses.replace(project, config=config)
    jobs = [Job("restoration", name, 0) for name in config.restoration.members]
    first, other, like_first = (fit(job, project=project) for job in jobs)
    assert first.facts["weights"] == like_first.facts["weights"]
    assert first.facts["weights"] != other.facts["weights"]
    assert (first.seed, other.seed) == (3, 4)


@pytest.fixture
def two_folds(make_project: MakeProject) -> Project:
    """Two finished folds, whose best epochs are said to be the first and the fourth."""
    project = make_project(epochs=1)
    for fold, best in ((0, 1), (1, 4)):
        job = Job("restoration", "tiny-restorer", fold)
        fit(job, project=project)
        set_best_epoch(job.files(project.workspace).manifest, best)
    return project


def set_best_epoch(path: Path, best: int) -> None:
    content = json.loads(path.read_text())
    content["facts"]["best_epoch"] = best
    path.write_text(json.dumps(content))


ALL = Job("restoration", "tiny-restorer", FULL)


def test_all_photographs_are_learned_from_for_the_mean_of_the_folds_best_epochs(
    two_folds: Project,
) -> None:
    member = two_folds.members("restoration")[0]
    epochs = 3  # the mean is 2.5
    manifest = fit(ALL, project=two_folds)
    assert manifest.facts["epochs"] == manifest.facts["best_epoch"] == epochs
    assert manifest.made_from == checkpoint_digests(two_folds, member, FULL)
    assert manifest.made_from.keys() == {"data", "fold", "member", "settings", "number of epochs"}
    assert manifest.made_from["number of epochs"] == str(epochs)
    assert not {"val_score", "stopped_early"} & manifest.facts.keys()
    files = ALL.files(two_folds.workspace)
    assert files.folder == two_folds.workspace.checkpoints / "restoration/tiny-restorer/full"
    rows = list(csv.DictReader(files.metrics.read_text().splitlines()))
    assert [int(row["updates"]) for row in rows] == [5 * (k + 1) for k in range(epochs)]
    assert not any(name.startswith("val_") for name in rows[0])
    assert two_folds.training_ids(FULL) == tuple(f"TRAIN_{k:05d}" for k in range(20))
    last = load_file(files.epoch_weights(epochs - 1))
    assert all(torch.equal(last[key], value) for key, value in load_file(files.weights).items())
    assert fit(ALL, project=two_folds) == manifest


def test_a_training_on_all_photographs_is_resumed_bit_for_bit(
    two_folds: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = two_folds.config.replace("training", checkpoint_minutes=1e-9)
    project = dataclasses.replace(two_folds, config=config)
    whole = fit(ALL, project=project).facts
    remove([ALL], project)
    for steps in (2, 5):  # in the first epoch, and in the second
        with killed_after(monkeypatch, steps):
            fit(ALL, project=project)
    assert fit(ALL, project=project).facts == whole


def test_other_best_epochs_of_the_folds_make_it_stale(two_folds: Project) -> None:
    fit(ALL, project=two_folds)
    path = Job("restoration", "tiny-restorer", 1).files(two_folds.workspace).manifest
    set_best_epoch(path, 9)
    with pytest.raises(StaleArtefactError, match=r"another number of epochs; .*full --restart"):
        fit(ALL, project=two_folds)
    shutil.rmtree(path.parent)
    with pytest.raises(StaleArtefactError, match="another number of epochs"):
        fit(ALL, project=two_folds)


def test_before_any_fold_has_finished_there_is_no_number_of_epochs(
    make_project: MakeProject,
) -> None:
    project = make_project()
    message = (
        "restoration `tiny-restorer` learns from all photographs for as many epochs as its folds' "
        "best ones, but none of its folds has finished; first run `ens train --stage restoration "
        "--member tiny-restorer --fold all`"
    )
    for work in (lambda: fit(ALL, project=project), lambda: remove([ALL], project)):
        with pytest.raises(MissingArtefactError, match=re.escape(message)):
            work()


def test_all_photographs_with_averaged_epochs_and_a_schedule(make_project: MakeProject) -> None:
    project = make_project(epochs=3, average_last=2, patience=0, schedule="cosine")
    fit(Job("restoration", "tiny-restorer", 0), project=project)
    facts = fit(ALL, project=project).facts
    assert (facts["epochs"], facts["averaged_epochs"]) == (3, [2, 3])
    rows = list(csv.DictReader(ALL.files(project.workspace).metrics.read_text().splitlines()))
    assert float(rows[-1]["learning_rate"]) == pytest.approx(0.0, abs=1e-12)


def test_ema_weights_are_what_is_validated_and_kept(
    make_project: MakeProject, restoration_job: Job, tmp_path: Path
) -> None:
    plain, ema = make_project(tmp_path / "a"), make_project(tmp_path / "b", ema_decay=0.9)
    first = fit(restoration_job, project=plain)
    second = fit(restoration_job, project=ema)
    assert first.facts["scores"] != second.facts["scores"]
    kept = load_file(restoration_job.files(ema.workspace).weights)
    assert kept.keys() == load_file(restoration_job.files(plain.workspace).weights).keys()


def test_average_of_the_last_epochs_is_validated_and_kept(
    make_project: MakeProject, restoration_job: Job
) -> None:
    project = make_project(epochs=3, average_last=2, patience=0)
    facts = fit(restoration_job, project=project).facts
    files = restoration_job.files(project.workspace)
    assert facts["averaged_epochs"] == [2, 3]
    states = [load_file(files.epoch_weights(epoch)) for epoch in (1, 2)]
    kept = load_file(files.weights)
    for key, value in kept.items():
        if value.is_floating_point():
            mean = (states[0][key] + states[1][key]) / 2
            np.testing.assert_allclose(value.numpy(), mean.numpy(), atol=1e-6)
    assert facts["val_score"] not in facts["scores"]


def test_a_strip_shows_its_pictures_side_by_side() -> None:
    gray = np.full((64, 64), 10, dtype=np.uint8)
    red = np.zeros((256, 256, 3), dtype=np.uint8)
    red[..., 0] = 200
    strip = draw_strip(gray, red)
    assert strip.shape == (PICTURE_SIDE, 2 * PICTURE_SIDE, 3)
    assert np.all(strip[:, :PICTURE_SIDE] == 10)
    assert np.all(strip[:, PICTURE_SIDE:] == (200, 0, 0))
