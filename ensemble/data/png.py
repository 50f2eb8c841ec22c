"""8-bit PNG in and out, refusing whatever is not exactly the picture that was meant.

Decoders are lenient: a truncated file comes back with a black remainder, a gray one with three
equal channels, 16 bits cut to 8. Each would falsify a score in silence, so the file's structure is
checked before OpenCV decodes it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb, check_gray, check_rgb
from ensemble.errors import DataError
from ensemble.files import atomic_write
from ensemble.reading import read_bytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB = 0, 2

_COLOR_TYPES = {GRAY: "gray", RGB: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGB with alpha"}
_HEADER_BYTES = 26
MOST_PIXELS = 4096 * 4096
"""Of a picture: a few bytes can unfold into any number of pixels."""

CheckSize = Callable[[str, tuple[int, int]], None]
"""Takes what a picture is called, and (H, W) as its header names them, before anything is decoded;
raises DataError where they are not as due."""


def is_png(name: str) -> bool:
    """Whether a file is named as a PNG.

    >>> is_png("TRAIN_00000.PNG")
    True
    """
    return name.lower().endswith(".png")


def read_rgb(path: Path, *, check_size: CheckSize | None = None) -> Rgb:
    """Read an 8-bit RGB PNG, (H, W, 3) uint8.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is not a whole PNG, or is gray, 16-bit, a palette, has alpha, over
            `MOST_PIXELS`, or another size than is due.
    """
    return decode_rgb(read_bytes(path), name=str(path), check_size=check_size)


def read_gray(path: Path, *, check_size: CheckSize | None = None) -> Gray:
    """Read an 8-bit gray PNG, or an RGB one of equal channels, (H, W) uint8; as `read_rgb`."""
    return decode_gray(read_bytes(path), name=str(path), check_size=check_size)


def read_mask(path: Path, *, check_size: CheckSize | None = None) -> Mask:
    """Read a mask drawn by hand, white (128 or more) where lost, (H, W) bool; see `read_gray`."""
    return read_gray(path, check_size=check_size) >= 128


def same_size(due: tuple[int, ...], *, reference: str = "its photograph") -> CheckSize:
    """A `CheckSize` that refuses every size but that of the reference, which begins `due`."""

    def check(name: str, size: tuple[int, int]) -> None:
        if size != due[:2]:
            raise DataError(
                f"`{name}` must be as large as {reference}, {due[0]} x {due[1]} px, but is "
                f"{size[0]} x {size[1]} px"
            )

    return check


def decode_rgb(content: bytes, *, name: str, check_size: CheckSize | None = None) -> Rgb:
    """Decode what `read_rgb` reads; `name` is what to call it in an error."""
    color_type = _check_structure(content, name, check_size)
    if color_type != RGB:
        raise _wrong_mode(name, color_type, due=RGB)
    return check_rgb(_decode(content, RGB, name), name=name)


def decode_gray(content: bytes, *, name: str, check_size: CheckSize | None = None) -> Gray:
    """Decode what `read_gray` reads; `name` is what to call it in an error."""
    color_type = _check_structure(content, name, check_size)
    if color_type == GRAY:
        return check_gray(_decode(content, GRAY, name), name=name)
    if color_type == RGB:
        rgb = _decode(content, RGB, name)
        if bool((rgb == rgb[..., :1]).all()):
            return np.ascontiguousarray(rgb[..., 0])
    raise _wrong_mode(name, color_type, due=GRAY)


def encode_png(array: NDArray[Any]) -> bytes:
    """Encode (H, W, 3) or (H, W) uint8, or (H, W) bool, True as white; ArrayError for another.

    The same array gives the same bytes.
    """
    import cv2  # slow to import, and commands that only look at a project read no picture

    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.ndim == 2:
        pixels = check_gray(array, name="array")
    else:
        pixels = np.ascontiguousarray(check_rgb(array, name="array")[..., ::-1])
    _, encoded = cv2.imencode(".png", pixels)
    return encoded.tobytes()


def write_png(path: Path, array: NDArray[Any]) -> None:
    """Write a picture whole or not at all; see `encode_png` for what it may be."""
    atomic_write(path, encode_png(array))


def _check_head(content: bytes, name: str, check_size: CheckSize | None) -> None:
    if not content.startswith(SIGNATURE):
        raise DataError(f"`{name}` must be a PNG, but does not begin as one does; convert it")
    if len(content) < _HEADER_BYTES:
        raise _truncated(name, len(content))
    width, height = struct.unpack(">II", content[16:24])
    if not 0 < width * height <= MOST_PIXELS:
        raise DataError(
            f"`{name}` must have 1 to {MOST_PIXELS:,} pixels, but its header names {height} x "
            f"{width}; copy or download it again"
        )
    if check_size is not None:
        check_size(name, (height, width))


def _check_structure(content: bytes, name: str, check_size: CheckSize | None) -> int:
    """Walk the chunks to the end, checksums included; return the color type, 8 bits deep."""
    _check_head(content, name, check_size)
    depth, color_type = content[24], content[25]
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        head = content[position : position + 8]
        end = position + 12 + int.from_bytes(head[:4], "big")
        if len(head) < 8 or end > len(content):
            raise _truncated(name, len(content))
        kind = head[4:]
        stored = int.from_bytes(content[end - 4 : end], "big")
        if zlib.crc32(memoryview(content)[position + 4 : end - 4]) != stored:
            raise DataError(
                f"`{name}` is damaged: the checksum of its {kind.decode('ascii', 'replace')} chunk "
                f"at byte {position} does not hold; copy or download it again"
            )
        position = end
    if depth != 8:
        raise DataError(f"`{name}` must have 8 bits a channel, but has {depth}; save it with 8")
    return color_type


def _decode(content: bytes, color_type: int, name: str) -> NDArray[np.uint8]:
    import cv2

    flag = cv2.IMREAD_COLOR_RGB if color_type == RGB else cv2.IMREAD_GRAYSCALE
    flags = flag | cv2.IMREAD_IGNORE_ORIENTATION
    array = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), flags)
    if array is None:
        raise DataError(f"`{name}` cannot be decoded as a PNG; copy or download it again")
    return np.asarray(array, dtype=np.uint8)


def _truncated(name: str, length: int) -> DataError:
    return DataError(
        f"`{name}` is truncated: its {length} bytes end before the PNG does; copy or download it "
        "again"
    )


def _wrong_mode(name: str, color_type: int, *, due: int) -> DataError:
    found = _COLOR_TYPES.get(color_type, f"of the unknown color type {color_type}")
    if due == GRAY and color_type == RGB:
        found = "RGB, and its channels differ"
    due_name, mode = {GRAY: ("gray", "L"), RGB: ("RGB", "RGB")}[due]
    return DataError(
        f"`{name}` must be {due_name}, but is {found}; if that is what it shows, save it with "
        f'Pillow\'s `convert("{mode}")`'
    )
