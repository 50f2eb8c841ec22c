"""The networks, and the only importer of smp and timm.

`cpu_torchvision` has to run before anything imports torchvision, which smp, timm and Lightning do.
"""

from ensemble.networks import cpu_torchvision  # noqa: F401
