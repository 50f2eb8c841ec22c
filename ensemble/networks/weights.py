"""Weights in safetensors files, and whether the host that publishes weights answers.

Files are written whole and read strictly; nothing is ever unpickled.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ensemble.errors import WeightsError, list_some
from ensemble.files import atomic_path

SHOWN = 5
DEADLINE_S = 2.0


def save_weights(path: Path, module: nn.Module) -> None:
    """Write a module's parameters and buffers, on whatever device, whole or not at all."""
    state = {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(state, temporary)


def load_weights(path: Path, module: nn.Module) -> None:
    """Fill a module in place from a file of `save_weights` with exactly its keys and shapes.

    Raises:
        WeightsError: The file is missing, damaged, or of another network; the message names keys.
    """
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise WeightsError(f"`{path}` is not there; train the member, or give its path") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"`{path}` is no whole safetensors file ({error}); make it again"
        ) from None
    fill(module, state, source=f"`{path}`")


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
    found = [
        f"{what}: {list_some([f'`{key}`' for key in sorted(keys)], SHOWN)}"
        for what, keys in faults.items()
        if keys
    ]
    if found:
        raise WeightsError(
            f"{source} holds the weights of another network than {type(module).__name__}; keys "
            + "; ".join(found)
        )
    module.load_state_dict(dict(state))


def answers(url: str, *, deadline_s: float = DEADLINE_S) -> bool:
    """Whether any HTTP answer, even a refusal, comes from `url` in time.

    Looking up a name can block for longer than any socket's timeout, so the question is asked in
    a thread that is abandoned at the deadline. Proxies named in the environment are used.
    """
    answered = threading.Event()
    asking = threading.Thread(target=_ask, args=(url, deadline_s, answered), daemon=True)
    asking.start()
    asking.join(deadline_s)
    return answered.is_set()


def _ask(url: str, deadline_s: float, answered: threading.Event) -> None:
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=deadline_s):
            answered.set()
    except urllib.error.HTTPError:
        answered.set()
    except OSError:
        return
