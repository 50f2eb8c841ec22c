"""Tune the blend of both stages on out-of-fold predictions.

`run` does what `ens blend` does: it fills in what is missing, tunes each stage (`tune`) and writes
the recipe. To tune a stage, `search` runs trials on `statistics` of the photographs, never on the
photographs themselves; `decide` scores the best candidates exactly, cross-fits them, and keeps a
tuned blend only where it is better on photographs it was not tuned on.
"""
