from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from ensemble.blending import samplers, search
from ensemble.blending.candidate import Candidate, make_picture
from ensemble.blending.evaluate import evaluate, read_other_recipe
from ensemble.blending.evidence import ArchivedEvidence
from ensemble.blending.samplers import HistorySampler, draw_params
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.config_text import config_text
from ensemble.files import atomic_write, exclusive_lock
from ensemble.oof.archive import Archive
from ensemble.oof.priors import read_priors
from ensemble.project import Project
from ensemble.provenance import read_recipe
from ensemble.submission.history import read_expected
from tests.reference.score import literal_gray_terms

MEMBERS = {
    "restoration": {"members": ("navier-stokes", "telea")},
    "colorization": {"members": ("gray",)},
}


@pytest.fixture
def workspace(make_workspace):
    workspace, config = make_workspace(n_train=8, **MEMBERS)
    workspace.config_file.write_text(config_text(config))
    return workspace, config


@pytest.fixture
def blend(ens):
    """Blends, and gives its output on one line."""

    def run(workspace, *flags):
        done = ens(workspace.root, "blend --trials 6", *flags)
        assert done.status == 0, done.err
        return done.line

    return run


def test_without_the_encoders_weights_nothing_is_tuned(ens, workspace, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    workspace, config = workspace
    config = config.replace("colorization", prior_encoder="tf_efficientnet_lite4")
    workspace.config_file.write_text(config_text(config))
    done = ens(workspace.root, "blend --trials 6")
    assert done.status == 2
    assert "`timm/tf_efficientnet_lite4.in1k` are not in the cache" in done.err
    assert not workspace.study_file.exists()


def test_it_writes_the_recipe_the_scores_and_the_study(blend, workspace):
    workspace, config = workspace
    printed = blend(workspace)
    project = Project.open(workspace, config)
    recipe = read_recipe(project)
    assert recipe.folds == (0, 1)
    assert set(read_priors(workspace.priors_file)) == {0, 1, "full"}
    scores = json.loads(workspace.table_file.read_text())["stages"]
    assert set(scores) == {"restoration", "colorization"}
    assert workspace.study_file.exists()
    for words in (
        "folds: 0, 1",
        "restoration: navier-stokes, telea",
        "colorization: gray",
        "restoration: exact scores on 8 photographs",
        "keep the tuned blend: tuned on some groups and scored on the others",
        f"next: ens --root {workspace.root} submit",
    ):
        assert words in printed


def test_a_second_run_changes_nothing(blend, workspace):
    workspace, _ = workspace
    blend(workspace)
    kept = [workspace.recipe_file.read_bytes(), workspace.table_file.read_bytes()]
    atomic_write(workspace.submission_file("submission"), b"an earlier one")
    printed = blend(workspace)
    assert kept == [workspace.recipe_file.read_bytes(), workspace.table_file.read_bytes()]
    assert printed.endswith(f"next: ens --root {workspace.root} submit --force")


def test_stage_2_is_collected_anew_where_stage_1_changed(blend, workspace):
    workspace, _ = workspace
    blend(workspace)
    archive = workspace.oof_dir("colorization", "gray", 0)
    before = Archive(archive).manifest.made_from
    recipe = Recipe.from_json(workspace.recipe_file.read_text())
    blend(workspace, "--force-tuned --seed 5")
    forced = Recipe.from_json(workspace.recipe_file.read_text())
    after = Archive(archive).manifest.made_from
    assert forced.restoration != recipe.restoration
    assert before["restoration"] != after["restoration"]
    assert before["data"] == after["data"]


def test_a_sample_and_one_fold_are_printed(blend, workspace):
    workspace, _ = workspace
    printed = blend(workspace, "--fold 1 --sample 3")
    assert "restoration: tuned and scored on 3 of 4 photographs, whole groups drawn" in printed
    assert "Only one fold is finished: cross-fitting splits its groups in halves" in printed
    assert Recipe.from_json(workspace.recipe_file.read_text()).folds == (1,)


def test_another_storage_is_used(blend, workspace, tmp_path):
    workspace, _ = workspace
    blend(workspace, "--storage", f"{tmp_path}/shared.log", "--sampler greedy")
    assert (tmp_path / "shared.log").exists()
    assert not workspace.study_file.exists()


def test_a_sampler_that_is_gone_is_refused_by_the_nearest_names(ens, workspace):
    workspace, config = workspace
    workspace.config_file.write_text(config_text(config.replace("blend", sampler="cma-es")))
    refused = ens(workspace.root, "blend")
    assert refused.status == 2
    assert "`cma-es` is no sampler; valid, nearest first: `tpe`, `greedy`; set" in refused.err
    assert not workspace.study_file.exists()


class Drawing(HistorySampler):
    def propose(self, history, rng):
        return draw_params(self.space, rng)


def test_another_sampler_is_one_line_of_the_table(blend, workspace, monkeypatch):
    workspace, config = workspace
    monkeypatch.setattr(samplers, "SAMPLERS", {**samplers.SAMPLERS, "drawing": Drawing})
    workspace.config_file.write_text(config_text(config.replace("blend", sampler="drawing")))
    blend(workspace, "--trials 20")
    assert workspace.recipe_file.exists()


def test_a_blend_waits_for_another_process_that_collects(blend, workspace):
    workspace, _ = workspace
    archive, done = workspace.oof_dir("restoration", "telea", 1), []
    with ThreadPoolExecutor(1) as pool, exclusive_lock(archive, what="collecting"):
        waiting = pool.submit(lambda: done.append(blend(workspace)))
        with pytest.raises(TimeoutError):
            waiting.result(timeout=6)
        assert not done
    assert len(done) == 1


def test_one_interruption_ends_the_search_of_both_stages(blend, workspace, monkeypatch):
    workspace, _ = workspace
    run_trial, tried = search._run_trial, []

    def interrupted(*args):
        tried.append(args)
        if len(tried) == 6:
            raise KeyboardInterrupt
        run_trial(*args)

    monkeypatch.setattr(search, "_run_trial", interrupted)
    printed = blend(workspace, "--trials 1000000")
    assert len(tried) < 200  # cross-fits search, too, as long as the interrupted search did
    assert "interrupted: colorization is not searched, its plain blends are compared" in printed
    assert workspace.recipe_file.exists()


def test_a_recipe_made_by_hand_is_scored_beside_the_kept_one(ens, blend, workspace, tmp_path):
    workspace, config = workspace
    blend(workspace)
    before = {p: p.read_bytes() for p in workspace.oof.rglob("*") if p.is_file()}
    kept = Recipe.from_json(workspace.recipe_file.read_bytes())
    same = tmp_path / "same.json"
    same.write_text(kept.to_json())
    said = ens(workspace.root, "blend --evaluate", same)
    assert said.status == 0, said.err
    assert said.out.count(f"{same} less the kept recipe: +0.0000, standard error 0.0000") == 2
    assert f"{kept_score(workspace, 'restoration'):.4f}" in said.out
    assert f"{kept_score(workspace, 'colorization'):.4f}" in said.out
    other = tmp_path / "other.json"
    names = {"navier-stokes": 0.5, "telea": 0.5}
    views = dict.fromkeys(names, ("identity",))
    mine = kept.model_copy(
        update={
            "restoration": StageRecipe(weights=names, views=views),
            "composition": Composition(hue="none", data_range="as-is"),
        }
    )
    other.write_text(mine.to_json())
    project = Project.open(workspace, config)
    found = evaluate(project, read_other_recipe(other), sample=0, seed=0)
    evidence = ArchivedEvidence(project, project.members("restoration"), (0, 1))
    scores = []
    for image_id in evidence.image_ids:
        subject, read = evidence.subject(image_id), evidence.reader(image_id)
        picture = make_picture("restoration", subject, read, Candidate(mine.restoration))
        *_, score = literal_gray_terms(
            pred=picture, target=subject.target, lost_mask=subject.lost_mask
        )
        scores.append(score)
    assert found[0].other["score"] == pytest.approx(sum(scores) / len(scores), abs=1e-9)
    assert found[0].gain.gain == pytest.approx(
        found[0].other["score"] - found[0].kept["score"], abs=1e-12
    )
    assert found[1].other["hue"] != found[1].kept["hue"]
    assert {p: p.read_bytes() for p in workspace.oof.rglob("*") if p.is_file()} == before


def test_a_recipe_of_other_folds_is_not_scored(ens, blend, workspace, tmp_path):
    workspace, _ = workspace
    blend(workspace)
    kept = Recipe.from_json(workspace.recipe_file.read_bytes())
    elsewhere = tmp_path / "folds.json"
    elsewhere.write_text(kept.model_copy(update={"folds": (0,)}).to_json())
    assert (
        "`folds` must be those of the kept recipe"
        in ens(workspace.root, "blend --evaluate", elsewhere).err
    )


def kept_score(workspace, stage):
    found = json.loads(workspace.table_file.read_text())["stages"][stage]
    return next(row["score"] for row in found["rows"] if row["name"] == found["kept"])


def test_a_subset_of_the_members_is_blended(ens, blend, workspace):
    workspace, config = workspace
    said = blend(workspace, "--member telea")
    assert "restoration: telea " in said
    assert "left out: restoration `navier-stokes`, which --member does not name" in said
    recipe = read_recipe(Project.open(workspace, config))
    assert set(recipe.restoration.weights) == {"telea"}
    assert set(recipe.colorization.weights) == {"gray"}
    assert read_expected(workspace, recipe) is not None
    assert "nobody" in ens(workspace.root, "blend --member nobody").err
