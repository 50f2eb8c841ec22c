"""Predictions and targets paired by file name, from folders or a zip, to be scored."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ensemble.arrays import Mask, Rgb, luma
from ensemble.data.png import decode_rgb, read_gray, read_mask, read_rgb
from ensemble.errors import DataError, MissingFileError
from ensemble.metric.batch import Pair

MaskOf = Callable[[str, Rgb], Mask]
"""Gives the lost pixels of the named target."""

ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError)
"""What Python raises for a zip that is damaged; RuntimeError where the flags are."""


def pair_loaders(pred: Path, target: Path, mask_of: MaskOf) -> list[Callable[[], Pair]]:
    """One loader for each target, in the order of their names.

    Args:
        pred: A folder or a flat zip with a PNG for each target, of the same name.
        target: A folder of RGB PNGs.
        mask_of: `drawn_masks` or `differing_masks`.

    Raises:
        MissingFileError: There are no targets, or a prediction is missing.
        DataError: The predictions are neither in a folder nor in a zip.
    """
    names = sorted(path.name for path in target.glob("*.png"))
    if not names:
        raise MissingFileError(f"`{target}` must be a folder of PNGs, but has none")
    read = _reader(pred)
    present = _present(pred)
    missing = [name for name in names if name not in present]
    if missing:
        raise MissingFileError(
            f"`{pred}` must have a PNG for each of the {len(names)} targets, but lacks "
            f"{len(missing)}, `{missing[0]}` among them"
        )
    return [partial(_load, name, read, target, mask_of) for name in names]


def drawn_masks(folder: Path) -> MaskOf:
    """Masks that are PNGs of the targets' names, white where lost."""
    return lambda name, target: read_mask(folder / name)


def differing_masks(folder: Path) -> MaskOf:
    """Masks of where the damaged input of the target's name differs from the target's gray."""

    def mask_of(name: str, target: Rgb) -> Mask:
        damaged = read_gray(folder / name)
        if damaged.shape != target.shape[:2]:
            raise DataError(
                f"`{folder / name}` must be as large as its target, {target.shape[:2]}, but is "
                f"{damaged.shape}"
            )
        return damaged != luma(target)

    return mask_of


def _load(name: str, read: Callable[[str], Rgb], target: Path, mask_of: MaskOf) -> Pair:
    truth = read_rgb(target / name)
    return Pair(name=name, pred=read(name), target=truth, lost_mask=mask_of(name, truth))


def _present(pred: Path) -> set[str]:
    if pred.is_dir():
        return {path.name for path in pred.iterdir()}
    try:
        with zipfile.ZipFile(pred) as archive:
            return set(archive.namelist())
    except ZIP_FAULTS as error:
        raise DataError(f"`{pred}` is damaged: {error}; make it again") from None


def _reader(pred: Path) -> Callable[[str], Rgb]:
    if pred.is_dir():
        return lambda name: read_rgb(pred / name)
    if not pred.exists():
        raise MissingFileError(f"`{pred}` is not there")
    if not zipfile.is_zipfile(pred):
        raise DataError(f"`{pred}` must be a folder or a zip, but is neither")

    def read(name: str) -> Rgb:
        # Opened anew for each picture: a zip file object is not for several threads.
        try:
            with zipfile.ZipFile(pred) as archive:
                content = archive.read(name)
        except ZIP_FAULTS as error:
            raise DataError(f"`{pred}` is damaged at `{name}`: {error}; make it again") from None
        return decode_rgb(content, name=f"{pred}/{name}")

    return read
