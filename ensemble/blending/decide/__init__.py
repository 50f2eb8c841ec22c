"""Decide which blend is kept: score a `shortlist` exactly, `cross_fit` it, and record a `summary`.

`ablation` scores the blend that is kept without each of its members.
"""
