"""Folds without leaks: who looks like whom, which fold validates whom, and the proof.

    photographs -> descriptors -> groups (near-duplicates) -> split -> Folds -> audit

No disk and no framework here: `ensemble.data.folds_csv` reads and writes the files.
"""
