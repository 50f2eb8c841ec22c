from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ensemble.data import digests
from ensemble.data.digests import CACHE_NAME, digest_files
from ensemble.errors import DataError, MissingFileError
from ensemble.files import sweep
from ensemble.parallel import Advance

LONG_AGO_NS = 1_600_000_000_000_000_000


def write(path: Path, content: bytes, *, mtime_ns: int = LONG_AGO_NS) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def read_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are really read."""
    names: list[str] = []
    honest = digests.digest_file

    def note(path: Path) -> str:
        names.append(path.name)
        return honest(path)

    monkeypatch.setattr(digests, "digest_file", note)
    return names


def test_contents_are_digested_by_relative_path(tmp_path: Path):
    paths = [write(tmp_path / "b" / "x.png", b"one"), write(tmp_path / "a" / "x.png", b"two")]
    found = digest_files(paths, folder=tmp_path)
    assert found == {"b/x.png": sha(b"one"), "a/x.png": sha(b"two")}
    assert list(found) == ["b/x.png", "a/x.png"]


def test_what_is_no_file_is_refused_by_name_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name, fault in {"pipe": "is a pipe", "folder": "is a folder", "loop": "be read"}.items():
        with pytest.raises(DataError, match=f"{name}.png` .*{fault}"):
            digest_files([tmp_path / f"{name}.png"], folder=tmp_path)


def test_only_changed_files_are_read_again(tmp_path: Path, read_names: list[str]):
    paths = [write(tmp_path / name, name.encode()) for name in ("a", "b", "c")]
    digest_files(paths, folder=tmp_path)
    assert sorted(read_names) == ["a", "b", "c"]
    read_names.clear()
    assert digest_files(paths, folder=tmp_path) == {name: sha(name.encode()) for name in "abc"}
    assert read_names == []
    write(tmp_path / "a", b"z", mtime_ns=LONG_AGO_NS + 1)
    write(tmp_path / "b", b"longer")
    found = digest_files(paths, folder=tmp_path)
    assert (found["a"], found["b"]) == (sha(b"z"), sha(b"longer"))
    assert sorted(read_names) == ["a", "b"]


def test_a_file_that_just_changed_is_not_remembered(tmp_path: Path):
    """Its next change may keep size and time, within the clock's resolution."""
    now = time.time_ns()
    path = write(tmp_path / "a", b"old", mtime_ns=now)
    digest_files([path], folder=tmp_path)
    write(path, b"new", mtime_ns=now)
    assert digest_files([path], folder=tmp_path) == {"a": sha(b"new")}


def test_a_file_of_the_future_is_read_each_time(tmp_path: Path, read_names: list[str]):
    """As after the clock was set back: what was changed since could not be told apart."""
    path = write(tmp_path / "a.png", b"old!", mtime_ns=time.time_ns() + 10**15)
    future = path.stat().st_mtime_ns
    assert digest_files([path], folder=tmp_path) == {"a.png": sha(b"old!")}
    write(path, b"new!", mtime_ns=future)
    assert digest_files([path], folder=tmp_path) == {"a.png": sha(b"new!")}
    assert read_names == ["a.png", "a.png"]


def test_two_sets_of_files_share_the_cache(tmp_path: Path, read_names: list[str]):
    first, second = (write(tmp_path / name, name.encode()) for name in ("a", "b"))
    digest_files([first], folder=tmp_path)
    digest_files([second], folder=tmp_path)
    digest_files([first, second], folder=tmp_path)
    assert read_names == ["a", "b"]


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": [1, 2]}', "\x00"])
def test_a_broken_cache_remembers_nothing(tmp_path: Path, text: str):
    (tmp_path / CACHE_NAME).write_text(text)
    path = write(tmp_path / "a", b"content")
    assert digest_files([path], folder=tmp_path) == {"a": sha(b"content")}
    assert "a" in json.loads((tmp_path / CACHE_NAME).read_text())


def test_a_file_that_vanished_is_named(tmp_path: Path):
    with pytest.raises(MissingFileError, match="gone"):
        digest_files([tmp_path / "gone"], folder=tmp_path)


def test_progress_is_shown_for_what_is_read_and_for_nothing_else(tmp_path: Path):
    shown: list[int] = []

    @contextmanager
    def bar(what: str, total: int) -> Iterator[Advance]:
        shown.append(total)
        yield lambda count: shown.append(count)

    paths = [write(tmp_path / name, name.encode()) for name in ("a", "b", "c")]
    digest_files(paths[:1], folder=tmp_path, progress=bar)
    digest_files(paths, folder=tmp_path, progress=bar)
    digest_files(paths, folder=tmp_path, progress=bar)
    assert shown == [1, 1, 2, 1, 1]


def test_what_was_read_before_an_interruption_is_remembered(
    tmp_path: Path, read_names: list[str], monkeypatch: pytest.MonkeyPatch
):
    honest = digests.digest_file

    def interrupted(path: Path) -> str:
        if path.name == "c":
            raise KeyboardInterrupt
        return honest(path)

    paths = [write(tmp_path / name, name.encode()) for name in ("a", "b", "c")]
    monkeypatch.setattr(digests, "digest_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        digest_files(paths, folder=tmp_path)
    monkeypatch.setattr(digests, "digest_file", honest)
    read_names.clear()
    assert digest_files(paths, folder=tmp_path) == {name: sha(name.encode()) for name in "abc"}
    assert read_names == ["c"]


def test_what_a_killed_writer_left_goes_though_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"a")
    digest_files([path], folder=tmp_path)
    left = tmp_path / f".{CACHE_NAME}.abcd1234.part"
    left.mkdir()
    (left / ".lock").touch()
    sweep.cache_clear()  # as in another process
    digest_files([path], folder=tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [CACHE_NAME, "a"]
