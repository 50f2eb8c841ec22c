from __future__ import annotations

import io
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.data.png import (
    SIGNATURE,
    decode_rgb,
    encode_png,
    read_gray,
    read_mask,
    read_rgb,
    write_png,
)
from ensemble.errors import ArrayError, DataError, MissingFileError

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (13, 21, 3), dtype=np.uint8)


def pil_bytes(array: np.ndarray, mode: str | None = None, **options: object) -> bytes:
    image = Image.fromarray(array)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, "PNG", **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


@pytest.mark.parametrize("array", [NOISE, NOISE[..., 0], NOISE[::-1, ::2]])
def test_pillow_reads_what_is_written(tmp_path: Path, array: np.ndarray):
    write_png(tmp_path / "a.png", array)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), array)


def test_what_pillow_writes_is_read(tmp_path: Path):
    (tmp_path / "rgb.png").write_bytes(pil_bytes(NOISE))
    (tmp_path / "gray.png").write_bytes(pil_bytes(NOISE[..., 1]))
    np.testing.assert_array_equal(read_rgb(tmp_path / "rgb.png"), NOISE)
    np.testing.assert_array_equal(read_gray(tmp_path / "gray.png"), NOISE[..., 1])


def test_metadata_does_not_change_the_pixels():
    """Decoders may turn a picture by its EXIF tag, or apply its gamma."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = pil_bytes(NOISE, exif=exif)
    gamma = chunk(b"gAMA", struct.pack(">I", 100_000))
    content = content[:33] + gamma + content[33:]
    np.testing.assert_array_equal(decode_rgb(content, name="turned"), NOISE)


def test_encoding_is_deterministic():
    assert encode_png(NOISE) == encode_png(NOISE.copy())


def test_a_mask_travels_as_white(tmp_path: Path):
    mask = NOISE[..., 0] > 100
    write_png(tmp_path / "mask.png", mask)
    assert set(np.unique(read_gray(tmp_path / "mask.png"))) == {0, 255}
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), mask)


def test_a_mask_is_split_at_middle_gray(tmp_path: Path):
    write_png(tmp_path / "mask.png", np.array([[0, 127, 128, 255]], dtype=np.uint8))
    assert read_mask(tmp_path / "mask.png").tolist() == [[False, False, True, True]]


def test_every_truncation_is_refused():
    content = encode_png(NOISE)
    for length in range(len(content)):
        with pytest.raises(DataError, match="truncated|does not begin"):
            decode_rgb(content[:length], name="cut.png")


def test_every_flipped_byte_is_refused():
    content = encode_png(NOISE)
    for position in range(len(content)):
        broken = bytearray(content)
        broken[position] ^= 0x20
        with pytest.raises(DataError, match=r"broken\.png"):
            decode_rgb(bytes(broken), name="broken.png")


def test_rows_missing_inside_whole_chunks_are_refused():
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in NOISE))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 21, 13, 8, 2, 0, 0, 0))
    whole = SIGNATURE + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    np.testing.assert_array_equal(decode_rgb(whole, name="whole"), NOISE)
    short = SIGNATURE + header + chunk(b"IDAT", rows[: len(rows) // 2]) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match="`short` cannot be decoded as a PNG"):
        decode_rgb(short, name="short")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (pil_bytes(NOISE[..., 0]), "must be RGB, but is gray;"),
        (pil_bytes(NOISE, "LA"), "must be RGB, but is gray with alpha;"),
        (pil_bytes(NOISE, "RGBA"), "must be RGB, but is RGB with alpha;"),
        (pil_bytes(NOISE, "P"), "must be RGB, but is palette;"),
        (pil_bytes(NOISE[..., 0].astype(np.uint16)), "must have 8 bits a channel, but has 16;"),
        (b"\xff\xd8\xff\xe0 a JPEG", "must be a PNG, but does not begin as one does"),
        (b"", "must be a PNG, but does not begin as one does"),
    ],
)
def test_anything_but_8_bit_rgb_is_refused_by_name(tmp_path: Path, content: bytes, found: str):
    path = tmp_path / "TRAIN_00007.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"`{path}` {found}")):
        read_rgb(path)


def test_gray_stored_as_rgb_is_read_as_gray(tmp_path: Path):
    stored = np.repeat(NOISE[..., :1], 3, axis=2)
    write_png(tmp_path / "a.png", stored)
    np.testing.assert_array_equal(read_gray(tmp_path / "a.png"), stored[..., 0])


def test_one_colored_pixel_makes_it_no_gray_picture(tmp_path: Path):
    stored = np.repeat(NOISE[..., :1], 3, axis=2)
    stored[5, 6, 2] ^= 1
    write_png(tmp_path / "a.png", stored)
    with pytest.raises(DataError, match=r"must be gray, but is RGB, and its channels differ"):
        read_gray(tmp_path / "a.png")


def test_a_missing_file_is_named(tmp_path: Path):
    path = tmp_path / "nowhere" / "a.png"
    for read in (read_rgb, read_gray, read_mask):
        with pytest.raises(MissingFileError, match=re.escape(f"`{path}` is not there")):
            read(path)


def test_a_folder_is_no_picture(tmp_path: Path):
    with pytest.raises(DataError, match="must be a file, but is a folder; move it away"):
        read_rgb(tmp_path)


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match="a.png` must be a file, but is a pipe or a device"):
        read_rgb(tmp_path / "a.png")


def test_a_loop_of_links_is_refused_by_name(tmp_path: Path):
    (tmp_path / "a.png").symlink_to("a.png")
    with pytest.raises(DataError, match="a.png` cannot be read: "):
        read_rgb(tmp_path / "a.png")


def test_a_header_of_more_pixels_than_can_be_decoded_is_refused_by_name():
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0))
    content = SIGNATURE + head + chunk(b"IEND", b"")
    with pytest.raises(
        DataError, match=r"`a` must have 1 to 16,777,216 pixels, but .* 40000 x 40000"
    ):
        decode_rgb(content, name="a")


@pytest.mark.parametrize("array", [NOISE.astype(np.float32), NOISE[..., :2], NOISE[0, 0]])
def test_only_pictures_are_written(tmp_path: Path, array: np.ndarray):
    with pytest.raises(ArrayError):
        write_png(tmp_path / "a.png", array)
    assert not list(tmp_path.iterdir())
