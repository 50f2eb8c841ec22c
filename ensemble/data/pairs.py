"""Pictures by file name, from a folder or a zip, and their pairing with targets to be scored."""

from __future__ import annotations

import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePath

from ensemble.arrays import Mask, Rgb, luma
from ensemble.data.png import (
    CheckSize,
    decode_rgb,
    is_png,
    read_gray,
    read_mask,
    read_rgb,
    same_size,
)
from ensemble.data.zip_file import check_entry, open_zip, read_entry
from ensemble.errors import DataError, MissingFileError
from ensemble.metric.score import Pair
from ensemble.reading import read_bytes

MaskOf = Callable[[str, Rgb], Mask]
"""Gives the lost pixels of the named target."""


class PngSource:
    """The PNGs of a folder, or of a zip as the competition takes it: flat, each name once.

    Reading is safe from several threads; `names` are sorted.

    Raises:
        MissingFileError: It is not there.
        DataError: It is neither, or the zip is damaged, has folders, a name twice, or a file that
            is no PNG.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._lock = threading.Lock()
        if path.is_dir():
            files = (file for file in path.iterdir() if not file.name.startswith("."))
            self.names = tuple(sorted(f.name for f in files if is_png(f.name) and f.is_file()))
        elif not path.exists():
            raise MissingFileError(f"`{path}` is not there; give a folder or a zip of PNGs")
        else:
            self._zip = open_zip(path, remedy="give a folder or a flat zip of PNGs")
            self.names = tuple(sorted(self._zip.namelist()))
            self._check_names(self._zip)

    def names_by_stem(self) -> dict[str, str]:
        """The file names by image id; DataError if two files are of one photograph."""
        found: dict[str, str] = {}
        for name in self.names:
            other = found.setdefault(PurePath(name).stem, name)
            if other != name:
                raise DataError(
                    f"`{self.path}` must have one PNG for a photograph, but has `{other}` and "
                    f"`{name}`"
                )
        return found

    def read(self, name: str) -> bytes:
        """Read one file; MissingFileError if it is not there, DataError if it cannot be read."""
        if self._zip is None:
            return read_bytes(self.path / name)
        with self._lock:
            return read_entry(self._zip, name)

    def _check_names(self, archive: zipfile.ZipFile) -> None:
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        rules = {
            "be flat, as the competition wants it, but `{}` lies in a folder": [
                name for name in self.names if "/" in name or "\\" in name
            ],
            "name every picture once, but `{}` is there twice": twice,
            "hold PNGs only, but `{}` is none": [n for n in self.names if not is_png(n)],
        }
        for rule, broken in rules.items():
            if broken:
                raise DataError(f"`{self.path}` must {rule.format(broken[0])}; make the zip again")
        for entry in archive.infolist():
            check_entry(archive, entry)


def pair_loaders(pred: Path, target: Path, mask_of: MaskOf) -> list[Callable[[], Pair]]:
    """One loader for each RGB PNG of the folder `target`, in the order of their names.

    The folder or flat zip `pred` has a PNG for each, of the same name, and no other; `mask_of` is
    `drawn_masks` or `differing_masks`.

    Raises:
        MissingFileError: There are no targets, or a prediction or a target is missing.
        DataError: The predictions are neither in a folder nor in a zip.
    """
    names = PngSource(target).names if target.is_dir() else ()
    if not names:
        raise MissingFileError(f"`{target}` must be a folder of PNGs, but has none")
    source = PngSource(pred)
    _require_all(pred, source.names, f"{len(names)} targets", names)
    _require_all(target, names, f"{len(source.names)} predictions", source.names)
    return [partial(_load, name, source, target, mask_of) for name in names]


def _require_all(path: Path, found: Sequence[str], what: str, due: Sequence[str]) -> None:
    missing = sorted(set(due) - set(found))
    if missing:
        raise MissingFileError(
            f"`{path}` must have a PNG for each of the {what}, but lacks {len(missing)}, "
            f"`{missing[0]}` among them"
        )


def drawn_masks(folder: Path) -> MaskOf:
    """Masks that are PNGs of the targets' names, white where lost."""
    return lambda name, target: read_mask(folder / name, check_size=_as_large_as(target))


def differing_masks(folder: Path) -> MaskOf:
    """Masks of where the damaged input of the target's name differs from the target's gray."""

    def mask_of(name: str, target: Rgb) -> Mask:
        return read_gray(folder / name, check_size=_as_large_as(target)) != luma(target)

    return mask_of


def _as_large_as(target: Rgb) -> CheckSize:
    return same_size(target.shape, reference="its target")


def _load(name: str, source: PngSource, target: Path, mask_of: MaskOf) -> Pair:
    truth = read_rgb(target / name)
    called, content = f"{source.path}/{name}", source.read(name)
    pred = decode_rgb(content, name=called, check_size=_as_large_as(truth))
    return Pair(name=name, pred=pred, target=truth, lost_mask=mask_of(name, truth))
