from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ensemble.errors import ConfigError
from ensemble.files import atomic_write, exclusive_lock
from ensemble.workspace import Workspace


def test_every_path_lies_below_the_root(tmp_path: Path):
    workspace = Workspace(tmp_path)
    paths = [path for name, path in vars(workspace).items() if name != "root"]
    assert len(paths) >= 10
    paths += [
        workspace.checkpoint_dir("restoration", "m", 2),
        workspace.oof_dir("colorization", "m", 0),
        workspace.external_test_dir("colorization", "m"),
        workspace.submission_file("first"),
    ]
    assert all(path.is_relative_to(tmp_path) and path != tmp_path for path in paths)
    assert len(set(paths)) == len(paths)


def test_the_documented_places(tmp_path: Path):
    workspace = Workspace(tmp_path)
    checkpoint = workspace.checkpoint_dir("restoration", "unet-mobilenet-v2", 3)
    assert checkpoint == tmp_path / "checkpoints/restoration/unet-mobilenet-v2/fold-3"
    assert workspace.submission_file("a") == tmp_path / "submissions/a.zip"
    assert workspace.recipe_file == tmp_path / "oof/recipe.json"


def test_naming_paths_makes_nothing(tmp_path: Path):
    Workspace(tmp_path).checkpoint_dir("restoration", "m", 0)
    assert not list(tmp_path.iterdir())


HOSTILE = [
    "", ".", "..", "../x", "/x", "a/b", "a\\b", "C:x", "-x", ".x", "a\n", "a\x1b", "a b", "a" * 65,
    "a.", "a..", "con", "NUL.txt", "Com1", "lpt\u00b9.x", "a\u202eb", "a\u0000",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_no_plain_name_makes_no_path(tmp_path: Path, name: str):
    workspace = Workspace(tmp_path)
    for make in (
        lambda: workspace.checkpoint_dir("restoration", name, 0),
        lambda: workspace.oof_dir("restoration", name, 0),
        lambda: workspace.external_test_dir("restoration", name),
    ):
        with pytest.raises(ConfigError, match="the name of a member must be 1 to 64 letters"):
            make()
    refusal = f"the name of a submission .* but got {re.escape(repr(name))}; choose another"
    with pytest.raises(ConfigError, match=refusal):
        workspace.submission_file(name)


@pytest.mark.parametrize(
    "name", ["a", "unet-b0.v2_x", "0", "a..b", "console", "com", "xnul", "\uac00\ub098", "a" * 64]
)
def test_a_plain_name_makes_a_path(tmp_path: Path, name: str):
    assert Workspace(tmp_path).submission_file(name).name == f"{name}.zip"


def test_a_link_to_the_stage_or_the_member_makes_no_path(tmp_path: Path):
    workspace, elsewhere = Workspace(tmp_path / "w"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder in (workspace.oof, workspace.checkpoints):
        for link in (folder / "restoration/m", folder / "restoration"):
            shutil.rmtree(folder, ignore_errors=True)
            link.parent.mkdir(parents=True)
            link.symlink_to(elsewhere)
            of = workspace.oof_dir if folder == workspace.oof else workspace.checkpoint_dir
            message = f"`{link}` must not be a link, because .* leads to `{elsewhere}`; put a copy"
            with pytest.raises(ConfigError, match=message):
                of("restoration", "m", 0)
    with pytest.raises(ConfigError, match="must not be a link"):
        workspace.checkpoint_dir("restoration", "m", "full")
    (workspace.oof / "colorization").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="must not be a link"):
        workspace.external_test_dir("colorization", "m")


def test_the_folders_of_a_workspace_may_be_links(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    workspace = Workspace(tmp_path)
    workspace.oof.symlink_to(tmp_path / "disk")
    folder = workspace.oof_dir("restoration", "m", 0)
    with exclusive_lock(folder, what="testing"):
        atomic_write(folder / "a", "b")
    assert (tmp_path / "disk/restoration/m/fold-0/a").read_text() == "b"
