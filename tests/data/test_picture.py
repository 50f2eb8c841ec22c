from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.arrays import luma
from ensemble.data.picture import list_pictures, read_drawn_mask, read_picture
from ensemble.errors import DataError, MissingFileError


@pytest.fixture
def rgb(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[:40, 100:160])


def saved(folder: Path, picture: Image.Image, name: str = "a.png", **options: object) -> Path:
    path = folder / name
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_color_is_read_as_the_competitions_gray(tmp_path: Path, rgb: np.ndarray, name: str) -> None:
    options = {"lossless": True} if name.endswith("webp") else {}
    path = saved(tmp_path, Image.fromarray(rgb), name, **options)
    assert np.array_equal(read_picture(path), luma(rgb))


def test_gray_is_read_as_it_is(tmp_path: Path, rgb: np.ndarray) -> None:
    path = saved(tmp_path, Image.fromarray(luma(rgb)), "a.jpg", quality=100)
    decoded = np.asarray(Image.open(path))
    assert np.array_equal(read_picture(path), decoded)
    assert np.abs(decoded.astype(int) - luma(rgb)).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(tmp_path: Path, rgb: np.ndarray, orientation: int) -> None:
    # How EXIF defines each: where the stored first row and first column belong.
    upright = luma(rgb)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    assert np.array_equal(read_picture(path), upright)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_of_16_bits_the_upper_eight_count(tmp_path: Path, rgb: np.ndarray, name: str) -> None:
    deep = luma(rgb).astype(np.uint16) * 256 + 255
    assert np.array_equal(read_picture(saved(tmp_path, Image.fromarray(deep), name)), luma(rgb))


def test_a_palette_counts_by_its_colors(tmp_path: Path, rgb: np.ndarray) -> None:
    palette = Image.fromarray(rgb).quantize(17)
    path = saved(tmp_path, palette)
    assert np.array_equal(read_picture(path), luma(np.asarray(palette.convert("RGB"))))


def test_two_levels_are_black_and_white(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).random((9, 9)) < 0.5
    path = saved(tmp_path, Image.fromarray(levels))
    assert np.array_equal(read_picture(path), np.where(levels, 255, 0))


def test_cmyk_counts_by_its_colors(tmp_path: Path, rgb: np.ndarray) -> None:
    cmyk = Image.fromarray(rgb).convert("CMYK")
    path = saved(tmp_path, cmyk, "a.tif")
    assert np.array_equal(read_picture(path), luma(np.asarray(cmyk.convert("RGB"))))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_opaque_alpha_is_dropped_and_any_other_refused(
    tmp_path: Path, rgb: np.ndarray, mode: str
) -> None:
    picture = Image.fromarray(luma(rgb) if mode == "LA" else rgb).convert(mode)
    assert np.array_equal(read_picture(saved(tmp_path, picture)), luma(rgb))
    picture.putpixel((3, 4), (*picture.getpixel((3, 4))[:-1], 254))
    path = saved(tmp_path, picture)
    with pytest.raises(DataError, match=re.escape(f"`{path}` has transparent pixels")):
        read_picture(path)


def test_a_transparent_color_of_a_palette_is_refused(tmp_path: Path, rgb: np.ndarray) -> None:
    path = saved(tmp_path, Image.fromarray(rgb).quantize(5), transparency=2)
    with pytest.raises(DataError, match="has transparent pixels"):
        read_picture(path)


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
def test_modes_without_a_gray_are_refused_by_name(
    tmp_path: Path, rgb: np.ndarray, mode: str
) -> None:
    picture = (
        Image.fromarray(luma(rgb)).convert(mode) if mode != "LAB" else Image.new("LAB", (9, 9))
    )
    path = saved(tmp_path, picture, "a.tif")
    with pytest.raises(DataError, match=re.escape(f"`{path}` ") + f".*its mode is `{mode}`"):
        read_picture(path)


def test_several_pages_are_refused(tmp_path: Path, rgb: np.ndarray) -> None:
    page = Image.fromarray(rgb)
    path = saved(tmp_path, page, "a.tif", save_all=True, append_images=[page, page])
    with pytest.raises(DataError, match="must be one picture, but holds 3"):
        read_picture(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, rgb: np.ndarray, name: str) -> None:
    path = saved(tmp_path, Image.fromarray(rgb), name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=re.escape(f"`{path}` ")):
        read_picture(path)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("not a picture")
    with pytest.raises(DataError, match="is none that Pillow reads"):
        read_picture(path)
    with pytest.raises(MissingFileError, match=r"b\.jpg` is not there"):
        read_picture(tmp_path / "b.jpg")
    with pytest.raises(DataError, match="must be a file, but is a folder"):
        read_picture(tmp_path)


def test_too_large_a_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    header = io.BytesIO()
    Image.new("L", (8, 8)).save(header, "bmp")
    content = bytearray(header.getvalue())
    content[18:26] = (60_000).to_bytes(4, "little") * 2
    path = tmp_path / "a.bmp"
    path.write_bytes(content)
    with pytest.raises(DataError, match="must have at most 16,777,216 pixels"):
        read_picture(path)


def test_a_mask_is_white_where_lost(tmp_path: Path) -> None:
    gray = np.array([[0, 127, 128, 255]] * 3, np.uint8)
    path = saved(tmp_path, Image.fromarray(gray))
    assert read_drawn_mask(path, (3, 4)).tolist() == [[False, False, True, True]] * 3
    with pytest.raises(DataError, match="its photograph, 4 x 3 px, but is 3 x 4 px"):
        read_drawn_mask(path, (4, 3))


@pytest.mark.parametrize(("value", "found"), [(0, "all black"), (255, "all white")])
def test_a_mask_that_says_nothing_is_refused(tmp_path: Path, value: int, found: str) -> None:
    path = saved(tmp_path, Image.new("L", (9, 9), value))
    with pytest.raises(DataError, match=f"but is {found}"):
        read_drawn_mask(path, (9, 9))


def test_a_folder_gives_its_own_pictures_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no picture"):
        list_pictures(tmp_path)
    for name in ("b.JPG", "a.png", ".c.png", "notes.txt", "under/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in list_pictures(tmp_path)] == ["a.png", "b.JPG"]
