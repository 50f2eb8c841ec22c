"""Files that may come from anybody, looked at before they are read.

A file's kind and size come first: a named pipe would wait for ever, and a few bytes can unfold into
gigabytes. JSON is checked by a schema, and the header of an array is compared, never obeyed.
"""

from __future__ import annotations

import gc
import io
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import TypeAdapter, ValidationError

from ensemble.errors import ConfigError, DataError, MissingFileError

LARGEST_FILE = 64 * 2**20
"""Bytes of a file that is read at once: a picture, a table, a manifest."""

_SHOWN = 400
"""Characters of a reason: what a file holds may be of any length."""


def file_status(path: Path) -> os.stat_result:
    """Look up a regular file.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is a folder, a pipe or a device, or cannot be looked at.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f"`{path}` is not there") from None
    except ValueError as error:  # a NUL in its name
        raise DataError(f"`{path}` cannot be the name of a file: {error}; rename it") from None
    except OSError as error:
        raise DataError(f"`{path}` cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise DataError(f"`{path}` must be a file, but is {kind}; move it away")
    return status


def refuse_link_to_nothing(path: Path) -> None:
    """Refuse a file that may be missing, where a link hides that it is.

    Raises:
        ConfigError: It is a link to what is not there.
    """
    if path.is_symlink() and not path.exists():
        raise ConfigError(
            f"`{path}` must be a file, but is a link to `{path.readlink()}`, which is not there; "
            "put the file there, or remove the link"
        )


def read_bytes(path: Path, *, most: int = LARGEST_FILE) -> bytes:
    """Read a regular file of at most so many bytes.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is no file, is larger, or cannot be read.
    """
    size = file_status(path).st_size
    if size > most:
        raise DataError(
            f"`{path}` must have at most {most >> 10:,} KiB, but has {size >> 10:,}; it is another "
            "file than is due there"
        )
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise DataError(f"`{path}` cannot be read: {error.strerror}") from None


def read_json(path: Path, schema: Any) -> Any:
    """Read a JSON file whose values are of the kinds due; nothing is converted.

    The schema is any type that pydantic checks, such as `dict[str, float]` or a dataclass.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is no file, no JSON, or another value; the message is a reason, to be put
            between a sentence and the remedy.
    """
    content = read_bytes(path)
    try:
        with _no_collection():
            return _adapter(schema).validate_json(content, strict=True)
    except ValidationError as error:
        raise DataError(explain(error)) from None


@contextmanager
def _no_collection() -> Iterator[None]:
    """Put garbage collection off: it would go through many small lists again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_json_or_none(path: Path, schema: Any) -> Any:
    """As `read_json` a file that nothing depends on; None where it is missing or damaged."""
    try:
        return read_json(path, schema)
    except DataError:
        return None


def explain(error: ValidationError) -> str:
    """The first fault that pydantic found, and where, on one short line."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, fault["loc"]))
    text = fault["msg"].removeprefix("Value error, ")
    return shorten(f"{f'`{where}`: ' if where else ''}{text[:1].lower()}{text[1:]}")


def shorten(text: str) -> str:
    """A text on one line, cut where it is long.

    >>> len(shorten("x" * 1000))
    400
    """
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 4]} ..."


def npy_header(shape: tuple[int, ...], dtype: DTypeLike) -> bytes:
    """The bytes before the numbers of a .npy file."""
    header = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    described = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def read_npy(path: Path, *, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Read an array of the shape and dtype due.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is no file, or holds another array; nothing of it was unpacked.
    """
    head, count = npy_header(shape, dtype), math.prod(shape)
    due = len(head) + count * np.dtype(dtype).itemsize
    size = file_status(path).st_size
    content = read_bytes(path, most=due) if size == due else b""
    if not content.startswith(head):
        raise DataError(
            f"`{path}` must be an array of {np.dtype(dtype)} of the shape {shape}, {due} bytes, "
            f"but is another file, of {size} bytes"
        )
    return np.frombuffer(content, dtype, count, offset=len(head)).reshape(shape).copy()


@cache
def _adapter(schema: Any) -> TypeAdapter[Any]:
    return TypeAdapter(schema)
