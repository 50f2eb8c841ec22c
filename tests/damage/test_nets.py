from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from ensemble.damage.locate.hole import CONFIDENCE_FEATURES
from ensemble.damage.locate.nets import NETS, LocatorNets, SmallNet, load_nets, unpack
from ensemble.damage.locate.pixels import PIXEL_FEATURES
from ensemble.damage.locate.regions import REGION_FEATURES


def test_probability_equals_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = x[:, 0] * x[:, 1] > 0
    with warnings.catch_warnings(action="ignore"):
        model = MLPClassifier((7, 4), max_iter=60, random_state=0).fit(x, y)
    center, scale = np.full(5, 0.5, np.float32), np.full(5, 2.0, np.float32)
    net = SmallNet(
        center,
        scale,
        tuple(weights.astype(np.float32) for weights in model.coefs_),
        tuple(biases.astype(np.float32) for biases in model.intercepts_),
    )
    expected = model.predict_proba((x - 0.5) / 2.0)[:, 1]
    np.testing.assert_allclose(net.probability(x), expected, atol=1e-5)


def test_pack_and_unpack_are_inverse() -> None:
    from benchmarks.train_locator import pack  # imports torch

    nets = load_nets()
    again = unpack(pack(nets))
    assert again.doubtful_below == nets.doubtful_below
    for name in NETS:
        one, other = getattr(nets, name), getattr(again, name)
        x = np.random.default_rng(1).normal(size=(10, len(one.center)))
        np.testing.assert_array_equal(one.probability(x), other.probability(x))


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("region", REGION_FEATURES),
        ("pixel", PIXEL_FEATURES),
        ("confidence", CONFIDENCE_FEATURES),
    ],
)
def test_the_shipped_nets_fit_the_features(name: str, features: tuple[str, ...]) -> None:
    net: SmallNet = getattr(load_nets(), name)
    assert net.center.shape == net.scale.shape == (len(features),)
    assert (net.scale > 0).all()
    assert net.weights[0].shape[0] == len(features)
    assert isinstance(load_nets(), LocatorNets)
