"""The competition's score: exact, and fast enough to tune on.

`score` holds what other rooms use; `ssim` and `hue` hold the terms.
"""
