"""The networks: frozen specs in a visible registry, and the only importer of smp and timm.

`zoo` and `presets` need no torch, so that commands which only name members start quickly.
`libraries` is where smp and timm are imported, after `cpu_torchvision`.
"""
