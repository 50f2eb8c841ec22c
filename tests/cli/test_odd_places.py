"""Commands in odd places: locales, terminals, pipes, signals, folders that cannot be written."""

from __future__ import annotations

import builtins
import errno
import io
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ensemble.cli.context import open_terminal
from ensemble.config import load_config
from ensemble.config_text import config_text
from ensemble.project import open_photographs
from ensemble.workspace import Workspace
from tests.reference.summary import scores

ENS = [sys.executable, "-c", "from ensemble.cli import main; main()"]


def command(workspace: Workspace, *arguments: str) -> list[str]:
    return [*ENS, "--root", str(workspace.root), *arguments]


@pytest.fixture
def read_before(workspace: Workspace) -> Workspace:
    """The same workspace, its photographs read and remembered."""
    for path in workspace.data.glob("*/*.png"):
        os.utime(path, ns=(10**18, 10**18))
    open_photographs(workspace, load_config(workspace.config_file)).prepare()
    workspace.table_file.write_text(scores())
    return workspace


@pytest.fixture
def nothing_may_be_written(read_before: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace on a file system that is mounted to be read only."""
    root = read_before.root

    def guard(call: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
        def guarded(path: Any, *rest: Any, **options: Any) -> Any:
            inside = isinstance(path, str | Path) and root in Path(path).absolute().parents
            if inside and writes(*rest, **options):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return call(path, *rest, **options)

        return guarded

    def flags_write(flags: int = 0, *_: Any, **__: Any) -> bool:
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    def mode_writes(mode: str = "r", *_: Any, **__: Any) -> bool:
        return bool(set(mode) & set("wax+"))

    for module, name, writes in (
        *((os, name, lambda *_, **__: True) for name in ("mkdir", "rename", "replace", "unlink")),
        (os, "open", flags_write),
        (io, "open", mode_writes),
        (builtins, "open", mode_writes),
    ):
        monkeypatch.setattr(module, name, guard(getattr(module, name), writes))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and access(path, mode))
    return read_before


READING = {
    "status": "status",
    "history": "history",
    "score": "score --pred {data}/test_target --target {data}/test_target "
    "--input {data}/test_input",
    "compare": "compare {data}/test_target {data}/test_target",
    "doctor": "doctor --quick",
    "oof sample": "oof sample --output {elsewhere}/sample.csv",
    "damage": "damage --output {elsewhere}/holes.png",
    "explore": "explore --output {elsewhere}/explore.html",
    "predict": "predict {data}/test_input --colorizer gray --out {elsewhere}/out",
}


@pytest.mark.parametrize("verb", READING)
def test_what_only_reads_needs_no_right_to_write(
    ens, nothing_may_be_written: Workspace, tmp_path: Path, verb: str
) -> None:
    workspace, elsewhere = nothing_may_be_written, tmp_path / "elsewhere"
    elsewhere.mkdir()
    said = ens(
        workspace.root, *READING[verb].format(data=workspace.data, elsewhere=elsewhere).split()
    )
    assert said.status == (1 if verb == "doctor" and "wrong" in said.out else 0), said.err


WRITING = ["folds --force", "blend --trials 0", "oof", "submit", "damage", "explore"]
WRITING += ["init --force", "history --name submission --public 0.5"]


@pytest.mark.parametrize("verb", WRITING)
def test_what_writes_names_what_cannot_be_written(
    ens, nothing_may_be_written: Workspace, verb: str
) -> None:
    workspace = nothing_may_be_written
    said = ens(workspace.root, verb)
    assert said.status == 2
    if "history" not in verb:  # there is no submission to note a score of
        line = rf"error: `{workspace.root}/[^`]*`: read-only file system; work in another folder"
        assert re.search(line, said.err)
    assert "Traceback" not in said.err


@pytest.mark.parametrize("verb", ["status", "history", "init --force", "damage", "blend --help"])
def test_a_locale_of_ascii_alone(workspace: Workspace, verb: str) -> None:
    root = workspace.root.rename(workspace.root.with_name("한글 폴더"))
    place = Workspace(root)
    settings = load_config(place.config_file)
    settings = settings.replace("colorization", members=("gray", "회색"))
    table = '\n[[member]]\nname = "회색"\nstage = "colorization"\narch = "external"\n'
    text = config_text(settings.model_copy(update={"member": ()})) + table
    place.config_file.write_text(text)
    ascii_alone = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "LANG": "C"}
    done = subprocess.run(
        command(place, *verb.split()),
        env=os.environ | ascii_alone,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()
    if verb == "status":
        assert "회색" in done.stdout.decode()
    if verb == "damage":
        assert f"wrote {root}/damage-test.png" in done.stdout.decode()


def test_an_output_that_cannot_show_a_name_shows_its_escape(workspace: Workspace) -> None:
    root = workspace.root.rename(workspace.root.with_name("폴더"))
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    arguments = command(Workspace(root), "init", "--force")
    done = subprocess.run(arguments, env=environment, capture_output=True, check=True)
    assert rb"\ud3f4\ub354/ens.toml" in done.stdout


@pytest.mark.parametrize("terminal", ["dumb", "xterm-256color"])
def test_a_narrow_terminal_shows_whole_names(workspace: Workspace, terminal: str) -> None:
    """Also one that says of itself that it can nothing: rich would take it for 80 columns wide."""
    leader, follower = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        command(workspace, "status"),
        stdout=follower,
        stdin=follower,
        stderr=subprocess.DEVNULL,
        env=environment | {"TERM": terminal, "COLUMNS": "40"},
    )
    os.close(follower)
    shown = b""
    with suppress(OSError):  # the end of a pty
        while part := os.read(leader, 4096):
            shown += part
    os.close(leader)
    assert process.wait() == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).splitlines()
    rows = [line for line in lines if line.startswith(("│", "┃"))]
    assert any("navier-stokes" in row for row in rows)
    assert max(map(len, rows)) <= 40
    assert any(line.startswith("left out, for the width") for line in lines)


def test_a_dumb_terminal_is_as_wide_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", type("Tty", (io.StringIO,), {"isatty": lambda _: True})())
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "44")
    assert open_terminal().width == 44


def read_one_line(arguments: list[str]) -> int:
    """The status of a command whose reader leaves after a line."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert error == b"" or b"Compiling" in error
    return process.wait()


def test_work_is_finished_when_nobody_reads_any_more(workspace: Workspace) -> None:
    workspace.recipe_file.unlink()
    assert read_one_line(command(workspace, "blend", "--trials", "0")) == 0
    assert workspace.recipe_file.exists()
    assert workspace.table_file.exists()


def test_json_that_nobody_reads_is_no_error(workspace: Workspace) -> None:
    target, damaged = (str(workspace.data / name) for name in ("test_target", "test_input"))
    score = ["score", "--json", "--pred", target, "--target", target, "--input", damaged]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command(workspace, *score), stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.returncode == 0
    assert b"Error" not in done.stderr


def test_an_interruption_before_the_start_says_nothing() -> None:
    """Python's own start is not ours: it is awaited."""
    script = (
        "import sys; import importlib.abc\n"
        "class Slow(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'ensemble.cli.app':\n"
        "            import time; print('now', flush=True); time.sleep(60)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from ensemble.cli import main; main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate() == (b"", b"")
    assert process.returncode == -signal.SIGINT


def test_of_many_members_each_is_shown(ens, workspace: Workspace) -> None:
    names = [f"m{number}" for number in range(1000)]
    settings = load_config(workspace.config_file)
    settings = settings.replace("colorization", members=("gray", *names))
    tables = "".join(
        f'\n[[member]]\nname = "{name}"\nstage = "colorization"\narch = "external"\n'
        for name in names
    )
    workspace.config_file.write_text(config_text(settings) + tables)
    said = ens(workspace.root, "status")
    assert said.status == 0
    assert all(name in said.out for name in names)


def test_one_photograph(ens, make_workspace) -> None:
    workspace, settings = make_workspace(n_train=2, n_test=1)
    workspace.config_file.write_text(config_text(settings))
    (workspace.data / "train_gt/TRAIN_00001.png").unlink()
    said = ens(workspace.root, "folds --force")
    assert said.status == 2
    assert said.err.startswith("error: ")
    assert "1 " in said.err
