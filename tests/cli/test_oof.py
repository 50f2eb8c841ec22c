from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.config_text import config_text
from ensemble.data.png import write_png
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.workspace import Workspace

MEMBERS = {"restoration": {"members": ("telea",)}, "colorization": {"members": ("gray",)}}
EXTERNAL = """
[[member]]
name = "theirs"
stage = "colorization"
arch = "external"
"""


@pytest.fixture
def workspace(make_workspace) -> Workspace:
    workspace, config = make_workspace(n_train=4, n_test=2, **MEMBERS)
    workspace.config_file.write_text(config_text(config))
    return workspace


@pytest.fixture
def external(workspace: Workspace) -> Workspace:
    text = workspace.config_file.read_text()
    workspace.config_file.write_text(text.replace('["gray"]', '["gray", "theirs"]') + EXTERNAL)
    return workspace


def complete(workspace: Workspace, stage: str, member: str) -> list[int]:
    folders = {k: workspace.oof_dir(stage, member, k) for k in (0, 1)}
    archives = {k: Archive(path) for k, path in folders.items() if path.exists()}
    return [k for k, archive in archives.items() if not archive.missing(archive.image_ids)]


def test_every_member_and_fold_is_collected(ens, workspace: Workspace) -> None:
    said = ens(workspace.root, "oof")
    assert said.status == 0
    places = [("restoration", "telea"), ("colorization", "gray")]
    assert said.out.splitlines() == [
        *(f"complete: {workspace.oof_dir(*place, fold)}" for place in places for fold in (0, 1)),
        f"next: ens --root {workspace.root} blend --trials 200",
    ]
    assert all(complete(workspace, *place) == [0, 1] for place in places)


def test_one_stage_member_and_fold_when_asked(ens, workspace: Workspace) -> None:
    root = workspace.root
    assert ens(root, "oof", "--stage", "restoration", "--fold", 1).status == 0
    assert complete(workspace, "restoration", "telea") == [1]
    assert complete(workspace, "colorization", "gray") == []
    assert ens(root, "oof", "--member", "gray", "--fold", 1).status == 0
    assert complete(workspace, "restoration", "telea") == [1]
    assert complete(workspace, "colorization", "gray") == [1]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ("--member", "gry"),
            "`gry` is no member to train or collect; valid, nearest first: `gray`, `tel",
        ),
        (
            ("--stage", "restoration", "--member", "gray"),
            "`gray` is no restoration member to train or collect; valid, nearest first: `telea`",
        ),
        (("--fold", "2"), "--fold takes one of 0..1"),
        (("--weights", "file.pth"), "--weights is the file of one released colorizer; name it"),
        (
            ("import", "theirs", "--oof", "x"),
            "`theirs` is no member of colorization in ens.toml; valid, nearest first: `gray`",
        ),
        (("import", "gray"), "nothing to import: give --oof, --test, or both"),
    ],
)
def test_what_cannot_be_done_is_told(ens, workspace: Workspace, flags, told: str) -> None:
    said = ens(workspace.root, "oof", *flags)
    assert said.status == 2
    assert told in said.err
    assert not any(workspace.oof.rglob("manifest.json"))


def test_an_unknown_stage_is_refused(ens, workspace: Workspace) -> None:
    assert ens(workspace.root, "oof", "--stage", "recoloring").status == 2
    assert ens(workspace.root, "oof", "import", "gray", "--stage", "recoloring").status == 2


def test_where_nothing_is_trained_that_is_said(ens, workspace: Workspace) -> None:
    text = workspace.config_file.read_text()
    workspace.config_file.write_text(text.replace('["telea"]', '["unet-efficientnet-b0"]'))
    said = ens(workspace.root, "oof", "--stage", "restoration", "--fold", "0..1")
    assert said.out.splitlines() == [
        "nothing is trained yet",
        f"next: ens --root {workspace.root} train --fold 0..1",
    ]


def test_a_teammates_predictions_are_imported(ens, external: Workspace, crops, tmp_path) -> None:
    for index, crop in enumerate(crops[:4]):
        write_png(tmp_path / f"theirs/TRAIN_{index:05d}.png", crop)
    for index, crop in enumerate(crops[4:6]):
        write_png(tmp_path / f"sent/TEST_{index:03d}.png", crop)
    flags = ("--oof", tmp_path / "theirs", "--test", tmp_path / "sent")
    said = ens(external.root, "oof", "import", "theirs", *flags)
    assert said.status == 0
    assert said.out.splitlines() == [
        *(f"wrote {external.oof_dir('colorization', 'theirs', fold)}" for fold in (0, 1)),
        f"wrote {external.external_test_dir('colorization', 'theirs')}",
        f"next: ens --root {external.root} blend --trials 200",
    ]
    assert complete(external, "colorization", "theirs") == [0, 1]
    ens(external.root, "oof", "--fold", 0)
    assert complete(external, "colorization", "gray") == [0]


def test_a_projects_own_folds_decide_what_is_imported_where(
    ens, external: Workspace, crops, tmp_path: Path
) -> None:
    from ensemble.config import load_config

    for index, crop in enumerate(crops[:4]):
        write_png(tmp_path / f"theirs/TRAIN_{index:05d}.png", crop)
    ens(external.root, "oof", "import", "theirs", "--oof", tmp_path / "theirs")
    project = Project.open(external, load_config(external.config_file))
    for fold in (0, 1):
        archive = Archive(external.oof_dir("colorization", "theirs", fold))
        assert archive.image_ids == project.folds.validation(fold)
        for image_id in archive.image_ids:
            read = archive.read(image_id, "identity")
            assert (read == crops[int(image_id[-1])]).all()


def test_the_photographs_that_are_due_are_listed(ens, workspace: Workspace, tmp_path) -> None:
    path = tmp_path / "due.csv"
    said = ens(workspace.root, "oof sample", f"--output {path}")
    assert said.status == 0
    assert f"wrote {path}: 4 of 4 photographs" in said.out
    header, *rows = path.read_text().split()
    assert header == "image,fold"
    assert sorted(row.split(",")[0] for row in rows) == [f"TRAIN_{k:05d}" for k in range(4)]
