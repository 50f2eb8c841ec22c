"""Arrays on the disk whose room is set aside before anything is written to them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np

_ZEROS_BYTES = 16 * 2**20


def reserve_array(path: Path, shape: tuple[int, ...]) -> None:
    """Make a .npy file of uint8 zeros whose room on the disk is set aside.

    Raises:
        OSError: There is not enough room (ENOSPC); nothing is left at `path`.
    """
    array: Any = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    try:
        with path.open("r+b") as file:
            if not _allocate(file.fileno(), path.stat().st_size):
                file.seek(array.offset)
                for start in range(0, array.nbytes, _ZEROS_BYTES):
                    file.write(bytes(min(_ZEROS_BYTES, array.nbytes - start)))
    except OSError as error:
        path.unlink()
        error.filename = str(path)
        raise


def _allocate(file_number: int, size: int) -> bool:
    """Set a file's room aside; False where the system or the file system cannot, as on macOS."""
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(file_number, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        return False
    return True
