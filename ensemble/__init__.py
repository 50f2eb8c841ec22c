"""`ens`: honest k-fold ensembles, test-time augmentation and submissions for DACON 236420."""

__version__ = "0.1.0"
