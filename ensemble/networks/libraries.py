"""segmentation-models-pytorch and timm, imported in the one order that also works on CPU builds.

`cpu_torchvision` has to run before anything imports torchvision, which both libraries do.
"""

from __future__ import annotations

from ensemble.networks import cpu_torchvision  # noqa: F401  (first: see its docstring)

# isort: split
import segmentation_models_pytorch as smp
import timm

__all__ = ["smp", "timm"]
