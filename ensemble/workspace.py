"""Where artefacts live, and how they are written: whole or not at all.

This is the only module that spells an artefact's path.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ensemble.errors import ConfigError, LockedError
from ensemble.vocabulary import FULL, Fold

_NAME = re.compile(r"[^\W_][\w.-]{0,63}")
_SCRATCH_END = ".part"
_POLL_SECONDS = 0.5

SPARE_BYTES = 64_000_000
"""Room on a disk that is left alone: small files have to be written as well."""

_FULL_DISK = ("No space left on device", "file write failed", "unexpected pos")
"""In the errors by which safetensors and torch report that a file could not be written."""


def check_name(what: str, name: str) -> str:
    """Return `name` if it may name a file or folder on any platform.

    Args:
        what: What is named, as in "a member".
        name: At most 64 letters, digits, `-`, `_` or `.`, the first a letter or digit. So it
            is never `.` or `..`, hidden, or a path.

    Raises:
        ConfigError: It may not.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"the name of {what} must be 1 to 64 letters, digits, `-`, `_` or `.`, beginning with "
            f"a letter or digit, because files are named after it, but got {name!r}; choose another"
        )
    return name


@dataclass(frozen=True)
class Workspace:
    """The folder a user works in, and the paths of everything in it.

    Attributes:
        root: The folder given by `--root` or `ENS_ROOT`; the current folder by default.
    """

    root: Path

    @property
    def config_file(self) -> Path:
        """The settings, `ens.toml`."""
        return self.root / "ens.toml"

    @property
    def folds_file(self) -> Path:
        """Which fold validates which photograph."""
        return self.root / "folds.csv"

    @property
    def data(self) -> Path:
        """The competition's data, as downloaded."""
        return self.root / "data"

    @property
    def cache(self) -> Path:
        """What was read of the training photographs, and their pixels unless `cache = false`."""
        return self.root / "cache"

    @property
    def checkpoints(self) -> Path:
        """Every trained network."""
        return self.root / "checkpoints"

    @property
    def oof(self) -> Path:
        """Every cached out-of-fold prediction, the recipe and the studies."""
        return self.root / "oof"

    @property
    def submissions(self) -> Path:
        """Every zip that was built, with its manifest."""
        return self.root / "submissions"

    def checkpoint_dir(self, stage: str, member: str, fold: Fold) -> Path:
        """The folder of one training job."""
        folder = self.checkpoints / stage / check_name("a member", member)
        return folder / (FULL if fold == FULL else f"fold-{fold}")

    def oof_dir(self, stage: str, member: str, fold: int) -> Path:
        """The archive of one member's predictions for one fold's photographs."""
        return self.oof / stage / check_name("a member", member) / f"fold-{fold}"

    def restored_dir(self, fold: int) -> Path:
        """The archive of the restored gray that stage 2 starts from in one fold."""
        return self.oof / "restored" / f"fold-{fold}"

    def external_test_dir(self, stage: str, member: str) -> Path:
        """The archive of an external member's predictions for the test photographs."""
        return self.oof / stage / check_name("a member", member) / "test"

    @property
    def recipe_file(self) -> Path:
        """What `ens blend` decides."""
        return self.oof / "recipe.json"

    @property
    def priors_file(self) -> Path:
        """The hue prior of each fold, which the recipe counts on."""
        return self.oof / "priors.safetensors"

    @property
    def table_file(self) -> Path:
        """The exact scores behind the recipe, for `ens report`."""
        return self.oof / "scores.json"

    @property
    def study_file(self) -> Path:
        """The journal of the Optuna studies, readable by optuna-dashboard."""
        return self.oof / "study.log"

    def submission_file(self, name: str) -> Path:
        """The zip called `name`; its manifest has the same name and ends in `.json`."""
        return self.submissions / f"{check_name('a submission', name)}.zip"

    @property
    def public_file(self) -> Path:
        """The scores that the board gave to submissions, as `ens history` notes them."""
        return self.root / "public-scores.json"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a path to write to that becomes `path` only once everything is written.

    The temporary file or folder lies beside `path`, so the final rename is atomic; it is removed
    if the block raises. An existing file is replaced; an existing folder is swapped out first.

    Args:
        path: The file or folder to make.

    Raises:
        OSError: It cannot be written, and `path` is as it was; the error names `path`, and is one
            of the system's also where a library reports a full disk by an error of its own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with name_in_errors(path):
        scratch = Path(
            tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_SCRATCH_END, dir=path.parent)
        )
        temporary = scratch / path.name
        try:
            yield temporary
            if temporary.is_file():
                _finish_file(temporary)
            elif temporary.is_dir() and path.is_dir():
                path.rename(scratch / "replaced")
            temporary.replace(path)
        except OSError:
            raise
        except Exception as error:  # torch's and safetensors' share no class
            if not any(text in str(error) for text in _FULL_DISK):
                raise
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all.

    Args:
        path: The file; its folder is made if missing.
        content: Bytes, or text to be encoded as UTF-8.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def exclusive_lock(path: Path, *, what: str, wait: bool = False) -> Iterator[None]:
    """Hold the artefact at `path` alone.

    The lock is the system's: it vanishes with the process that held it, however that ends, so a
    killed run never leaves a lock to be removed by hand. What a killed writer of the artefact left
    unfinished is removed.

    Args:
        path: The artefact; the lock file lies beside it and ends in `.lock`.
        what: What is being done, for the message.
        wait: Wait for another process that holds it, instead of refusing at once.

    Raises:
        LockedError: Another process holds it, and `wait` is False.
        OSError: As the block raises it; one that names no file names `path`.
    """
    lock_file = path.parent / f".{path.name}.lock"
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file, blocking=wait, poll_interval=_POLL_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"only one process at a time may be {what}, but another holds `{lock_file}`; "
            "wait for it to end, then run this again"
        ) from None
    try:
        _remove_unfinished(path)
        with name_in_errors(path):
            yield
    finally:
        lock.release()


def _remove_unfinished(path: Path) -> None:
    """Remove what `atomic_path` was writing to `path`, or into it, when a process was killed."""
    beside = path.parent.glob(f".{glob.escape(path.name)}.*{_SCRATCH_END}")
    for scratch in [*beside, *path.glob(f".*{_SCRATCH_END}")]:
        shutil.rmtree(scratch, ignore_errors=True)


def _finish_file(path: Path) -> None:
    """Flush a file to the disk, with the mode of any new file: some libraries give it another."""
    usual = path.with_name("usual")
    usual.touch()
    path.chmod(usual.stat().st_mode)
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def name_in_errors(path: Path) -> Iterator[None]:
    """Name an artefact in an error of the system that names its temporary file, or none."""
    try:
        yield
    except OSError as error:
        named = error.filename
        if error.errno is not None and (named is None or _SCRATCH_END in str(named)):
            error.filename, error.filename2 = str(path), None
        raise


def check_room(folder: Path, needed: int, *, what: str, remedy: str) -> None:
    """Refuse what a disk has no room for, before it is begun.

    Args:
        folder: Where it is to lie; it need not exist yet.
        needed: Bytes.
        what: Its name, in the plural.
        remedy: What else than freeing space would help.

    Raises:
        ConfigError: Less is free than needed and `SPARE_BYTES`.
    """
    if not has_room(folder, needed):
        raise no_room(folder, needed, what=what, remedy=remedy)


def has_room(folder: Path, needed: int) -> bool:
    """Whether so many bytes and `SPARE_BYTES` are free on the disk of a folder."""
    return needed + SPARE_BYTES <= free_bytes(folder)


def no_room(folder: Path, needed: int, *, what: str, remedy: str) -> ConfigError:
    """The error that says so; see `check_room`."""
    return ConfigError(
        f"{what} need {format_bytes(needed)} in `{folder}`, with {format_bytes(SPARE_BYTES)} to "
        f"spare, but {format_bytes(free_bytes(folder))} are free, or your quota is used up; free "
        f"some space, or {remedy}"
    )


def format_bytes(count: float) -> str:
    """A number of bytes for a reader.

    >>> format_bytes(33_060_000_000), format_bytes(1_900_000), format_bytes(1200)
    ('33.1 GB', '1.9 MB', '1.2 KB')
    """
    for size, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:.1f} KB"


def free_bytes(folder: Path) -> int:
    """Bytes that are free on the disk of a folder, which need not exist yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
