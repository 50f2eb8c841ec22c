"""What the machine or a name does wrong ends in one line and status 2, never in a traceback."""

from __future__ import annotations

import errno
import os
import re
import threading
from pathlib import Path
from threading import Thread

import pytest

from ensemble import config
from ensemble.config import Config, load_config
from ensemble.errors import explain_os_error
from ensemble.project import Project, open_photographs
from ensemble.workspace import Workspace
from tests.reference.summary import scores


def fault(said) -> str:
    """The one line of an error."""
    assert said.status == 2
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("error: ").rstrip("\n")


def test_settings_that_are_a_folder_or_a_link_to_nothing(ens, tmp_path: Path) -> None:
    path = tmp_path / "ens.toml"
    path.mkdir()
    folder = f"`{path}` must be a file, but is a folder; move it away"
    assert fault(ens(tmp_path, "status")) == folder
    path.rmdir()
    path.symlink_to("gone.toml")
    assert f"`{path}` must be a file, but is a link to" in fault(ens(tmp_path, "status"))


def test_a_recipe_that_is_a_folder(ens, workspace: Workspace) -> None:
    workspace.recipe_file.unlink()
    workspace.recipe_file.mkdir()
    message = f"`{workspace.recipe_file}` must be a file, but is a folder; move it away"
    assert fault(ens(workspace.root, "submit")).startswith(message)
    assert f"recipe: stale: {message}" in ens(workspace.root, "status").out


def test_a_recipe_in_another_encoding(ens, workspace: Workspace) -> None:
    workspace.recipe_file.write_bytes(b"\xff\xfe{}")
    message = f"`{workspace.recipe_file}` is not a recipe of this version of ens"
    assert fault(ens(workspace.root, "submit")).startswith(message)
    said = ens(workspace.root, "status")
    assert (said.status, said.err) == (0, "")
    assert f"recipe: stale: {message}" in said.out


@pytest.mark.parametrize("kind", ["folder", "link to itself"])
def test_a_photograph_that_is_no_file(ens, workspace: Workspace, kind: str) -> None:
    path = workspace.data / "train_gt/TRAIN_00001.png"
    path.unlink()
    path.mkdir() if kind == "folder" else path.symlink_to(path.name)
    for verb in ("status", "blend"):
        assert f"`{path}`" in fault(ens(workspace.root, verb))


@pytest.mark.parametrize(
    ("verb", "name"), [("damage", "a.png"), ("score", "a.csv"), ("report", "a.html")]
)
def test_an_output_that_is_a_folder(ens, workspace: Workspace, verb: str, name: str) -> None:
    taken = workspace.root / name
    taken.mkdir()
    (taken / "mine").touch()
    workspace.table_file.write_text(scores())
    target, damaged = workspace.data / "test_target", workspace.data / "test_input"
    arguments = {
        "damage": ("--output", taken),
        "report": ("--photographs", "0", "--output", taken),
        "score": ("--pred", target, "--target", target, "--input", damaged, "--per-image", taken),
    }
    said = ens(workspace.root, verb, *arguments[verb])
    assert fault(said).startswith(f"`{taken}`: is a directory")
    assert (taken / "mine").exists()


def test_a_root_that_cannot_be_written(ens) -> None:
    assert fault(ens(Path("/proc"), "init")).startswith("`/proc/ens.toml`: no such file")


@pytest.mark.parametrize(
    ("verb", "file"),
    [
        ("folds", "cache/.photographs-unfinished/manifest.json"),
        ("folds", "folds.csv"),
        ("report --photographs 0", "report.html"),
    ],
)
def test_a_full_disk(
    ens, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, verb: str, file: str
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    workspace.table_file.write_text(scores())
    if not file.startswith("cache"):  # the photographs are read, and old enough to be remembered
        for path in workspace.data.glob("*/*.png"):
            os.utime(path, ns=(10**18, 10**18))
        config = load_config(workspace.config_file)
        open_photographs(workspace, config).prepare()
    before = workspace.folds_file.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", full)
    assert fault(ens(workspace.root, verb, *(["--force"] if verb == "folds" else []))) == (
        f"`{workspace.root / file}`: no space left on device; free some space, then run this again"
    )
    assert workspace.folds_file.read_bytes() == before


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (MemoryError(), "there is not enough memory for this"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connection refused"),
        (OSError("a reason of its own"), "a reason of its own"),
        (
            FileExistsError(errno.EEXIST, "File exists", "oof"),
            "`oof`: file exists; a folder is due",
        ),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_other_faults_of_the_machine(
    ens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, message: str
) -> None:
    def failing(path: Path) -> None:
        raise raised

    monkeypatch.setattr(config, "load_config", failing)
    assert fault(ens(tmp_path, "status")).lower().startswith(message.lower())


def test_an_error_of_the_machine_in_a_thread_is_one_line(
    ens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_a_thread(path: Path) -> Config:
        def write() -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "events")

        thread = Thread(target=write)
        thread.start()
        thread.join()
        return Config()

    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # to be put back
    monkeypatch.setattr(config, "load_config", in_a_thread)
    line = "error: `events`: no space left on device; free some space, then run this again"
    assert ens(tmp_path, "status").err.splitlines()[0] == line


def test_a_rename_names_both_files() -> None:
    error = OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b")
    assert explain_os_error(error) == "`a` to `b`: invalid cross-device link"


@pytest.mark.parametrize(
    "name", ["../data/train", "/tmp/zip", "", "..", ".", "a/b", "a\\b", "x" * 300, "a\nb"]
)
def test_a_submission_whose_name_is_a_path(ens, workspace: Workspace, name: str) -> None:
    before = sorted(workspace.root.parent.rglob("*"))
    said = ens(workspace.root, "submit", "--name", name, "--force")
    assert fault(said).startswith("the name of a submission must be 1 to 64 letters")
    assert sorted(workspace.root.parent.rglob("*")) == before


def test_a_member_whose_name_is_a_path(ens, workspace: Workspace) -> None:
    victim = workspace.root.parent / "victim/test/precious"
    victim.parent.mkdir(parents=True)
    victim.touch()
    text = workspace.config_file.read_text().replace('["gray"]', '["gray", "../../../victim"]')
    table = '\n[[member]]\nname = "../../../victim"\nstage = "colorization"\narch = "external"\n'
    workspace.config_file.write_text(text + table)
    said = ens(
        workspace.root, "oof", "import", "../../../victim", "--test", workspace.data / "test_target"
    )
    assert "the name of a member must be 1 to 64 letters" in fault(said)
    assert victim.exists()


def test_a_recipe_whose_member_is_a_path(ens, workspace: Workspace) -> None:
    text = workspace.recipe_file.read_text().replace('"telea"', '"../../telea"')
    workspace.recipe_file.write_text(text)
    assert fault(ens(workspace.root, "submit"))


def test_control_characters_in_a_name_are_shown(ens, tmp_path: Path) -> None:
    root = tmp_path / "a\x1b[2J[b]"
    root.mkdir()
    assert fault(ens(root, "report")).startswith(f"`{tmp_path}/a\\x1b[2J[b]/oof/scores.json`")
    said = ens(root, "init")
    assert said.out.splitlines()[0] == f"wrote {tmp_path}/a\\x1b[2J[b]/ens.toml"


def test_a_page_of_a_folder_that_is_not_utf_8(ens, workspace: Workspace) -> None:
    root = workspace.root.rename(os.fsdecode(os.fsencode(workspace.root.parent) + b"/\xff"))
    Workspace(root).table_file.write_text(scores())
    assert ens(root, "report --photographs 0").status == 0
    assert "<title>\\udcff: results</title>" in (root / "report.html").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("blend", "--jobs", 0),
        ("blend", "--jobs", 1000),
        ("folds", "--seed", -1),
        ("train", "--epochs", 0),
        ("demo", "--train", 10**9),
        ("demo", "--test", 10**9),
    ],
)
def test_numbers_have_their_limits(ens, workspace: Workspace, arguments) -> None:
    said = ens(workspace.root, *arguments)
    assert said.status == 2
    assert f"Invalid value for '{arguments[1]}'" in said.err


@pytest.mark.parametrize("n_folds", [-1, 1, 101])
def test_folds_have_their_limits(ens, workspace: Workspace, n_folds: int) -> None:
    message = fault(ens(workspace.root, "folds", "--n-folds", n_folds))
    assert message.startswith("the command line: `folds.n_folds`: input should be")


@pytest.mark.parametrize(
    "words",
    [
        "damage --output",
        "report --output",
        "explore --output",
        "compare a b --output",
        "oof sample --output",
        "score --pred . --target . --input . --per-image",
    ],
)
def test_a_file_of_another_kind_is_not_replaced(ens, workspace: Workspace, words: str) -> None:
    before = workspace.config_file.read_bytes()
    said = ens(workspace.root, *words.split(), workspace.config_file)
    assert re.match(r"what is written must end in \.\w+, but is `.*ens.toml`", fault(said))
    assert workspace.config_file.read_bytes() == before


def test_folds_replace_folds_alone(ens, workspace: Workspace) -> None:
    csv = workspace.root / "clusters.csv"
    csv.write_text("image,label\n")
    said = ens(workspace.root, "folds", "--folds-file", csv, "--force")
    assert "must begin with a header of the columns image_id, group, fold" in fault(said)
    assert csv.read_text() == "image,label\n"


def test_a_damaged_folds_file_is_replaced_by_force(ens, workspace: Workspace) -> None:
    workspace.folds_file.write_text("image_id,gro")
    assert ens(workspace.root, "folds", "--descriptor", "none").status == 2
    assert ens(workspace.root, "folds", "--descriptor", "none", "--force").status == 0
    assert Project.open(workspace, config.load_config(workspace.config_file)).folds.n_folds == 2


def test_masks_drawn_by_hand_are_not_replaced_by_a_demo(ens, tmp_path: Path) -> None:
    small = ("demo", "--size", 32, "--train", 6, "--test", 2)
    ens(tmp_path, *small)
    mask = tmp_path / "data/test_masks/TEST_000.png"
    mask.parent.mkdir()
    mask.touch()
    assert "holds masks drawn by hand" in fault(ens(tmp_path, *small, "--force"))
    assert mask.exists()
