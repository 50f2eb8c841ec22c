"""Whatever a verb imports, once for all of them."""

import pkgutil
from importlib import import_module

import ensemble

for found in pkgutil.walk_packages(ensemble.__path__, "ensemble."):
    import_module(found.name)
for name in (
    "lightning.pytorch",
    "matplotlib.backends.backend_agg",
    "numcodecs",
    "optuna.samplers",
    "rich.live",
    "rich.progress",
    "tensorboard",
    "torch.utils.tensorboard",
    "zarr.codecs",
):
    import_module(name)
