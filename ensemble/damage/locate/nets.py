"""The locator's three small nets, shipped as plain arrays in `locator.npz`.

`benchmarks/train_locator.py` fits them on simulated damage of photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

NETS = ("region", "pixel", "confidence")
_FILE = "locator.npz"


@dataclass(frozen=True, eq=False)
class SmallNet:
    """Standardized features, hidden layers with ReLU, one logit."""

    center: NDArray[np.float32]  # (F,), subtracted from the features
    scale: NDArray[np.float32]  # (F,), divided by
    weights: tuple[NDArray[np.float32], ...]  # one (in, out) a layer, the last with one output
    biases: tuple[NDArray[np.float32], ...]  # one (out,) a layer

    def probability(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each row of (N, F) features, (N,) float64 in [0, 1]."""
        layer = (features.astype(np.float32) - self.center) / self.scale
        for weights, biases in zip(self.weights[:-1], self.biases[:-1], strict=True):
            layer = np.maximum(layer @ weights + biases, 0.0)
        logit = (layer @ self.weights[-1] + self.biases[-1])[:, 0].astype(np.float64)
        return 1.0 / (1.0 + np.exp(-np.clip(logit, -60.0, 60.0)))


@dataclass(frozen=True, eq=False)
class LocatorNets:
    """The three nets and the confidence below which a hole is doubtful."""

    region: SmallNet  # probability that a flat region is the hole's main piece
    pixel: SmallNet  # probability that a pixel of the hole's gray belongs to the hole
    confidence: SmallNet  # probability that the located mask reaches an IoU of 0.99
    doubtful_below: float  # the least confidence that is not doubtful


@cache
def load_nets() -> LocatorNets:
    """Read the nets shipped with the package, once a process."""
    with (
        resources.files("ensemble.damage.locate").joinpath(_FILE).open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return unpack(dict(arrays))


def unpack(arrays: dict[str, NDArray[np.float32]]) -> LocatorNets:
    """Build the nets from arrays named as `benchmarks/train_locator.py` names them."""
    nets = {name: _unpack_net(arrays, name) for name in NETS}
    return LocatorNets(**nets, doubtful_below=float(arrays["doubtful_below"]))


def _unpack_net(arrays: dict[str, NDArray[np.float32]], name: str) -> SmallNet:
    layers = range(sum(key.startswith(f"{name}.weights.") for key in arrays))
    return SmallNet(
        arrays[f"{name}.center"],
        arrays[f"{name}.scale"],
        tuple(arrays[f"{name}.weights.{i}"] for i in layers),
        tuple(arrays[f"{name}.biases.{i}"] for i in layers),
    )
