"""Small files that would unfold into gigabytes: `python -m tests.fuzz.bombs` reads each of them.

Each is read in a process of its own. Its line has the KiB of the file, the MiB of memory and the
seconds of processor time that reading it took, and what the error says; it is to be refused with
less than `MEMORY`.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import struct
import sys
import tempfile
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ensemble.data.png import encode_png
from ensemble.errors import EnsembleError
from ensemble.reading import npy_header
from tests.fuzz import parsers
from tests.fuzz.__main__ import restart_with_one_arena
from tests.fuzz.hunt import limit_memory

UNFOLDED = 300 * 2**20
IMPORTED = ("cv2", "numcodecs", "numba", "zarr")
"""Before anything is measured, beside what `parsers` imports."""

Prepare = Callable[[Path], Path]

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _png(side: int, color_type: int, *, before: bytes = b"") -> bytes:
    channels = {0: 1, 2: 3}[color_type]
    head = struct.pack(">IIBBBBB", side, side, 8, color_type, 0, 0, 0)
    lines = zlib.compress(bytes(side * (1 + channels * side)), 9)
    return SIGNATURE + b"".join(
        [_chunk(b"IHDR", head), before, _chunk(b"IDAT", lines), _chunk(b"IEND", b"")]
    )


def _text_chunk() -> bytes:
    return _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(UNFOLDED), 9))


def _picture(format_: str, **options: Any) -> bytes:
    content = io.BytesIO()
    Image.new("L", (13_000, 13_000)).save(content, format_, **options)
    return content.getvalue()


def _zip(method: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("a.png", bytes(UNFOLDED))
        archive.writestr("b.png", encode_png(parsers.RGB))
    return content.getvalue()


def _lying_zip() -> bytes:
    """The header says 1000 bytes."""
    real = struct.pack("<I", UNFOLDED)
    return _zip(zipfile.ZIP_DEFLATED).replace(real, struct.pack("<I", 1000))


def _replaced(
    prepare: Callable[[Path], Path], make: Callable[[Path], bytes]
) -> Callable[..., Path]:
    """Writes valid files, then puts a bomb in the place of one."""

    def write(folder: Path) -> Path:
        path = prepare(folder)
        path.write_bytes(make(path))
        return path

    return write


def _wide_metadata(path: Path) -> bytes:
    content = json.loads(path.read_bytes())
    content["shape"][1:] = [10**5, 10**5, 3]
    content["chunk_grid"]["configuration"]["chunk_shape"][1:] = [10**5, 10**5, 3]
    return json.dumps(content).encode()


def _zstd(path: Path) -> bytes:
    from numcodecs import Zstd

    return bytes(Zstd().encode(np.frombuffer(bytes(UNFOLDED), np.uint8)))


class _Called:
    def __reduce__(self) -> Any:
        return bytearray, (3 * 10**9,)


def _calling(path: Path) -> bytes:
    import torch

    content = torch.load(path, weights_only=True)
    torch.save({**content, "x": _Called()}, path)
    return path.read_bytes()


def _deflated(path: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("last/data/99", bytes(UNFOLDED))
    return content.getvalue()


def _safetensors(shape: list[int]) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def _file(content: Callable[[], bytes]) -> Callable[[Path], Path]:
    return lambda folder: parsers._write("a", content())(folder)


_RECORD = _replaced(
    lambda folder: parsers._archive("checksums.npy", folder),
    lambda path: npy_header((10**9, 10), np.uint64),
)


def _png_in_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.png", _png(14_000, 2))
    return content.getvalue()


Bomb = tuple[Prepare, Callable[[Path], Any]]

BOMBS: dict[str, Bomb] = {
    "png of 14,000 px": (_file(lambda: _png(14_000, 2)), parsers._read_rgb),
    "gray png of 28,000 px": (_file(lambda: _png(28_000, 0)), parsers._read_gray),
    "png with a text of 300 MiB": (
        _file(lambda: _png(16, 0, before=_text_chunk())),
        parsers._read_gray,
    ),
    "photograph png": (_file(lambda: _png(13_000, 0)), parsers._read_picture),
    "photograph tiff": (
        _file(lambda: _picture("tiff", compression="tiff_adobe_deflate")),
        parsers._read_picture,
    ),
    "photograph gif": (_file(lambda: _picture("gif")), parsers._read_picture),
    "photograph jpeg": (_file(lambda: _picture("jpeg", quality=1)), parsers._read_picture),
    "zip, deflated": (_file(lambda: _zip(zipfile.ZIP_DEFLATED)), parsers._read_zip),
    "zip, another size in its header": (_file(_lying_zip), parsers._read_zip),
    "zip, bzip2": (_file(lambda: _zip(zipfile.ZIP_BZIP2)), parsers._read_zip),
    "zip of a png": (_file(_png_in_zip), parsers._read_zip),
    "submission zip": (_file(lambda: _zip(zipfile.ZIP_DEFLATED)), parsers._verify_zip),
    "array header": (_RECORD, parsers._read_archive),
    "zarr metadata": (
        _replaced(
            lambda folder: parsers._archive("views.zarr/identity/zarr.json", folder), _wide_metadata
        ),
        parsers._read_archive,
    ),
    "zstd chunk": (
        _replaced(lambda folder: parsers._archive("views.zarr/identity/c/0/0/0/0", folder), _zstd),
        parsers._read_archive,
    ),
    "safetensors header": (
        _file(lambda: struct.pack("<Q", 2**40) + b"{}"),
        parsers._read_priors,
    ),
    "safetensors shape": (_file(lambda: _safetensors([10**9, 10**9])), parsers._read_weights),
    "checkpoint that calls": (_replaced(parsers._checkpoint, _calling), parsers._read_checkpoint),
    "checkpoint, deflated": (_replaced(parsers._checkpoint, _deflated), parsers._read_checkpoint),
    "json, nested": (
        _file(lambda: b'{"kind": ' + b"[" * 900_000),
        partial(parsers._read_manifest, "oof"),
    ),
    "json, many lists": (
        _file(lambda: b'{"kind": [' + b"[]," * 300_000 + b"0]}"),
        partial(parsers._read_manifest, "oof"),
    ),
    "toml, dotted": (
        _file(lambda: b"member." + b".".join([b"a"] * 100_000) + b" = 1\n"),
        parsers._read_config,
    ),
    "toml, a long value": (
        _file(lambda: b'seed = "' + b"x" * 200_000 + b'"\n'),
        parsers._read_config,
    ),
    "csv, one row": (
        _file(lambda: b"image_id,group,fold\n" + b"," * 900_000),
        parsers._read_folds,
    ),
    "csv, a long number": (
        _file(lambda: b"image_id,group,fold\na,a," + b"9" * 100_000 + b"\n"),
        parsers._read_folds,
    ),
    "journal of a study": (
        _replaced(
            parsers._study, lambda path: b'{"op_code":' + b"[" * 900_000 + b"\n" + path.read_bytes()
        ),
        parsers._read_study,
    ),
}


def read_one(name: str) -> None:
    """Read one of them here, and print its line; it is made by another process."""
    prepare, read = BOMBS[name]
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "path"
        _in_child(lambda: note.write_text(str(prepare(Path(folder)))))
        path = Path(note.read_text())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        limit_memory()
        begun = time.process_time()
        try:
            read(path)
            said = "accepted"
        except EnsembleError as error:
            said = str(error)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        seconds = time.process_time() - begun
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        kib = path.stat().st_size >> 10
        print(f"{name}\t{kib}\t{grown >> 10}\t{seconds:.2f}\t{said}", flush=True)


def _in_child(work: Callable[[], Any]) -> None:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    """Read each in a process of its own."""
    restart_with_one_arena("tests.fuzz.bombs")
    for module in IMPORTED:
        importlib.import_module(module)
    for name in BOMBS:
        _in_child(partial(read_one, name))


if __name__ == "__main__":
    main()
