from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from ensemble.arrays import luma
from ensemble.errors import ArrayError
from ensemble.folds import DESCRIPTION_VERSION
from ensemble.folds import describe as lf


def features_of(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    packed = lf.pack_features(*lf.extract_features(luma(picture)))
    counts, places, codes = lf.unpack_features(packed[None])
    return places[0, : counts[0]], codes[0, : counts[0]]


def bits_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) Hamming distances of (n, 2) and (m, 2) codes."""
    return np.bitwise_count(a[:, None] ^ b[None]).sum(axis=-1)


def test_packing_keeps_every_feature() -> None:
    width, features = lf.extract_features(luma(data.astronaut()))
    packed = lf.pack_features(width, features)
    assert packed.shape == (lf.N_BYTES,)
    assert packed.dtype == np.uint8
    counts, places, codes = lf.unpack_features(packed[None])
    n = counts[0]
    assert n == len(features) == lf.N_FEATURES
    np.testing.assert_array_equal(codes[0, :n], features["code"])
    np.testing.assert_array_equal(places[0, :n, 1:], features["place"][:, 1:].astype(np.float32))
    middle = features["place"][:, 0].astype(np.float32) - places[0, :n, 0]
    np.testing.assert_allclose(middle, width / 2, atol=2)


def test_a_mirrored_photograph_has_swapped_codes_and_mirrored_places() -> None:
    picture = data.astronaut()[:256, :256]
    places, codes = features_of(picture)
    seen_places, seen_codes = features_of(np.ascontiguousarray(picture[:, ::-1]))
    apart = bits_apart(codes, seen_codes[:, ::-1])
    twin, near = apart.argmin(axis=1), apart.min(axis=1) <= 20
    assert near.mean() > 0.8
    off = lf.mirror(places)[near] - seen_places[twin[near]]
    assert np.median(np.hypot(off[:, 0], off[:, 1])) < 2
    assert np.median(np.abs(off[:, 2])) < 0.05
    turn = np.abs((off[:, 3] + np.pi) % (2 * np.pi) - np.pi)
    assert np.median(turn) < 0.05
    assert (bits_apart(codes, seen_codes).min(axis=1) <= 20).mean() < 0.3


def test_a_flat_picture_has_no_features() -> None:
    places, codes = features_of(np.full((50, 80, 3), 128, dtype=np.uint8))
    assert len(places) == len(codes) == 0


def test_mirroring_twice_changes_nothing() -> None:
    places = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(lf.mirror(lf.mirror(places)), places, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 90, 3), (64, 64, 3), (300, 200, 3)])
def test_any_size_and_flat_pictures_give_one_vector(shape: tuple[int, int, int]) -> None:
    for value in (0, 255):
        vector = lf.describe(np.full(shape, value, dtype=np.uint8))
        assert vector.shape == (lf.LENGTH,)
        assert vector.dtype == np.uint8
        assert (vector[lf.N_BYTES :] == value).all()


def test_describing_is_a_pure_function() -> None:
    picture = data.astronaut()[:200, :200].copy()
    before = picture.copy()
    first = lf.describe(picture)
    lf.describe(data.coffee())
    np.testing.assert_array_equal(first, lf.describe(picture))
    np.testing.assert_array_equal(before, picture)


def test_gray_is_refused() -> None:
    with pytest.raises(ArrayError, match=r"must be RGB of shape \(H, W, 3\)"):
        lf.describe(np.zeros((8, 8), dtype=np.uint8))


def test_the_version_of_descriptions_is_raised_with_what_they_hold() -> None:
    """Descriptions made by an older `describe` would pass for new ones."""
    picture = data.astronaut()
    vector = lf.describe(picture)
    counts, places, codes = lf.unpack_features(vector[None])
    nothing = np.zeros(picture.shape[:2], dtype=bool)
    traits = lf.measure_traits(target=picture, gray=luma(picture), lost_mask=nothing)
    message = "describe finds something else now: raise DESCRIPTION_VERSION, then pin it here"
    assert DESCRIPTION_VERSION == 1, message
    assert counts.tolist() == [96], message
    assert places[0].mean(axis=0) == pytest.approx([5.205, 97.456, 2.070, 3.446], abs=0.2), message
    assert np.bitwise_count(codes[0]).sum(axis=0) == pytest.approx([3205, 3114], abs=60), message
    assert int(vector[lf.N_BYTES :].sum(dtype=int)) == pytest.approx(22003, abs=40), message
    assert traits == pytest.approx([115.4043, 72.6052, 0.0], abs=1e-3), message
