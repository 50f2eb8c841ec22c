"""Estimate the score of a blend from statistics that are collected once a photograph.

`sampling` draws the pixels that are read, `moments` collects their statistics, `kernels` computes
the terms of a blend from them, and `objective` averages over photographs.
"""
