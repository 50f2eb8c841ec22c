"""Zips that may come from anybody: opened, and their entries read within limits."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

from ensemble.errors import DataError, MissingFileError
from ensemble.reading import LARGEST_FILE, file_status, shorten

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others may ask for any amount of memory before they unpack a byte."""

_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(RuntimeError, EOFError, OSError, ValueError, OverflowError),
)
"""What Python raises for a zip that is damaged; RuntimeError where the flags are."""


def open_zip(path: Path, *, remedy: str = "make it again") -> zipfile.ZipFile:
    """Open a zip to read it.

    Raises:
        MissingFileError: It is not there.
        DataError: It is no file, no zip, or damaged.
    """
    file_status(path)
    try:
        return zipfile.ZipFile(path)
    except _FAULTS as error:
        raise DataError(
            f"`{path}` must be a zip, but is none, or damaged: {shorten(str(error))}; {remedy}"
        ) from None


def read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read one file of a zip; what its header says of its size is checked, then held to.

    Raises:
        MissingFileError: It is not there.
        DataError: As `check_entry`, or the zip is damaged there.
    """
    path = archive.filename
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise MissingFileError(f"`{path}/{name}` is not there") from None
    check_entry(archive, entry)
    try:
        with archive.open(entry) as file:
            # Without a limit, Python would unpack all that is there before it looks at the size.
            return file.read(entry.file_size + 1)
    except _FAULTS as error:
        raise DataError(
            f"`{path}` is damaged at `{name}`: {shorten(str(error))}; make it again"
        ) from None


def check_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Refuse by a DataError what has over `LARGEST_FILE` bytes, or is not stored or deflated."""
    path, name = archive.filename, entry.filename
    if entry.file_size > LARGEST_FILE:
        raise DataError(
            f"`{path}` must hold files of at most {LARGEST_FILE >> 20} MiB, but `{name}` has "
            f"{entry.file_size >> 20:,} MiB; make the zip again"
        )
    if entry.compress_type not in _METHODS:
        raise DataError(
            f"`{path}` must hold files that are stored or deflated, but `{name}` is compressed by "
            f"method {entry.compress_type}; make the zip again"
        )
