from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from ensemble import checkpoint, provenance
from ensemble.composition.blend import blend_gray
from ensemble.composition.recipe import StageRecipe
from ensemble.config import Config
from ensemble.damage.fill import fill_hole
from ensemble.data.folds_csv import write_folds
from ensemble.errors import ConfigError, MissingArtefactError, StaleArtefactError
from ensemble.inference.fixed import InpaintingPredictor
from ensemble.oof import collect as room
from ensemble.oof.archive import Archive
from ensemble.oof.collect import collect, restore
from ensemble.oof.predictions import ArchivedPredictions, open_restored
from ensemble.project import Project
from ensemble.provenance import restoration_for
from ensemble.report.status import member_state
from ensemble.vocabulary import VIEWS
from tests.conftest import UNTRAINED
from tests.reference.dealt import deal


def navier_stokes(project):
    return project.members("restoration")[0]


def test_each_photograph_is_predicted_by_its_own_fold(project):
    for fold in (0, 1):
        archive = collect(project, navier_stokes(project), fold)
        assert not archive.missing(archive.image_ids)
        assert archive.image_ids == project.folds.validation(fold)
    predictions = ArchivedPredictions(project, [navier_stokes(project)], [0, 1])
    assert set(predictions.image_ids) == set(project.folds.image_ids)
    image_id = project.folds.validation(1)[0]
    damaged = project.competition.train_sample(image_id).damaged
    expected = fill_hole(damaged, project.photographs.located(image_id), method="navier-stokes")
    assert np.array_equal(predictions.read(image_id, "navier-stokes", "identity"), expected)


def test_what_flips_do_not_change_is_archived_once(make_workspace):
    project = Project.open(*make_workspace(restoration={"members": ("spline", "telea")}))
    spline, telea = project.members("restoration")
    assert collect(project, spline, 0).views == ("identity",)
    assert collect(project, telea, 0).views == VIEWS
    predictions = ArchivedPredictions(project, [spline], [0])
    for view in VIEWS:
        found = predictions.read(predictions.image_ids[0], "spline", view)
        first = predictions.read(predictions.image_ids[0], "spline", "identity")
        assert np.array_equal(found, first)


def test_a_sample_of_whole_groups_is_predicted(make_workspace):
    project = Project.open(*make_workspace(**UNTRAINED, oof={"photographs": 2}))
    found = [collect(project, navier_stokes(project), fold).image_ids for fold in (0, 1)]
    assert [len(ids) for ids in found] == [1, 1]
    assert found == [project.oof_sample(0), project.oof_sample(1)]
    predictions = ArchivedPredictions(project, [navier_stokes(project)], [0, 1])
    assert predictions.image_ids == found[0] + found[1]
    recipe = StageRecipe.single("navier-stokes")
    assert restore(project, 0, recipe).image_ids == found[0]


def test_a_larger_sample_adds_to_what_is_there_and_a_smaller_one_keeps_it(
    make_workspace, monkeypatch
):
    workspace, config = make_workspace(**UNTRAINED, oof={"photographs": 2})
    project = Project.open(workspace, config)
    member, gray = navier_stokes(project), project.member("colorization", "gray")
    recipe = StageRecipe.single("navier-stokes")
    (first,) = collect(project, member, 0).image_ids
    collect(project, gray, 0, restoration=recipe)
    larger = Project.open(workspace, config.replace("oof", photographs=0))
    assert member_state(larger, member, 0) == "-"
    with pytest.raises(MissingArtefactError, match="lacks 2 of 3 photographs; run `ens oof"):
        ArchivedPredictions(larger, [member], [0])
    told, due = [], larger.oof_sample(0)
    assert collect(larger, member, 0, advance=told.append).image_ids == due
    restore(larger, 0, recipe, advance=told.append)
    collect(larger, gray, 0, restoration=recipe, advance=told.append)
    assert told == [2, 2, 2]
    assert first in due
    anew = Project.open(*make_workspace(**UNTRAINED, oof={"photographs": 0}))
    for one in (member, gray):
        started_from = recipe if one is gray else None
        made = collect(anew, member, 0) if one is member else None
        made = made or collect(anew, gray, 0, restoration=recipe)
        found = collect(larger, one, 0, restoration=started_from)
        for image_id in due:
            np.testing.assert_array_equal(
                found.read(image_id, one.views[0]), made.read(image_id, one.views[0])
            )
    monkeypatch.setattr(room, "load_predictor", lambda *_: pytest.fail("predicted again"))
    assert collect(project, member, 0).image_ids == due
    assert member_state(project, member, 0) == "cached"
    assert ArchivedPredictions(project, [member], [0]).image_ids == (first,)


def test_a_disk_without_room_is_refused_and_nothing_is_removed(project, monkeypatch):
    archive = collect(project, navier_stokes(project), 0)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(
        ConfigError, match="predictions need .* to spare, but .* are free.*`photographs` under"
    ):
        Archive.create(
            archive.path,
            image_ids=archive.image_ids,
            views=VIEWS,
            item_shape=(64, 64),
            dtype="uint8",
            made_from={},
            seed=0,
        )
    assert not Archive(archive.path).missing(archive.image_ids)


def test_collecting_again_predicts_nothing(project, monkeypatch):
    collect(project, navier_stokes(project), 0)
    monkeypatch.setattr(room, "load_predictor", lambda *_: pytest.fail("predicted again"))
    again = collect(project, navier_stokes(project), 0)
    assert not again.missing(again.image_ids)


def test_an_interrupted_collection_goes_on_where_it_stopped(project, monkeypatch):
    monkeypatch.setattr(room, "FLUSH_EVERY", 1)
    seen: list[int] = []

    def stop_after_one(count: int) -> None:
        seen.append(count)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(project, navier_stokes(project), 0, advance=stop_after_one)
    assert member_state(project, navier_stokes(project), 0) == "-"
    written = Archive(project.archive_folder(navier_stokes(project), 0))
    assert sum(seen) <= len(written.image_ids) - len(written.missing(written.image_ids))
    rest: list[int] = []
    archive = collect(project, navier_stokes(project), 0, advance=rest.append)
    assert not archive.missing(archive.image_ids)
    assert sum(rest) == len(written.missing(written.image_ids))
    assert member_state(project, navier_stokes(project), 0) == "cached"


def test_colorization_starts_from_the_blend_of_the_same_fold(project):
    recipe = StageRecipe(
        weights={"navier-stokes": 0.25, "telea": 0.75},
        views={"navier-stokes": ("identity",), "telea": VIEWS},
    )
    for member in project.members("restoration"):
        collect(project, member, 0)
    gray_member = project.members("colorization")[0]
    archive = collect(project, gray_member, 0, restoration=recipe)
    predictions = ArchivedPredictions(project, project.members("restoration"), [0])
    restored = open_restored(project, 0, recipe)
    for image_id in archive.image_ids:
        sample = project.competition.train_sample(image_id)
        hole = project.photographs.located(image_id)
        shown = restored.read(image_id, "identity")
        assert np.array_equal(archive.read(image_id, "identity"), np.stack([shown] * 3, axis=-1))
        assert np.array_equal(shown[~hole], sample.damaged[~hole])
        blend = blend_gray(recipe, partial(predictions.read, image_id), hole)
        assert np.abs(shown[hole] - blend[hole]).max() <= 0.5


def test_another_blend_makes_the_colorization_stale(project):
    for member in project.members("restoration"):
        collect(project, member, 0)
    colorizer = project.members("colorization")
    first = StageRecipe.single("telea")
    collect(project, colorizer[0], 0, restoration=first)
    ArchivedPredictions(project, colorizer, [0], restoration=first)
    with pytest.raises(StaleArtefactError, match="another restoration"):
        ArchivedPredictions(
            project, colorizer, [0], restoration=StageRecipe.single("navier-stokes")
        )


def test_other_folds_make_every_archive_stale_and_collecting_mends_it(project):
    member = navier_stokes(project)
    collect(project, member, 0)
    names = project.folds.image_ids
    write_folds(project.workspace.folds_file, deal(names, 2, seed=1))
    other = Project.open(project.workspace, project.config)
    assert other.folds != project.folds
    assert member_state(other, member, 0) == "stale"
    with pytest.raises(StaleArtefactError, match="another folds than the present one"):
        ArchivedPredictions(other, [member], [0])
    assert collect(other, member, 0).image_ids == other.folds.validation(0)


def test_an_incomplete_archive_is_not_read(project, monkeypatch):
    monkeypatch.setattr(room, "FLUSH_EVERY", 1)
    monkeypatch.setattr(
        InpaintingPredictor,
        "predict",
        lambda self, shown, views=VIEWS: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    with pytest.raises(KeyboardInterrupt):
        collect(project, navier_stokes(project), 0)
    with pytest.raises(MissingArtefactError, match="lacks 3 of 3 photographs; run `ens oof"):
        ArchivedPredictions(project, [navier_stokes(project)], [0])


def test_the_plain_mean_is_of_the_members_that_are_there(project):
    gray = project.member("colorization", "gray")
    recipe = restoration_for(project, gray, 0)
    assert recipe is not None
    assert recipe.weights == {"navier-stokes": 0.5, "telea": 0.5}
    assert restoration_for(project, navier_stokes(project), 0) is None
    untrained = Project(
        project.workspace,
        Config().replace("data", size=project.config.data.size),
        project.competition,
        project.folds,
    )
    assert restoration_for(untrained, gray, 0) is None


@pytest.mark.parametrize("changed", ["views", "locator", "fill"])
def test_another_view_locator_or_fill_makes_an_archive_stale_and_collecting_mends_it(
    project, monkeypatch, changed
):
    member = navier_stokes(project)
    collect(project, member, 0)
    if changed == "views":
        monkeypatch.setattr(provenance, "TURNS", {**provenance.TURNS, "rot90": (1, False)})
    elif changed == "locator":
        monkeypatch.setattr(provenance, "locator_digest", lambda: "other")
    else:
        monkeypatch.setattr(checkpoint, "FILL_VERSION", 99)
    assert member_state(project, member, 0) == "stale"
    with pytest.raises(StaleArtefactError, match=f"another {changed} than .* run `ens oof"):
        ArchivedPredictions(project, [member], [0])
    collect(project, member, 0)
    assert member_state(project, member, 0) == "cached"


def test_archives_of_two_folds_that_changed_places_are_made_anew(project):
    member = navier_stokes(project)
    folders = [collect(project, member, fold).path for fold in (0, 1)]
    aside = folders[0].with_name("aside")
    folders[0].rename(aside), folders[1].rename(folders[0]), aside.rename(folders[1])
    with pytest.raises(StaleArtefactError, match="another fold than"):
        ArchivedPredictions(project, [member], [0])
    assert collect(project, member, 0).image_ids == project.folds.validation(0)


def test_the_restored_gray_is_blended_once_a_fold(project, monkeypatch):
    recipe = StageRecipe.plain_mean(["navier-stokes", "telea"])
    for member in project.members("restoration"):
        collect(project, member, 0)
    first = restore(project, 0, recipe)
    monkeypatch.setattr(room, "blend_gray", lambda *_: pytest.fail("blended again"))
    collect(project, project.members("colorization")[0], 0, restoration=recipe)
    assert restore(project, 0, recipe).manifest == first.manifest


def test_another_blend_makes_the_restored_gray_anew(project):
    for member in project.members("restoration"):
        collect(project, member, 0)
    recipes = [StageRecipe.single(name) for name in ("navier-stokes", "telea")]
    image_id = project.folds.validation(0)[0]
    pictures = [restore(project, 0, recipe).read(image_id, "identity") for recipe in recipes]
    assert not np.array_equal(*pictures)
    with pytest.raises(StaleArtefactError, match="another restoration and .*ens oof --stage col"):
        open_restored(project, 0, recipes[0])
