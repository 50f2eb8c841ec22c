"""The zip: the same pictures always give the same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from ensemble.arrays import Rgb
from ensemble.data.png import encode_png
from ensemble.workspace import atomic_path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: no zip says when it was built."""


def build_zip(path: Path, pictures: Iterable[tuple[str, Rgb]]) -> None:
    """Write PNGs into a flat zip, atomically.

    Entries are stored, not deflated (a PNG is compressed already), with fixed times and rights.

    Args:
        path: The zip to make.
        pictures: (file name, (H, W, 3) uint8), in the order they are to have.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, picture in pictures:
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, encode_png(picture))
