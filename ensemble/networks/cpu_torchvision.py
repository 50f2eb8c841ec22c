"""Make `import torchvision` work beside a torch that was built without CUDA.

A torchvision wheel built for CUDA cannot load its C++ operators beside a CPU-only torch, and its
import then fails, because it describes the shapes of `torchvision::nms` (and newer builds also of
`torchvision::qnms`) to operators that were never defined. timm and Lightning import torchvision,
though none of the networks here uses its operators. Declaring the two schemas is enough for the
import to succeed; calling such an operator still fails, with torch's own message.

Importing this module does the work, once, and it must happen before the first import of
torchvision. Nothing is declared when torch has CUDA, when torchvision is missing, or when its
operators load: a matching pair of wheels is left as it is.
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
    """Declare the schemas that torchvision's import asks for, where they are missing.

    Returns:
        The library that holds the declarations, which vanish when it is collected, or None where
        nothing had to be declared.
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
