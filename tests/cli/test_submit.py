from __future__ import annotations

import zipfile

import pytest

from ensemble.workspace import Workspace


def test_it_says_what_it_wrote_and_what_is_next(ens, workspace: Workspace) -> None:
    said = ens(workspace.root, "submit", "--name", "first")
    stem = workspace.submissions / "first"
    assert said.status == 0
    *wrote, score, last = said.out.splitlines()
    assert wrote == [
        f"wrote {stem}.zip: 2 pictures, opened again and verified",
        f"wrote {stem}.json",
        f"wrote {stem}.png",
    ]
    assert score.startswith("against data/test_target: score 0.")
    assert last.endswith(f"next: send the zip; what it is made of shows: ens --root "
                         f"{workspace.root} report")  # fmt: skip
    assert zipfile.ZipFile(f"{stem}.zip").namelist() == ["TEST_000.png", "TEST_001.png"]
    assert all(stem.with_suffix(end).exists() for end in (".json", ".png"))


def test_a_submission_is_replaced_only_by_force(ens, workspace: Workspace) -> None:
    ens(workspace.root, "submit")
    said = ens(workspace.root, "submit")
    assert said.status == 2
    assert "a submission is never overwritten unasked" in said.err
    assert ens(workspace.root, "submit", "--force").status == 0


@pytest.mark.parametrize("end", [".json", ".png"])
def test_other_files_of_that_name_are_never_replaced(ens, workspace: Workspace, end: str) -> None:
    mine = (workspace.submissions / "mine").with_suffix(end)
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    said = ens(workspace.root, "submit", "--name", "mine")
    assert said.status == 2
    assert f"but `{mine}` is there" in said.err
    forced = ens(workspace.root, "submit", "--name", "mine", "--force")
    assert forced.status == 2
    assert f"but `{mine}` is something else; move it away" in forced.err
    assert mine.read_text() == "mine"


def test_a_zip_without_its_manifest_may_be_replaced(ens, workspace: Workspace) -> None:
    """A kill between the two leaves just that."""
    workspace.submissions.mkdir()
    workspace.submission_file("submission").write_bytes(b"half")
    assert ens(workspace.root, "submit", "--force").status == 0
