"""Digests of many files' contents, remembered until a file changes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from ensemble.files import atomic_write, sweep
from ensemble.manifest import digest_file
from ensemble.parallel import Progress, map_in_order, silent
from ensemble.reading import file_status, read_json_or_none

CACHE_NAME = ".ens-digests.json"

_SETTLED_NS = 2_000_000_000

Fingerprint = tuple[int, int]
_Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_Remembered = dict[str, tuple[int, int, _Sha256]]


def digest_files(
    paths: Iterable[Path],
    *,
    folder: Path,
    what: str = "hashing photographs",
    progress: Progress = silent,
) -> dict[str, str]:
    """SHA-256 of each file's content, by its path relative to a folder above them all.

    Digests are kept in `folder` with the file's size and modification time, also after an
    interruption, and computed again once either differs. A file modified in the last two seconds is
    not remembered: another change within the clock's resolution would go unseen. In a folder that
    may not be written to nothing is remembered. A bar is shown only where a file has to be read.

    Raises:
        MissingFileError: A file is not there.
        DataError: Instead of a file there is a folder, a pipe or a loop of links.
    """
    sweep(folder)  # nothing is written where everything is known
    files = {os.path.relpath(path, folder): path for path in paths}
    fingerprints = {name: fingerprint(path) for name, path in files.items()}
    cache = _read_cache(folder / CACHE_NAME)
    known = {
        name: cache[name][1]
        for name, fingerprint in fingerprints.items()
        if name in cache and cache[name][0] == fingerprint
    }
    changed = {name: path for name, path in files.items() if name not in known}
    if changed:
        fresh: dict[str, tuple[Fingerprint, str]] = {}
        digests = map_in_order(digest_file, changed.values())
        try:
            with progress(what, len(changed)) as advance:
                for name, digest in zip(changed, digests, strict=True):
                    fresh[name] = fingerprints[name], digest
                    advance(1)
        finally:
            _write_cache(folder, cache, fresh)
        known.update({name: digest for name, (_, digest) in fresh.items()})
    return {name: known[name] for name in files}


def fingerprint(path: Path) -> Fingerprint:
    """A file's size and modification time; see `file_status` for what is refused."""
    status = file_status(path)
    return status.st_size, status.st_mtime_ns


def remember_digests(known: Mapping[Path, tuple[Fingerprint, str]], *, folder: Path) -> None:
    """Spare `digest_files` the reading of files whose digests are known.

    Of each file the fingerprint, taken before it was read, and the SHA-256.
    """
    fresh = {os.path.relpath(path, folder): entry for path, entry in known.items()}
    _write_cache(folder, _read_cache(folder / CACHE_NAME), fresh)


def _read_cache(path: Path) -> dict[str, tuple[Fingerprint, str]]:
    """What is remembered; a file that is not a cache remembers nothing."""
    content = read_json_or_none(path, _Remembered) or {}
    return {name: ((size, mtime), sha) for name, (size, mtime, sha) in content.items()}


def _write_cache(
    folder: Path,
    cache: dict[str, tuple[Fingerprint, str]],
    fresh: dict[str, tuple[Fingerprint, str]],
) -> None:
    if not os.access(folder, os.W_OK):
        return
    newest = time.time_ns() - _SETTLED_NS
    settled = {name: entry for name, entry in fresh.items() if entry[0][1] < newest}
    content = {
        name: [size, mtime, sha] for name, ((size, mtime), sha) in {**cache, **settled}.items()
    }
    atomic_write(folder / CACHE_NAME, json.dumps(content, separators=(",", ":")))
