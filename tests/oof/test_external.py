from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest

from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.config import Config, CustomMember
from ensemble.data.png import write_png
from ensemble.errors import (
    ConfigError,
    DataError,
    MissingArtefactError,
    MissingFileError,
    StaleArtefactError,
)
from ensemble.oof.collect import collect
from ensemble.oof.external import import_oof, import_test
from ensemble.oof.predictions import ArchivedPredictions, open_external_test
from ensemble.project import Project
from ensemble.provenance import recipe_digests, submission_digests
from ensemble.report.status import member_state


@pytest.fixture
def project(make_workspace) -> Project:
    workspace, config = make_workspace(colorization={"members": ("theirs", "gray")})
    theirs = CustomMember(name="theirs", stage="colorization", arch="external")
    config = Config.model_validate({**config.model_dump(), "member": [theirs.model_dump()]})
    return Project.open(workspace, config)


@pytest.fixture
def theirs(project, tmp_path):
    folder = tmp_path / "theirs"
    for image_id in project.folds.image_ids:
        write_png(folder / f"{image_id}.png", 255 - project.competition.target(image_id))
    return folder


def ignore(_: int) -> None: ...


def test_imported_predictions_are_read_like_any_other(project, theirs):
    member = project.members("colorization")[0]
    import_oof(project, member, theirs)
    predictions = ArchivedPredictions(project, [member], [0, 1])
    for image_id in project.folds.image_ids:
        expected = 255 - project.competition.target(image_id)
        for view in ("identity", "hflip"):
            assert np.array_equal(predictions.read(image_id, "theirs", view), expected)
    assert member_state(project, member, 1) == "cached"


def test_a_zip_serves_as_well(project, theirs, tmp_path):
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w") as archive:
        for path in theirs.iterdir():
            archive.write(path, path.name)
    member = project.members("colorization")[0]
    archives = import_oof(project, member, tmp_path / "theirs.zip")
    assert not any(archive.missing(archive.image_ids) for archive in archives)


def test_a_damaged_zip_is_named(project, theirs, tmp_path):
    path = tmp_path / "theirs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for image_id in project.folds.image_ids:
            archive.write(theirs / f"{image_id}.png", f"{image_id}.png")
    content = path.read_bytes()
    start = len(f"{project.folds.image_ids[0]}.png") + 30
    path.write_bytes(content[:start] + b"\xff" * 8 + content[start + 8 :])
    with pytest.raises(DataError, match="is damaged at .*; make it again") as error:
        import_oof(project, project.members("colorization")[0], path)
    assert f"`{path}` is damaged at `{project.folds.image_ids[0]}.png`" in str(error.value)


def test_a_missing_picture_is_named(project, theirs):
    absent = project.folds.validation(1)[0]
    (theirs / f"{absent}.png").unlink()
    with pytest.raises(MissingFileError, match=f"lacks 1 of 6, `{absent}.png` among them"):
        import_oof(project, project.members("colorization")[0], theirs)


def test_only_the_sampled_photographs_are_due_and_others_are_taken(project, theirs):
    config = project.config.replace("oof", photographs=3)
    sampled = Project.open(project.workspace, config)
    due = {i for fold in (0, 1) for i in sampled.oof_sample(fold)}
    others = [i for i in sampled.folds.image_ids if i not in due]
    assert due
    assert others
    for image_id in others[1:]:
        (theirs / f"{image_id}.png").unlink()
    member = sampled.members("colorization")[0]
    archives = import_oof(sampled, member, theirs)
    stored = {i for archive in archives for i in archive.image_ids}
    assert stored == {*due, others[0]}
    predictions = ArchivedPredictions(sampled, [member], [0, 1])
    assert set(predictions.image_ids) == due
    (theirs / f"{min(due)}.png").unlink()
    with pytest.raises(MissingFileError, match=f"`{min(due)}.png` among them; `ens oof sample`"):
        import_oof(sampled, member, theirs)


def test_a_picture_of_another_size_is_named(project, theirs):
    first = project.folds.validation(0)[0]
    write_png(theirs / f"{first}.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(
        DataError,
        match=rf"{first}.png` must be as large as its photograph, 48 x 48 px, but is 9 x 9 px",
    ):
        import_oof(project, project.members("colorization")[0], theirs)


def test_only_external_members_are_imported(project, theirs):
    with pytest.raises(ConfigError, match="`gray` is fixed"):
        import_oof(project, project.members("colorization")[1], theirs)


def test_neither_folder_nor_zip(project, tmp_path):
    with pytest.raises(MissingFileError, match="a folder or a zip"):
        import_test(project, project.members("colorization")[0], tmp_path / "none")


def test_a_failed_import_leaves_the_earlier_one(project, theirs):
    member = project.members("colorization")[0]
    import_oof(project, member, theirs)
    import_test_of(project, theirs.parent / "sent")
    before = contents(project.workspace.oof)
    last = project.folds.validation(1)[-1]
    (theirs / f"{last}.png").write_bytes(b"no png")
    with pytest.raises(DataError, match=last):
        import_oof(project, member, theirs)
    broken = theirs.parent / "sent" / f"{project.competition.test_ids[-1]}.png"
    broken.write_bytes(broken.read_bytes()[:-5])
    with pytest.raises(DataError, match="truncated"):
        import_test(project, member, broken.parent)
    assert contents(project.workspace.oof) == before


def import_test_of(project, folder):
    for image_id in project.competition.test_ids:
        write_png(folder / f"{image_id}.png", np.zeros((48, 48, 3), np.uint8))
    return import_test(project, project.members("colorization")[0], folder)


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (["a/{}.png", "b/{}.png"], "must be flat, .* lies in a folder"),
        (["{}.png", "{}.PNG"], "one PNG for a photograph, but has"),
        (["{}.png", "{}.txt"], "must hold PNGs only, but `.*txt` is none"),
        (["../{}.png"], "must be flat"),
    ],
)
def test_an_ambiguous_zip_is_refused(project, theirs, tmp_path, entries, told):
    path = tmp_path / "theirs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for image_id in project.folds.image_ids:
            for entry in entries:
                archive.write(theirs / f"{image_id}.png", entry.format(image_id))
    with pytest.raises(DataError, match=told):
        import_oof(project, project.members("colorization")[0], path)


def test_an_imported_file_that_is_gone_is_due_again(project, theirs):
    member = project.members("colorization")[0]
    import_oof(project, member, theirs)
    shutil.rmtree(project.archive_folder(member, 1) / "views.zarr/identity/c/0")
    with pytest.raises(MissingArtefactError, match="lacks 1 of .*; run `ens oof import theirs"):
        collect(project, member, 1)


def test_test_predictions_of_other_photographs_are_refused(project, theirs, tmp_path):
    member = project.members("colorization")[0]
    import_test_of(project, tmp_path / "sent")
    archive = open_external_test(project, member)
    assert not archive.missing(archive.image_ids)
    image_id = project.competition.test_ids[0]
    path = project.workspace.data / "test_input" / f"{image_id}.png"
    write_png(path, 255 - project.competition.test_input(image_id))
    changed = Project.open(project.workspace, project.config)
    with pytest.raises(StaleArtefactError, match="another test than .* import theirs .*--test"):
        open_external_test(changed, member)


def test_without_test_predictions_what_imports_them_is_told(project):
    with pytest.raises(MissingArtefactError, match="ens oof import theirs .*--test"):
        open_external_test(project, project.members("colorization")[0])


def test_other_predictions_make_recipe_and_zip_stale(project, theirs, tmp_path):
    member = project.members("colorization")[0]
    import_oof(project, member, theirs)
    import_test_of(project, tmp_path / "sent")
    recipe = Recipe(
        restoration=StageRecipe.single("unet-efficientnet-b0"),
        colorization=StageRecipe.single("theirs"),
        composition=Composition(hue="none"),
        folds=(0, 1),
        made_from=recipe_digests(project, [member], (0, 1), priors=""),
    )
    sent = submission_digests(project, recipe)["colorization/theirs/test"]
    image_id = project.folds.validation(0)[0]
    write_png(theirs / f"{image_id}.png", project.competition.target(image_id))
    import_oof(project, member, theirs)
    write_png(tmp_path / "sent" / "TEST_000.png", np.ones((48, 48, 3), np.uint8))
    import_test(project, member, tmp_path / "sent")
    now = recipe_digests(project, [member], (0, 1), priors="")
    changed = [key for key in now if now[key] != recipe.made_from[key]]
    assert changed == ["colorization/theirs/fold-0"]
    assert submission_digests(project, recipe)["colorization/theirs/test"] != sent
