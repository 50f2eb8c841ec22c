"""The blend: member weights, views and composition, tuned on out-of-fold predictions.

A search works on sufficient statistics (`moments`), never on pictures; what it finds is scored
exactly (`exact`), cross-fitted (`cross_fit`), and kept only where the evidence supports it.
"""
