"""A study in a database: a connection that is lost for a while is waited for."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from ensemble.errors import ConfigError, StudyError, unknown_name
from ensemble.parallel import Say

DATABASES = (
    *("sqlite", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"),
    *("mysql", "mysql+mysqldb", "mysql+pymysql"),
)
"""What Optuna is tested on. Some other drivers load a library that the URL names."""

PATIENCE_SECONDS = 60.0
"""How long a database that was open may be out of reach; a server is restarted in less."""

_PAUSE_SECONDS = 0.5
_TRIES = 10

OWN_TABLES = {"studies", "version_info"}
"""Tables of Optuna that are made first; another process may be making the rest."""

_MEANWHILE = re.compile("already exists|locked")
"""What a database says where another process makes the same tables."""

_POSTGRES = "postgresql://"


def open_database(url: str, say: Say) -> BaseStorage:
    """Open a database of studies by its URL, and make its tables where there are none.

    PostgreSQL is reached by psycopg unless the URL names another driver.

    Raises:
        ConfigError: There is no such database, or no driver for it.
    """
    shown = _hide_password(url)
    if url.startswith(_POSTGRES):
        url = f"postgresql+psycopg://{url.removeprefix(_POSTGRES)}"
    try:
        _check_database(url)
        opened = _open_with_tables(url)
    except ConfigError:
        raise
    except ImportError as error:
        raise ConfigError(
            f"`--storage` must be a database that has a driver here, but `{shown}` has none "
            f"({error.__cause__}); install it, for PostgreSQL `pip install dacon-ens[postgres]`"
        ) from error
    except Exception as error:  # whatever the driver of a database raises
        raise ConfigError(
            "`--storage` must be a journal file, or a database URL that Optuna can open, but "
            f"`{shown}` is not: {_explain(error)}"
        ) from error
    storage: BaseStorage = _PatientStorage(get_storage(opened), shown, say)
    return storage


def _check_database(url: str) -> None:
    """Refuse a driver that may load code of a URL's choosing, and an SQLite file of others."""
    kind, _, rest = url.partition("://")
    if kind not in DATABASES:
        raise ConfigError(unknown_name("database for `--storage`", kind, [*DATABASES, "journal"]))
    path = Path(unquote(rest.partition("?")[0].removeprefix("/")))
    if kind != "sqlite" or not path.is_file():
        return
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        found = database.execute("select name from sqlite_master where type = 'table'")
        tables = sorted(name for (name,) in found)
    if tables and not OWN_TABLES.intersection(tables):
        raise ConfigError(
            f"`--storage` must be a database of Optuna or a new file, but `{path}` has other "
            f"tables, `{tables[0]}` among them; give another name"
        )


def _open_with_tables(url: str) -> RDBStorage:
    """Open a database; of processes that make its tables at once, all but one fail at first."""
    for _ in range(_TRIES):
        try:
            return RDBStorage(url)
        except DBAPIError as error:
            if not isinstance(error, IntegrityError) and not _MEANWHILE.search(str(error.orig)):
                raise
            time.sleep(_PAUSE_SECONDS)
    return RDBStorage(url)


class _Waiting:
    """Calls a storage until it answers.

    What a lost connection leaves undone is done again, which no operation of a search minds: a
    finished trial stays as it is, and one that was begun twice is finished by the next search.
    """

    def __init__(self, storage: BaseStorage, shown: str, say: Say) -> None:
        self._storage, self._shown, self._say = storage, shown, say
        self._lost: float | None = None

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        while True:
            try:
                answer = getattr(self._storage, name)(*arguments, **options)
            except (StorageInternalError, DBAPIError) as error:
                self._wait(error)
            else:
                self._lost = None
                return answer

    def _wait(self, error: Exception) -> None:
        """Wait for a moment; StudyError where the fault does not pass, or has not in time."""
        if self._lost is None and _may_pass(error):
            self._lost = time.monotonic()
            self._say(
                f"the study at `{self._shown}` cannot be reached ({_explain(error)}); trying "
                f"again for {PATIENCE_SECONDS:.0f} seconds"
            )
        if self._lost is None or time.monotonic() - self._lost > PATIENCE_SECONDS:
            raise StudyError(
                f"the study at `{self._shown}` must be within reach until the search ends, but is "
                f"not ({_explain(error)}); see to the database, then run the same command again: "
                "no finished trial is lost"
            ) from error
        try:
            time.sleep(_PAUSE_SECONDS)
        except KeyboardInterrupt:
            self._lost = float("-inf")  # what follows an interruption must not wait again
            raise


def _forward(name: str) -> Callable[..., Any]:
    def call(self: _Waiting, *arguments: Any, **options: Any) -> Any:
        return self._call(name, *arguments, **options)

    return call


_PatientStorage: Any = type(
    "_PatientStorage",
    (_Waiting, BaseStorage),
    {name: _forward(name) for name in BaseStorage.__abstractmethods__},
)


def _may_pass(error: BaseException) -> bool:
    """Whether a fault may pass: a lost or refused connection, a deadlock, a locked file."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, DBAPIError):
        return False
    if isinstance(cause.orig, sqlite3.Error):
        return "locked" in str(cause.orig)
    return cause.connection_invalidated or isinstance(cause, OperationalError)


def _explain(error: BaseException) -> str:
    """The first line of what the driver said; SQLAlchemy's own text has the SQL and a link."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    text = str(getattr(cause, "orig", None) or cause or error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _hide_password(url: str) -> str:
    """The URL without its password.

    >>> _hide_password("postgresql://ann:se/cr@et@host/ens")
    'postgresql://ann:***@host/ens'
    """
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)
