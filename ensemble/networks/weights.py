"""Weights in safetensors files: written whole, read strictly, and nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ensemble.errors import WeightsError
from ensemble.workspace import atomic_path

SHOWN = 5


def save_weights(path: Path, module: nn.Module, metadata: Mapping[str, str] | None = None) -> None:
    """Write a module's state, atomically.

    Args:
        path: The file to make, or to replace whole.
        module: Its parameters and buffers are written on whatever device they are.
        metadata: Short texts kept in the file's head.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata=dict(metadata or {}))


def load_weights(path: Path, module: nn.Module) -> dict[str, str]:
    """Fill a module from a file that has exactly its keys and shapes.

    Args:
        path: Written by `save_weights`.
        module: Changed in place, and only if everything fits.

    Returns:
        The file's metadata.

    Raises:
        WeightsError: The file is missing, damaged, or of another network; the message names keys.
    """
    metadata = read_metadata(path)
    fill(module, load_file(path), source=f"`{path}`")
    return metadata


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a weights file, without reading its tensors; errors as in `load_weights`."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except FileNotFoundError:
        raise WeightsError(f"`{path}` is not there; train the member, or give its path") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"`{path}` is no whole safetensors file ({error}); make it again"
        ) from None


def fill(module: nn.Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """Copy a state into a module, if keys and shapes are exactly the module's.

    Raises:
        WeightsError: They are not; names the first few keys of each disagreement.
    """
    own = module.state_dict()
    shared = own.keys() & state.keys()
    faults = {
        "missing": own.keys() - state.keys(),
        "unexpected": state.keys() - own.keys(),
        "of another shape": {key for key in shared if own[key].shape != state[key].shape},
    }
    found = [f"{what}: {_few(keys)}" for what, keys in faults.items() if keys]
    if found:
        raise WeightsError(
            f"{source} holds the weights of another network than {type(module).__name__}; keys "
            + "; ".join(found)
        )
    module.load_state_dict(dict(state))


def _few(keys: Iterable[str]) -> str:
    names = sorted(keys)
    listed = ", ".join(f"`{name}`" for name in names[:SHOWN])
    return listed + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
