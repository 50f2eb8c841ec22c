"""Folds without leaks: describe -> match (pairs, groups) -> split -> audit.

No disk and no framework here: `ensemble.data.folds_csv` reads and writes the files.
"""
