"""Pictures as people have them: any common format, any size, gray or color, read as gray.

The competition's files are read by `ensemble.data.png`, which refuses whatever is not exactly as
the competition has it. Here the picture is what counts.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ensemble.arrays import Gray, Mask
from ensemble.data.png import MOST_PIXELS
from ensemble.errors import DataError
from ensemble.reading import file_status, shorten

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What the pictures of a folder are named; a file that is named itself may have any."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow reads others, some of them by running other programs."""

PIXELS_PER_BYTE = 16
"""Of a file with more than `MOST_PIXELS`: photographs have fewer, and what unfolds has more."""

_CONVERTED = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr")
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


def read_picture(path: Path) -> Gray:
    """Read a picture as gray, upright, (H, W) uint8.

    Each of `FORMATS` is taken, its colors by `convert("L")`, the gray of the competition. It is
    turned as its EXIF orientation says. Of 16 bits the upper eight count. A palette counts by its
    colors. Alpha is dropped where it is opaque everywhere.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is no picture, not whole, has transparent pixels, several pages or frames,
            numbers instead of grays (32 bits or floating point), or more pixels than both
            `MOST_PIXELS` and `PIXELS_PER_BYTE` allow.
    """
    most = max(MOST_PIXELS, PIXELS_PER_BYTE * file_status(path).st_size)
    try:
        with warnings.catch_warnings():
            # Pillow warns of pictures of half its limit, and of odd EXIF.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                if picture.width * picture.height > most:
                    raise _too_many_pixels(path, picture.width * picture.height, most)
                count = getattr(picture, "n_frames", 1)
                if count > 1:
                    raise DataError(
                        f"`{path}` must be one picture, but holds {count}; save one of them"
                    )
                return _to_gray(path, ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise DataError(
            f"`{path}` must be a picture ({', '.join(SUFFIXES)}), but is none that Pillow reads; "
            "convert it"
        ) from None
    except Image.DecompressionBombError:
        raise _too_many_pixels(path, 2 * (Image.MAX_IMAGE_PIXELS or 0), most) from None
    except DataError:
        raise
    except Exception as error:  # a reader of Pillow raises what its format makes it raise
        reason = shorten(str(error)) or type(error).__name__
        raise DataError(
            f"`{path}` cannot be read as a picture: {reason}; copy it again, or convert it"
        ) from None


def read_drawn_mask(path: Path, shape: tuple[int, int]) -> Mask:
    """Read a mask drawn by hand, white (128 or more) where lost, (H, W) bool.

    Any picture of `read_picture` will do; `shape` is that of its photograph, upright.

    Raises:
        DataError: It is of another size, marks nothing or everything, or cannot be read.
    """
    mask = read_picture(path) >= 128
    if mask.shape != shape:
        raise DataError(
            f"`{path}` must be as large as its photograph, {shape[0]} x {shape[1]} px, but is "
            f"{mask.shape[0]} x {mask.shape[1]} px"
        )
    if not mask.any() or mask.all():
        found = "all white" if mask.all() else "all black"
        raise DataError(f"`{path}` must be white where the photograph is lost, but is {found}")
    return mask


def list_pictures(folder: Path) -> list[Path]:
    """The pictures that lie in a folder itself, by name; hidden files do not count.

    Raises:
        DataError: There are none.
    """
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise DataError(f"`{folder}` has no picture ({', '.join(SUFFIXES)}); give another folder")
    return found


def _too_many_pixels(path: Path, found: int, most: int) -> DataError:
    return DataError(
        f"`{path}` must have at most {MOST_PIXELS:,} pixels, or {PIXELS_PER_BYTE} for each byte of "
        f"the file, which allows it {most:,}, but has {found:,} or more; reduce it"
    )


def _to_gray(path: Path, picture: Image.Image) -> Gray:
    if "transparency" in picture.info or picture.mode in _WITH_ALPHA:
        picture = _without_alpha(path, picture)
    if picture.mode.startswith("I;16"):
        return (np.asarray(picture) >> 8).astype(np.uint8)
    if picture.mode not in _CONVERTED:
        raise DataError(
            f"`{path}` must have gray or color of 8 or 16 bits, but its mode is `{picture.mode}`; "
            "convert it"
        )
    # From a palette or CMYK, Pillow's way to gray is not that of their colors.
    plain = picture if picture.mode in ("1", "L", "RGB") else picture.convert("RGB")
    return np.asarray(plain.convert("L"))


def _without_alpha(path: Path, picture: Image.Image) -> Image.Image:
    whole = not picture.mode.startswith("I;16")
    with_alpha = picture.convert("RGBA") if whole else picture
    if not whole or with_alpha.getchannel("A").getextrema()[0] != 255:
        raise DataError(
            f"`{path}` has transparent pixels, and what lies behind them is not known; save it "
            "without transparency, and give the lost pixels as a mask"
        )
    return with_alpha.convert("RGB")
