"""The zip to send: built so that the same pictures give the same bytes, and verified."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ensemble.arrays import Rgb
from ensemble.data.layout import SAMPLE_SUBMISSION
from ensemble.data.png import decode_rgb, encode_png, same_size
from ensemble.data.zip_file import open_zip, read_entry
from ensemble.errors import DataError, SubmissionError, list_some
from ensemble.parallel import map_in_order

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold, so that its bytes do not depend on when it was built."""

SHOWN = 3


def build_zip(path: Path, pictures: Iterable[tuple[str, Rgb]]) -> None:
    """Write pictures, each a file name and (H, W, 3) uint8, as PNGs into a flat zip, in order.

    Entries are stored, not deflated (a PNG is compressed already), with fixed times and rights.
    """
    encoded = map_in_order(lambda one: (one[0], encode_png(one[1])), pictures)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in encoded:
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content)


def verify_zip(
    path: Path,
    *,
    names: Sequence[str],
    size: tuple[int, int],
    called: Path | None = None,
    remedy: str = "build it again with `ens submit`",
) -> None:
    """Check a submission against the test photographs, (H, W) each.

    `names` are the file names due. In the message the zip is `called` so, and the remedy is given.

    Raises:
        SubmissionError: A name is missing, foreign or there twice, lies in a folder, or a picture
            is not a whole RGB PNG of the right size. The message names every kind of fault.
    """
    faults = _name_faults(_entry_names(path, remedy), names, f"{len(names)} test photographs")
    faults = faults or _picture_faults(path, size)
    if faults:
        raise SubmissionError(f"`{called or path}` would be refused: {'; '.join(faults)}; {remedy}")


def check_sample(names: Sequence[str], sample: Sequence[str] | None) -> None:
    """Check the names of a submission against those in `sample_submission.zip`, if there is one.

    Raises:
        SubmissionError: They differ.
    """
    faults = [] if sample is None else _name_faults(sorted(names), sample, SAMPLE_SUBMISSION)
    if faults:
        raise SubmissionError(
            f"a zip of these test photographs would be refused: {'; '.join(faults)}; see whether "
            "they are of one competition, and download both again"
        )


def _entry_names(path: Path, remedy: str) -> list[str]:
    try:
        with open_zip(path, remedy=remedy) as archive:
            return archive.namelist()
    except DataError as error:
        raise SubmissionError(str(error)) from None


def _name_faults(found: Sequence[str], due: Sequence[str], against: str) -> list[str]:
    twice = [name for name, count in Counter(found).items() if count > 1]
    kinds = {
        f"missing, against the {against}": set(due) - set(found),
        f"not due, against the {against}": set(found) - set(due),
        "there twice": twice,
    }
    return [
        f"{list_some([f'`{name}`' for name in sorted(names)], SHOWN)} {kind}"
        for kind, names in kinds.items()
        if names
    ]


def _picture_faults(path: Path, size: tuple[int, int]) -> list[str]:
    faults, check = [], same_size(size)
    with open_zip(path) as archive:
        for name in archive.namelist():
            try:
                decode_rgb(read_entry(archive, name), name=name, check_size=check)
            except DataError as error:
                faults.append(str(error))
    return faults[:SHOWN]
