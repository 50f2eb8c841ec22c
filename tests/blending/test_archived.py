from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.blending import run
from ensemble.blending.evidence import ArchivedEvidence, fit_priors
from ensemble.blending.space import SearchSpace
from ensemble.blending.tune import Settings, tune
from ensemble.composition.blend import blend_gray
from ensemble.composition.hue_prior import HuePrior, count_inner_hues
from ensemble.composition.recipe import Composition, StageRecipe
from ensemble.damage.locate import locate_hole
from ensemble.oof.collect import collect
from ensemble.oof.predictions import ArchivedPredictions
from ensemble.oof.priors import Priors
from ensemble.project import Project
from ensemble.provenance import restoration_for
from ensemble.vocabulary import FULL, VIEWS

RECIPE = StageRecipe(
    weights={"navier-stokes": 0.4, "telea": 0.6},
    views=dict.fromkeys(("navier-stokes", "telea"), VIEWS),
)


@pytest.fixture
def project(make_workspace) -> Project:
    return Project.open(
        *make_workspace(
            restoration={"members": ("navier-stokes", "telea")}, colorization={"members": ("gray",)}
        )
    )


@pytest.fixture
def collected(project) -> Project:
    for fold in (0, 1):
        for member in project.members("restoration"):
            collect(project, member, fold)
        collect(project, project.members("colorization")[0], fold, restoration=RECIPE)
    return project


def restoration(project):
    return ArchivedEvidence(project, project.members("restoration"), (0, 1))


def colorization(project, priors=None):
    members = project.members("colorization")
    return ArchivedEvidence(project, members, (0, 1), restoration=RECIPE, priors=priors)


def test_restoration_reads_the_damaged_gray_and_its_truth(collected):
    evidence = restoration(collected)
    image_id = evidence.image_ids[0]
    sample = collected.competition.train_sample(image_id)
    subject = evidence.subject(image_id)
    assert np.array_equal(subject.target, luma(sample.target))
    assert np.array_equal(subject.gray, sample.damaged)
    assert np.array_equal(subject.lost_mask, sample.lost_mask)
    assert set(evidence.image_ids) == set(collected.folds.image_ids)
    assert evidence.folds[image_id] == collected.folds.fold_of[image_id]


def test_colorization_starts_from_the_restored_gray(collected):
    priors = fit_priors(collected, (0, 1))
    evidence = colorization(collected, priors)
    image_id = evidence.image_ids[-1]
    subject = evidence.subject(image_id)
    predictions = ArchivedPredictions(collected, collected.members("restoration"), (0, 1))
    sample = collected.competition.train_sample(image_id)
    hole = locate_hole(sample.damaged).lost_mask
    blend = blend_gray(RECIPE, partial(predictions.read, image_id), hole)
    due = np.where(hole, np.rint(blend), sample.damaged).astype(np.uint8)
    assert np.array_equal(subject.gray, due)
    assert np.array_equal(evidence.read(image_id, "gray", "hflip"), np.repeat(due[..., None], 3, 2))
    assert np.array_equal(subject.prior, priors.predict(evidence.folds[image_id], subject.gray))


def test_a_prior_is_applied_once_a_photograph(collected, monkeypatch):
    evidence = colorization(collected, fit_priors(collected, (0, 1)))
    calls = []
    predict = HuePrior.predict

    def count(*arguments):
        calls.append(arguments)
        return predict(*arguments)

    monkeypatch.setattr(HuePrior, "predict", count)
    first, again = evidence.image_ids[0], evidence.image_ids[-1]
    found = [evidence.subject(image_id).prior for image_id in (first, again, first, again)]
    assert len(calls) == 2
    assert np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


def test_of_one_picture_no_way_to_blend_chroma_is_searched(collected, monkeypatch):
    spaces = {}

    def note(evidence, space, *arguments, **options):
        spaces[evidence.stage] = space
        return tune(evidence, space, *arguments, **options)

    monkeypatch.setattr(run, "tune", note)
    recipe = run.run_blend(collected, (0, 1), Settings(trials=1))
    assert recipe.composition.chroma == "mean"
    assert "chroma" not in spaces["colorization"].distributions
    assert len(spaces["colorization"].compositions()) == 6


def test_a_prior_sees_nothing_of_its_own_fold_and_the_last_sees_all(project):
    unfitted = Priors(encoder=SimpleNamespace(describe=lambda gray: (gray[5] / 9.0,)))
    priors = fit_priors(project, (0, 1), unfitted)
    assert priors.encoder is unfitted.encoder
    learned = {k: project.folds.training(k) for k in (0, 1)} | {FULL: project.folds.image_ids}
    assert priors.of_folds.keys() == learned.keys()
    for fold, image_ids in learned.items():
        seen = [project.competition.target(i) for i in image_ids]
        kinds = zip(*(unfitted.describe(luma(target)) for target in seen), strict=True)
        due = HuePrior.fit(
            statistics=[np.stack(kind) for kind in kinds],
            histograms=np.stack([count_inner_hues(target) for target in seen]),
        )
        for name, array in due.to_arrays().items():
            assert priors.of_folds[fold].to_arrays()[name] == pytest.approx(array, abs=1e-12)


def test_the_digest_changes_with_what_is_read(collected):
    priors = fit_priors(collected, (0, 1))
    digests = {
        restoration(collected).digest,
        colorization(collected).digest,
        colorization(collected, priors).digest,
        ArchivedEvidence(collected, collected.members("restoration")[:1], (0, 1)).digest,
        ArchivedEvidence(collected, collected.members("restoration"), (1,)).digest,
    }
    assert len(digests) == 5
    assert restoration(collected).digest in digests


def test_the_plain_mean_is_the_blend_that_stage_2_was_collected_on(make_workspace):
    members = ("navier-stokes", "telea", "harmonic")
    project = Project.open(*make_workspace(restoration={"members": members}))
    for fold in (0, 1):
        for member in project.members("restoration"):
            collect(project, member, fold)
    evidence = restoration(project)
    assert set(map(len, evidence.views.values())) == {1, 4}
    space = SearchSpace(views=evidence.views, fixed=Composition(hue="none"))
    (colorizer, *_) = project.members("colorization")
    assert space.plain_mean().recipe == restoration_for(project, colorizer, 0)
