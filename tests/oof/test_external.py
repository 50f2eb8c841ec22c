from __future__ import annotations

import zipfile

import numpy as np
import pytest

from ensemble.config import Config, CustomMember
from ensemble.data.png import write_png
from ensemble.errors import ConfigError, DataError, MissingFileError
from ensemble.oof.external import import_oof, import_test
from ensemble.oof.predictions import ArchivedPredictions
from ensemble.oof.state import member_state
from ensemble.project import Project


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
    import_oof(project, member, theirs, advance=ignore)
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
    archives = import_oof(project, member, tmp_path / "theirs.zip", advance=ignore)
    assert all(archive.complete for archive in archives)


def test_a_damaged_zip_is_named(project, theirs, tmp_path):
    path = tmp_path / "theirs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for image_id in project.folds.image_ids:
            archive.write(theirs / f"{image_id}.png", f"{image_id}.png")
    content = path.read_bytes()
    start = len(f"{project.folds.image_ids[0]}.png") + 30
    path.write_bytes(content[:start] + b"\xff" * 8 + content[start + 8 :])
    with pytest.raises(DataError, match="cannot be read: .*; make it again") as error:
        import_oof(project, project.members("colorization")[0], path, advance=ignore)
    assert str(error.value).startswith(f"`{path}/{project.folds.image_ids[0]}.png`")


def test_a_missing_picture_is_named(project, theirs):
    absent = project.folds.validation(1)[0]
    (theirs / f"{absent}.png").unlink()
    with pytest.raises(MissingFileError, match=f"lacks 1 of 3, `{absent}.png` among them"):
        import_oof(project, project.members("colorization")[0], theirs, advance=ignore)


def test_a_picture_of_another_size_is_named(project, theirs):
    first = project.folds.validation(0)[0]
    write_png(theirs / f"{first}.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match=rf"{first}.png` must be \(48, 48\), but is \(9, 9\)"):
        import_oof(project, project.members("colorization")[0], theirs, advance=ignore)


def test_only_external_members_are_imported(project, theirs):
    with pytest.raises(ConfigError, match="`gray` is fixed"):
        import_oof(project, project.members("colorization")[1], theirs, advance=ignore)


def test_neither_folder_nor_zip(project, tmp_path):
    with pytest.raises(MissingFileError, match="a folder or a zip"):
        import_test(project, project.members("colorization")[0], tmp_path / "none", advance=ignore)
