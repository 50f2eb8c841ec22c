from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest
from safetensors import SafetensorError

from ensemble.errors import ConfigError, LockedError
from ensemble.files import (
    atomic_path,
    atomic_write,
    exclusive_lock,
    links_in,
    remove_folder,
    suppress_read_only,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _fail_half_way(path: Path, file: str = "") -> None:
    with atomic_path(path) as temporary:
        if file:
            temporary.mkdir()
        (temporary / file).write_text("ne")
        raise RuntimeError("half way")


@pytest.mark.parametrize(
    ("content", "stored"), [(b"\x00\xff", b"\x00\xff"), ("\u00e9", b"\xc3\xa9")]
)
def test_a_file_is_written_with_its_folders(tmp_path: Path, content, stored: bytes):
    atomic_write(tmp_path / "a" / "b.txt", content)
    assert (tmp_path / "a" / "b.txt").read_bytes() == stored
    assert names(tmp_path / "a") == ["b.txt"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        _fail_half_way(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_readers_see_the_old_file_until_the_end(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.name == path.name
    assert path.read_text() == "new"


def test_a_folder_is_swapped_whole(tmp_path: Path):
    path = tmp_path / "data"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "new.txt").write_text("new")
        assert names(path) == ["old.txt"]
    assert names(path) == ["new.txt"]
    assert names(tmp_path) == ["data"]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path: Path):
    path = tmp_path / "data"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        _fail_half_way(path, file="new.txt")
    assert names(path) == ["old.txt"]
    assert names(tmp_path) == ["data"]


def test_nothing_written_is_an_error_and_keeps_the_old(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass
    assert path.read_text() == "old"


def test_nothing_written_keeps_the_old_folder(tmp_path: Path):
    path = tmp_path / "data"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass
    assert names(path) == ["old.txt"]
    assert names(tmp_path) == ["data"]


def test_a_linked_folder_is_replaced_and_what_it_links_to_kept(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/old.txt").write_text("old")
    path = tmp_path / "data"
    path.symlink_to(tmp_path / "elsewhere")
    with atomic_path(path) as temporary:
        temporary.mkdir()
    assert names(path) == []
    assert not path.is_symlink()
    assert names(tmp_path / "elsewhere") == ["old.txt"]


def _hold(path: Path, ready: multiprocessing.synchronize.Event) -> None:
    with exclusive_lock(path, what="training"):
        ready.set()
        signal.pause()


def _holder(path: Path) -> multiprocessing.Process:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_hold, args=(path, ready))
    process.start()
    assert ready.wait(20)
    return process


def test_a_lock_is_refused_while_another_process_holds_it(tmp_path: Path):
    path = tmp_path / "fold-0"
    process = _holder(path)
    try:
        with (
            pytest.raises(LockedError, match=r"only one process at a time may be training.*\.lock"),
            exclusive_lock(path, what="training"),
        ):
            pass
        with exclusive_lock(tmp_path / "fold-1", what="training"):
            pass
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join(20)


def test_a_killed_process_leaves_no_lock(tmp_path: Path):
    path = tmp_path / "fold-0"
    process = _holder(path)
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    with exclusive_lock(path, what="training"):
        pass


def test_a_lock_is_given_back_after_an_error(tmp_path: Path):
    with pytest.raises(RuntimeError), exclusive_lock(tmp_path / "a", what="blending"):
        raise RuntimeError
    with exclusive_lock(tmp_path / "a", what="blending"):
        pass


def test_an_error_inside_the_block_is_its_own(tmp_path: Path):
    """A `BlockingIOError` of the work is not mistaken for a lock held by another."""
    with pytest.raises(BlockingIOError), exclusive_lock(tmp_path / "a", what="blending"):
        raise BlockingIOError


def test_what_is_locked_is_no_link_to_a_folder(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "fold-0"
    path.symlink_to("elsewhere")
    with (
        pytest.raises(ConfigError, match=f"`{path}` must not be a link"),
        exclusive_lock(path, what="testing"),
    ):
        pass


def test_links_below_a_folder_are_found(tmp_path: Path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file").touch()
    (tmp_path / "a/b/gone").symlink_to("nowhere")
    (tmp_path / "a/up").symlink_to(tmp_path)
    assert sorted(links_in(tmp_path)) == [tmp_path / "a/b/gone", tmp_path / "a/up"]
    assert links_in(tmp_path / "a/up") == [tmp_path / "a/up"]
    assert links_in(tmp_path / "not there") == []


def test_a_text_with_a_name_that_is_not_utf_8_is_written(tmp_path: Path):
    atomic_write(tmp_path / "table.csv", "\udcff.png,1\n")
    assert (tmp_path / "table.csv").read_text() == "\\udcff.png,1\n"


def test_a_file_has_the_mode_of_any_new_file(tmp_path: Path):
    (tmp_path / "usual").touch()
    with atomic_path(tmp_path / "private") as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "private").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("of_temporary", [True, False])
def test_a_full_disk_is_told_of_the_artefact(tmp_path: Path, of_temporary: bool):
    path = tmp_path / "recipe.json"

    def write(temporary: Path) -> None:
        name = [str(temporary)] if of_temporary else []
        raise OSError(errno.ENOSPC, "No space left on device", *name)

    with pytest.raises(OSError, match="No space") as refusal, atomic_path(path) as temporary:
        write(temporary)
    assert refusal.value.filename == str(path)


@pytest.mark.parametrize(
    "report",
    [
        RuntimeError("PytorchStreamWriter failed: file write failed"),
        RuntimeError("[enforce fail at inline_container.cc:659] . unexpected pos 64 vs 0"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_of_the_artefact_whoever_reports_it(tmp_path: Path, report: Exception):
    path = tmp_path / "last.ckpt"
    with pytest.raises(OSError, match="No space") as refusal, atomic_path(path):
        raise report
    assert (refusal.value.errno, refusal.value.filename) == (errno.ENOSPC, str(path))
    with pytest.raises(RuntimeError, match="another"), atomic_path(path):
        raise RuntimeError("another")


def test_an_error_without_a_file_names_the_locked_artefact(tmp_path: Path):
    path = tmp_path / "archive"
    for error, named in (
        (OSError(errno.ENOSPC, "No space left on device"), str(path)),
        (OSError(errno.EACCES, "Permission denied", "/other"), "/other"),
    ):
        with pytest.raises(OSError) as refusal, exclusive_lock(path, what="testing"):  # noqa: PT011
            raise error
        assert refusal.value.filename == named


def test_another_file_in_an_error_keeps_its_name(tmp_path: Path):
    with pytest.raises(FileNotFoundError) as refusal, atomic_path(tmp_path / "recipe.json"):
        (tmp_path / "other").read_bytes()
    assert refusal.value.filename == str(tmp_path / "other")


def test_what_a_killed_writer_left_goes_with_the_next_lock(tmp_path: Path):
    script = (
        "import os, sys; from pathlib import Path; from ensemble.files import atomic_path\n"
        "root = Path(sys.argv[1]); (root / 'fold-0').mkdir()\n"
        "writers = [atomic_path(root / name) for name in ('fold-0', 'fold-0/last.ckpt')]\n"
        "for writer in writers: writer.__enter__().write_bytes(b'half')\n"
        "os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == 9
    half_written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]
    assert len(half_written) == 2
    (tmp_path / "fold-0" / "kept").touch()
    with exclusive_lock(tmp_path / "fold-0", what="training"):
        assert names(tmp_path / "fold-0") == ["kept"]
        assert names(tmp_path) == [".fold-0.lock", "fold-0"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_what_only_saves_time_is_left_out_where_nothing_may_be_written(number: int):
    raised = OSError(number, os.strerror(number))
    expected = pytest.raises(OSError, match="space") if number == errno.ENOSPC else nullcontext()
    with expected, suppress_read_only():
        raise raised


def test_a_lock_may_be_waited_for(tmp_path: Path):
    path, order = tmp_path / "cache", []

    def second() -> None:
        with exclusive_lock(path, what="decoding", wait=True):
            order.append("second")

    with exclusive_lock(path, what="decoding"):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        order.append("first")
    waiting.join(20)
    assert order == ["first", "second"]


def test_no_module_of_one_system_alone_is_imported():
    """Windows has no fcntl."""
    script = (
        "import sys; sys.modules['fcntl'] = None; import ensemble.files as w; "
        "assert 'fcntl' not in open(w.__file__).read()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def _killed(root: Path, script: str) -> None:
    """Run a script in a process that ends as a killed one."""
    head = (
        "import os, sys; from pathlib import Path; from ensemble.files import *; "
        "from ensemble import files; root = Path(sys.argv[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{head}{script}\nos._exit(9)", str(root)], check=False
    )
    assert done.returncode == 9


def test_what_a_killed_writer_left_goes_with_the_next_writer_of_the_folder(tmp_path: Path):
    _killed(
        tmp_path, "writer = atomic_path(root / 'one.txt'); writer.__enter__().write_text('half')"
    )
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".one.txt.")]
    atomic_write(tmp_path / "two.txt", "whole")
    assert names(tmp_path) == ["two.txt"]


def test_what_a_living_writer_writes_stays(tmp_path: Path):
    with atomic_path(tmp_path / "one.txt") as temporary:
        temporary.write_text("one")
        script = "atomic_write(root / 'two.txt', 'two')"
        _killed(tmp_path, script)
    assert names(tmp_path) == ["one.txt", "two.txt"]


@pytest.mark.parametrize("when", ["after the old one was moved away", "before"])
def test_a_folder_is_never_lost_between_two_renames(tmp_path: Path, when: str):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/old.txt").write_text("old")
    at = "target.name == 'data'" if when != "before" else "True"
    _killed(
        tmp_path,
        f"Path.replace = lambda self, target: os._exit(9) if {at} else None\n"
        + ("Path.rename = lambda self, target: os._exit(9)\n" if when == "before" else "")
        + "with atomic_path(root / 'data') as temporary: temporary.mkdir()",
    )
    assert (tmp_path / "data").exists() == (when == "before")
    atomic_write(tmp_path / "other.txt", "")
    assert names(tmp_path) == ["data", "other.txt"]
    assert (tmp_path / "data/old.txt").read_text() == "old"


def test_the_lock_of_a_scratch_folder_is_removed_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Killed before, it is swept; killed after, it is empty."""
    honest, beside = os.unlink, []

    def unlink(path, *arguments, **options):
        if Path(path).name == ".lock":
            beside.extend(one.name for one in tmp_path.glob(".*.part/*"))
        honest(path, *arguments, **options)

    atomic_write(tmp_path / "folder" / "a", b"new")
    monkeypatch.setattr(os, "unlink", unlink)
    remove_folder(tmp_path / "folder")
    atomic_write(tmp_path / "b", b"new")
    assert beside == [".lock", ".lock"]


@pytest.mark.parametrize("refused", ["unlink", "rmdir"])
def test_what_a_disk_once_refuses_to_remove_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
):
    honest, refusals = getattr(os, refused), []

    def refuse_once(path, *arguments, **options):
        if not refusals:
            refusals.append(path)
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return honest(path, *arguments, **options)

    atomic_write(tmp_path / "folder" / "a", b"new")
    monkeypatch.setattr(os, refused, refuse_once)
    remove_folder(tmp_path / "folder")
    assert refusals
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_removed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "fold-0"
    folder.mkdir()
    (folder / "weights").touch()
    seen, honest = [], shutil.rmtree

    def rmtree(*arguments: object, **options: object) -> None:
        seen.append(folder.exists())
        honest(*arguments, **options)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    remove_folder(folder)
    assert seen
    assert not any(seen)
    assert not names(tmp_path)


def _record(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Note every flush and rename, in order, with the name of the file or folder."""
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def flushed(number: int) -> None:
        done.append(("flush", Path(f"/proc/self/fd/{number}").readlink().name))
        fsync(number)

    def replaced(old: Path, new: Path) -> None:
        done.append(("rename", Path(new).name))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", replaced)
    return done


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_what_is_renamed_is_on_the_disk_before_and_the_rename_after(tmp_path: Path, monkeypatch):
    done = _record(monkeypatch)
    (tmp_path / "here").mkdir()
    atomic_write(tmp_path / "here/a.txt", "a")
    assert done == [("flush", "a.txt"), ("rename", "a.txt"), ("flush", "here")]
    done.clear()
    atomic_write(tmp_path / "new/deep/a.txt", "a")
    assert done[:2] == [("flush", "new"), ("flush", tmp_path.name)], "new folders are entered"
    assert done[2:] == [("flush", "a.txt"), ("rename", "a.txt"), ("flush", "deep")]
    done.clear()
    with atomic_path(tmp_path / "tree") as temporary:
        (temporary / "inner").mkdir(parents=True)
        (temporary / "inner/leaf").write_text("leaf")
    assert done[:3] == [("flush", "leaf"), ("flush", "inner"), ("flush", "tree")]
    assert done[3:] == [("rename", "tree"), ("flush", tmp_path.name)]


def test_a_folder_that_cannot_be_flushed_is_written_all_the_same(tmp_path: Path, monkeypatch):
    honest = os.fsync

    def refuse(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        honest(number)

    monkeypatch.setattr(os, "fsync", refuse)
    atomic_write(tmp_path / "a.txt", "a")
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_that_the_disk_fails_to_flush_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(os, "fsync", Mock(side_effect=OSError(errno.EIO, os.strerror(errno.EIO))))
    lock = exclusive_lock(tmp_path / "new" / "a", what="testing")
    with pytest.raises(OSError, match="Input/output") as refusal, lock:
        pass
    assert refusal.value.filename == str(tmp_path)


@pytest.mark.filterwarnings("ignore:flock not supported")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch, number: int):
    fcntl = pytest.importorskip("fcntl")
    refuse = Mock(side_effect=OSError(number, os.strerror(number)))
    monkeypatch.setattr(fcntl, "flock", refuse)
    told = r"`.*/\.a\.lock` must be locked.* has no locks"
    with pytest.raises(LockedError, match=told), exclusive_lock(tmp_path / "a", what="testing"):
        pass
    atomic_write(tmp_path / "b.txt", "b")
    assert "b.txt" in names(tmp_path)


def test_a_quota_that_is_used_up_is_told_of_the_artefact(tmp_path: Path):
    report = SafetensorError(f"I/O error: Disk quota exceeded (os error {errno.EDQUOT})")
    with pytest.raises(OSError, match="quota") as refusal, atomic_path(tmp_path / "weights"):
        raise report
    assert (refusal.value.errno, refusal.value.filename) == (
        errno.EDQUOT,
        str(tmp_path / "weights"),
    )
