"""How artefacts are written: whole or not at all, by one process at a time, where there is room."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout
from rich.filesize import decimal

from ensemble.errors import ConfigError, LockedError

_SCRATCH_END = ".part"
_IN_USE = ".lock"
"""In a scratch folder: locked as long as its writer lives."""
_REPLACED = ".replaced"
"""In a scratch folder: the folder that was at the path."""
_POLL_SECONDS = 0.5

SPARE_BYTES = 64_000_000
"""Room on a disk that is left alone: small files have to be written as well."""

_FULL_DISK = ("file write failed", "unexpected pos")
"""In the errors by which torch reports that a file could not be written."""
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
"""In those of safetensors."""

_NO_LOCKS = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK})
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What file systems answer that cannot lock, and cannot flush a folder."""


def refuse_links(*paths: Path) -> None:
    """Refuse links where files are written in place, or folders removed: they lead elsewhere.

    Raises:
        ConfigError: One of the paths is a link.
    """
    for path in paths:
        if path.is_symlink():
            raise ConfigError(
                f"`{path}` must not be a link, because what lies there is written and removed, but "
                f"leads to `{path.readlink()}`; put a copy there. Only whole folders of the "
                "workspace may be links, such as `oof`"
            )


def links_in(folder: Path) -> list[Path]:
    """Every link below a folder, and the folder itself if it is one."""
    if folder.is_symlink():
        return [folder]
    below = [Path(place, n) for place, *both in os.walk(folder) for names in both for n in names]
    return [path for path in below if path.is_symlink()]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a path to write to that becomes `path` only once everything is written.

    The temporary file or folder lies beside `path`, so the final rename is atomic; it is removed
    if the block raises. What is written is on the disk before the rename, and the rename before
    this returns, so a power failure leaves the old or the new. An existing file is replaced; an
    existing folder is swapped out first.

    Raises:
        OSError: It cannot be written, and `path` is as it was; the error names `path`, and is one
            of the system's also where a library reports a full disk by an error of its own.
    """
    with name_in_errors(path):
        make_folder(path.parent)
        sweep(path.parent)
        scratch, in_use = _make_scratch(path)
        temporary = scratch / path.name
        try:
            yield temporary
            if temporary.is_file():
                _give_usual_mode(temporary)
            _flush_tree(temporary)
            if temporary.is_dir() and path.is_dir():
                path.rename(scratch / _REPLACED)
            temporary.replace(path)
            _flush_folder(path.parent)
        except OSError:
            raise
        except Exception as error:  # torch's and safetensors' share no class
            number = _find_errno(str(error))
            if not number:
                raise
            raise OSError(number, os.strerror(number)) from error
        finally:
            _remove_scratch(scratch, in_use)


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, if missing; each is entered on the disk."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in new:
        _flush_folder(one.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder at once: a process that is killed meanwhile leaves no half of it.

    Raises:
        OSError: It cannot be removed, and is as it was.
    """
    with name_in_errors(path):
        scratch, in_use = _make_scratch(path)
        try:
            path.rename(scratch / path.name)
            _flush_folder(path.parent)
        finally:
            _remove_scratch(scratch, in_use)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all, in a folder that is made if missing.

    Text is encoded as UTF-8; a name that is not UTF-8 is escaped.
    """
    with atomic_path(path) as temporary:
        if isinstance(content, str):
            content = content.encode(errors="backslashreplace")
        temporary.write_bytes(content)


@contextmanager
def exclusive_lock(path: Path, *, what: str, wait: bool = False) -> Iterator[None]:
    """Hold the artefact at `path` alone; the lock file lies beside it and ends in `.lock`.

    The lock is the system's (flock; on Windows, msvcrt): it vanishes with the process that held it,
    however that ends, so a killed run never leaves a lock to be removed by hand. Linux hands it to
    the server of a network file system, unless that is mounted with `nolock` or `local_lock`. What
    a killed writer of the artefact left unfinished is removed.

    Raises:
        LockedError: Another process holds it while it is doing `what`, and `wait` is False; or the
            file system has no locks.
        ConfigError: It is a link to a folder.
        OSError: As the block raises it; one that names no file names `path`.
    """
    make_folder(path.parent)
    lock = make_lock(path, wait=wait)
    try:
        acquire(lock)
    except Timeout:
        raise LockedError(
            f"only one process at a time may be {what}, but another holds `{lock.lock_file}`; "
            "wait for it to end, then run this again"
        ) from None
    try:
        if path.is_dir():
            refuse_links(path)
        for scratch in [*_list_scratches(path.parent, path.name), *_list_scratches(path)]:
            _remove_scratch(scratch)  # their writers held this lock
        with name_in_errors(path):
            yield
    finally:
        lock.release()


def make_lock(path: Path, *, wait: bool, poll_seconds: float = _POLL_SECONDS) -> FileLock:
    """The lock of the artefact at `path`, not yet held; see `acquire` and `exclusive_lock`."""
    return FileLock(path.parent / f".{path.name}.lock", blocking=wait, poll_interval=poll_seconds)


def acquire(lock: FileLock) -> None:
    """Acquire a lock of the system's.

    Raises:
        Timeout: Another process holds it.
        LockedError: The file system has none. A mere file in place of one would outlive a process
            that is killed.
    """
    try:
        lock.acquire()
        if not isinstance(lock, SoftFileLock):
            return
        lock.release()
        reason = os.strerror(errno.ENOSYS)
    except NotImplementedError as error:
        reason = str(error)
    except OSError as error:
        if isinstance(error, Timeout) or error.errno not in _NO_LOCKS:
            raise
        reason = os.strerror(error.errno or errno.ENOSYS)
    raise LockedError(
        f"`{lock.lock_file}` must be locked, that no other process writes there, but its file "
        f"system has no locks ({reason}); work on another disk, or mount this one with locks"
    )


def _make_scratch(path: Path) -> tuple[Path, FileLock]:
    """Make a folder beside `path` to write in, and lock it so that nobody sweeps it."""
    while True:
        scratch = Path(
            tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_SCRATCH_END, dir=path.parent)
        )
        in_use = FileLock(scratch / _IN_USE, blocking=False)
        try:
            acquire(in_use)
        except LockedError:  # no locks here: nothing is swept either
            pass
        except (Timeout, FileNotFoundError):  # another process took it for a dead one's
            continue
        except OSError:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return scratch, in_use


@cache
def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder; once a process, for it takes a listing."""
    for scratch in _list_scratches(folder):
        in_use = FileLock(scratch / _IN_USE, blocking=False)
        with suppress(OSError, LockedError):
            if not (scratch / _IN_USE).exists():
                scratch.rmdir()  # its writer died right after mkdtemp, or else will try again
                continue
            acquire(in_use)
            _remove_scratch(scratch, in_use)
        in_use.release()


def _list_scratches(folder: Path, name: str = "") -> list[Path]:
    """The scratch folders in a folder, of one artefact or of all."""
    return list(folder.glob(f".{glob.escape(name) or '*'}.*{_SCRATCH_END}"))


def _remove_scratch(scratch: Path, in_use: FileLock | None = None) -> None:
    """Remove a scratch folder; a folder that was swapped out, but not replaced, goes back first.

    Its lock goes last, so a process that is killed meanwhile leaves what `sweep` removes.
    """
    replaced = scratch / _REPLACED
    path = scratch.with_name(scratch.name.removesuffix(_SCRATCH_END)[1:].rpartition(".")[0])
    if replaced.exists() and not path.exists():
        replaced.rename(path)
    _discard(*(path for path in scratch.glob("*") if path.name != _IN_USE))
    if in_use is not None:
        in_use.release()  # some versions of filelock remove the file
    _discard(scratch)


def _discard(*paths: Path) -> None:
    """Remove files and folders; those that a disk refuses to remove twice stay."""
    for path in paths * 2:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _find_errno(text: str) -> int:
    """The system's number of an error that a library reports in words; 0 if it is another."""
    if any(known in text for known in _FULL_DISK):
        return errno.ENOSPC
    found = _SYSTEM_ERROR.search(text)
    return int(found[1]) if found else 0


def _give_usual_mode(path: Path) -> None:
    """Give a file the mode of any new file: some libraries give it another."""
    usual = path.with_name(".usual")
    usual.touch()
    path.chmod(usual.stat().st_mode)


def _flush_tree(path: Path) -> None:
    """Flush a file, or all files and folders below a folder and itself, to the disk."""
    for one in sorted(path.rglob("*"), reverse=True) if path.is_dir() else ():
        _flush_folder(one) if one.is_dir() else _flush_file(one)
    _flush_folder(path) if path.is_dir() else _flush_file(path)


def _flush_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Flush the names in a folder; Windows, and some file systems, have no way to."""
    if os.name == "nt":
        return
    number = os.open(path, os.O_RDONLY)
    try:
        with name_in_errors(path):
            os.fsync(number)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(number)


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


@contextmanager
def suppress_read_only() -> Iterator[None]:
    """Pass over that something cannot be kept, which only saves time, where nothing may be written.

    Any other error, such as a full disk, is raised.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise


def has_room(folder: Path, needed: int) -> bool:
    """Whether so many bytes and `SPARE_BYTES` are free on the disk of a folder."""
    return needed + SPARE_BYTES <= free_bytes(folder)


def no_room(folder: Path, needed: int, *, what: str, remedy: str) -> ConfigError:
    """The error that a disk has no room for `what`, in the plural; a remedy beside free space."""
    return ConfigError(
        f"{what} need {decimal(needed)} in `{folder}`, with {decimal(SPARE_BYTES)} to spare, but "
        f"{decimal(free_bytes(folder))} are free, or your quota is used up; free some space, or "
        f"{remedy}"
    )


def free_bytes(folder: Path) -> int:
    """Bytes that are free on the disk of a folder, which need not exist yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
