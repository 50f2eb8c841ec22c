"""Out-of-fold predictions: cached once, read by everything that tunes or scores a blend."""
