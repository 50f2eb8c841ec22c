from __future__ import annotations

import sqlite3
import sys
import threading
from contextlib import closing, contextmanager

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from ensemble.blending import database
from ensemble.blending.search import open_storage, open_study
from ensemble.errors import ConfigError, StudyError


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(database, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.3)


@contextmanager
def locked(path):
    """Another program writes to the file."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def said():
    return []


@pytest.fixture
def open_url(hurried):
    """Opens studies, and closes their connections."""
    opened = []

    def run(url, say=lambda _: None):
        opened.append(open_storage(url, say))
        return open_study(opened[-1], "s")

    yield run
    for storage in opened:
        storage._storage._backend.engine.dispose()


@pytest.fixture
def study(tmp_path, said, open_url):
    return open_url(f"sqlite:///{tmp_path}/s.db?timeout=0.01", said.append)


def test_a_locked_database_is_waited_for_with_one_line(study, said, tmp_path):
    with locked(tmp_path / "s.db") as writer:
        timer = threading.Timer(0.1, lambda: writer.execute("COMMIT"))
        timer.start()
        study.tell(study.ask(), 1.0)
        timer.join()
    assert study.best_value == 1.0
    (line,) = said
    assert line.startswith(
        f"the study at `sqlite:///{tmp_path}/s.db?timeout=0.01` cannot be reached"
    )
    assert "(database is locked); trying again for 0 seconds" in line


def test_patience_ends_in_one_line_and_a_next_call_does_not_wait(study, said, tmp_path):
    with locked(tmp_path / "s.db"):
        for _ in range(2):
            with pytest.raises(
                StudyError, match=r"is not \(database is locked\).*no finished trial"
            ):
                study.ask()
    assert len(said) == 1
    study.tell(study.ask(), 1.0)


def test_a_fault_that_does_not_pass_is_told_at_once(study, said, tmp_path):
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        connection.execute("DROP TABLE trials")
    with pytest.raises(StudyError, match=r"is not \(no such table: trials\)"):
        study.ask()
    assert not said


def test_an_interruption_is_not_waited_after(study, said, tmp_path, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    with locked(tmp_path / "s.db"):
        monkeypatch.setattr(database.time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            study.ask()
        monkeypatch.undo()
        monkeypatch.setattr(database, "PATIENCE_SECONDS", 1e9)
        with pytest.raises(StudyError):
            study.ask()


def test_a_password_is_not_shown():
    with pytest.raises(ConfigError) as refused:
        open_storage("postgresql://ann:secret@127.0.0.1:9/ens")
    assert "`postgresql://ann:***@127.0.0.1:9/ens` is not: " in str(refused.value)
    assert "secret" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_driver_is_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"has none .*psycopg.*pip install dacon-ens\[postgres\]"):
        open_storage("postgresql://127.0.0.1:9/ens")


def test_tables_that_another_process_makes_meanwhile_are_found(tmp_path, open_url, monkeypatch):
    honest, refusals = database.RDBStorage, [OperationalError, IntegrityError]

    def refuse(url):
        if refusals:
            raise refusals.pop()("CREATE TABLE", {}, Exception("already exists"))
        return honest(url)

    monkeypatch.setattr(database, "RDBStorage", refuse)
    assert open_url(f"sqlite:///{tmp_path}/s.db").study_name == "s"
    assert not refusals
