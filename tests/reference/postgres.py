"""A PostgreSQL server of a test's own: a folder, a socket in it, no port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = "ENS_POSTGRES_REQUIRED"
"""Where this variable is set a missing server is a failure; elsewhere it is a skip."""
SETTINGS = "-c listen_addresses='' -c unix_socket_directories='{folder}'"
OWNER = "postgres"
"""Whom Debian's package makes: the server refuses to run as root."""


class Server:
    """A running server.

    Attributes:
        url: Of its database, as `--storage` takes it.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._run("initdb", "--auth=trust", f"--username={OWNER}", "--no-locale", "-E", "UTF8")
        self.url = f"postgresql://{OWNER}@/{OWNER}?host={folder}"

    def control(self, action: str, *flags: str) -> None:
        """Run `pg_ctl`, and wait until it is done."""
        options = [] if action == "stop" else ["-o", SETTINGS.format(folder=self._folder)]
        self._run("pg_ctl", action, "-w", "-l", str(self._folder / "log"), *options, *flags)

    def _run(self, program: str, *arguments: str) -> None:
        user = OWNER if os.name == "posix" and os.geteuid() == 0 else None
        command = [self._programs / program, *arguments, "-D", self._folder / "data"]
        subprocess.run(
            command, check=True, user=user, group=user, cwd=self._folder, stdout=subprocess.DEVNULL
        )


@contextmanager
def serve() -> Iterator[Server]:
    """Start a server, and stop it; skip the test where there is none to start."""
    programs = _find_programs()
    if programs is None:
        refuse = pytest.fail if os.environ.get(REQUIRED) else pytest.skip
        refuse("no PostgreSQL server: Debian's package is `postgresql`")
    folder = Path(tempfile.mkdtemp(prefix="ens-postgres-"))  # short: a socket's path is
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER, OWNER)
        server = Server(programs, folder)
        server.control("start")
        try:
            yield server
        finally:
            server.control("stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


def _find_programs() -> Path | None:
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    folders = Path("/usr/lib/postgresql").glob("*/bin")  # Debian keeps them off the path
    return max((one for one in folders if (one / "initdb").exists()), default=None)
