"""Optuna's studies: where trials are kept, and whose trials they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from ensemble.blending.moments import VERSION
from ensemble.blending.sampling import Plan
from ensemble.blending.space import SearchSpace
from ensemble.errors import ConfigError
from ensemble.manifest import digest_json

JOURNAL = "journal:///"
BUSY_SECONDS = 120


def open_storage(where: str | Path) -> BaseStorage:
    """Open or make a storage of studies.

    Args:
        where: A path of a SQLite file; `journal:///path`, or a path that ends in `.log`, of a
            journal file (shared by machines over a network file system); or a database URL.

    Raises:
        ConfigError: There is no such storage and none can be made.
    """
    text = str(where)
    try:
        if text.startswith(JOURNAL) or text.endswith(".log"):
            path = Path(text.removeprefix(JOURNAL))
            path.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(path)))
        if "://" in text and not text.startswith("sqlite"):
            return RDBStorage(text)
        return _sqlite(text)
    except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
        raise ConfigError(
            f"`--storage` must be a SQLite file, journal:///PATH or a database URL that can be "
            f"opened, but `{text}` is not: {error}"
        ) from error


def study_name(stage: str, *, evidence: str, space: SearchSpace, plan: Plan) -> str:
    """A name that is shared only by searches of the same candidates on the same evidence.

    Args:
        stage: The stage.
        evidence: `Evidence.digest`, of what was sampled of it.
        space: Where the search looks.
        plan: How much of each photograph it reads.
    """
    coding = {name: str(value) for name, value in space.distributions.items()}
    views = {member: list(views) for member, views in space.views.items()}
    parts = [VERSION, evidence, coding, views, sorted(space.voters)]
    parts += [space.fixed.model_dump(mode="json"), str(plan)]
    return f"{stage}-{digest_json(parts)[:16]}"


def open_study(storage: BaseStorage | None, name: str) -> optuna.Study:
    """Open or make a study; None keeps it in memory."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )


def _sqlite(text: str) -> RDBStorage:
    """A SQLite storage that several processes of one machine may write to at once."""
    url = text if text.startswith("sqlite") else f"sqlite:///{text}"
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    arguments = {"connect_args": {"timeout": BUSY_SECONDS}}
    storage = RDBStorage(url, engine_kwargs=arguments)
    event.listen(storage.engine, "connect", _prepare_connection)
    event.listen(storage.engine, "begin", _begin)
    storage.engine.dispose()
    return storage


def _prepare_connection(connection: Any, _record: Any) -> None:
    """Flush once a checkpoint instead of once a parameter: only a power cut can lose trials.

    A process that is killed loses nothing. Python's own implicit transactions are switched off:
    they begin at the first write, see `_begin`.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Any) -> None:
    """Lock before reading: else two processes both read that a trial waits, and both take it."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
