"""Make `import torchvision` work beside a torch that was built without CUDA.

A torchvision wheel built for CUDA cannot load its C++ operators beside a CPU-only torch. Its import
then fails, because it registers shapes for the operators `nms` and `qnms`, which were never
defined. timm and Lightning import torchvision, though no network here uses its operators. Declaring
the two schemas makes the import succeed; calling such an operator fails with torch's own message.

Importing this module declares them; it has to come before the first import of torchvision. Nothing
is declared where torch has CUDA, torchvision is missing, or its operators load.
"""

from __future__ import annotations

import importlib.util
from importlib.machinery import PathFinder

import torch

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def define_missing_operators() -> torch.library.Library | None:
    """Declare the schemas that torchvision's import needs, where they are missing.

    Returns:
        What holds the declarations, which last as long as it; None where nothing was declared.
    """
    if torch.version.cuda is not None or _operators_load():
        return None
    missing = [name for name in SCHEMAS if not hasattr(torch.ops.torchvision, name)]
    if not missing:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in missing:
        library.define(SCHEMAS[name])  # type: ignore[no-untyped-call]
    return library


def _operators_load() -> bool:
    """Whether torchvision's own extension loads; it defines the operators when it does."""
    package = importlib.util.find_spec("torchvision")
    if package is None:
        return True
    extension = PathFinder.find_spec("_C", list(package.submodule_search_locations or ()))
    if extension is None or extension.origin is None:
        return False
    try:
        torch.ops.load_library(extension.origin)  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return True


_KEPT_ALIVE = define_missing_operators()
