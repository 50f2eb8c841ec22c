"""Folds without leaks: describe -> match (pairs, groups) -> split -> audit.

No disk and no framework here: `ensemble.data.folds_csv` reads and writes the files.
"""

from typing import Final

DESCRIPTION_VERSION: Final = 1
"""To be raised when `describe` finds something else: what it finds is kept on the disk."""
