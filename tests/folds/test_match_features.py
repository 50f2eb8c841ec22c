from __future__ import annotations

import numpy as np
import pytest

from ensemble.folds import match_features
from ensemble.folds.describe import mirror

N_FEATURES = 30


def photographs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`n` photographs of random features that share nothing."""
    rng = np.random.default_rng(seed)
    places = np.stack(
        [
            rng.uniform(-96, 96, (n, N_FEATURES)),
            rng.uniform(0, 192, (n, N_FEATURES)),
            rng.uniform(1, 3, (n, N_FEATURES)),
            rng.uniform(-3, 3, (n, N_FEATURES)),
        ],
        axis=-1,
    ).astype(np.float32)
    codes = rng.integers(2**64, size=(n, N_FEATURES, 2), dtype=np.uint64)
    return np.full(n, N_FEATURES), places, codes


def moved(places: np.ndarray, zoom: float, turn: float, shift: tuple[float, float]) -> np.ndarray:
    x, y, size, angle = places.T
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    return np.stack(
        [
            cos * x - sin * y + shift[0],
            sin * x + cos * y + shift[1],
            size + np.log2(zoom),
            angle + turn,
        ],
        axis=-1,
    ).astype(np.float32)


def shared(counts: np.ndarray, places: np.ndarray, codes: np.ndarray) -> int:
    zero, one = np.array([0]), np.array([1])
    result = match_features.count_shared(zero, one, counts, places, mirror(places), codes)
    return int(result[0])


@pytest.mark.parametrize(
    ("zoom", "turn", "shift"), [(1.0, 0.0, (0, 0)), (1.2, 0.0, (30, -12)), (0.8, 1.1, (5, 40))]
)
def test_one_move_brings_all_features_into_line(zoom, turn, shift) -> None:
    counts, places, codes = photographs(2)
    places[1], codes[1] = moved(places[0], zoom, turn, shift), codes[0]
    assert shared(counts, places, codes) == N_FEATURES


def test_the_mirrored_photograph_is_in_line_too() -> None:
    counts, places, codes = photographs(2)
    places[1], codes[1] = moved(mirror(places[0]), 1.1, 0.2, (9, 9)), codes[0][:, ::-1]
    assert shared(counts, places, codes) == N_FEATURES


def test_like_features_in_other_places_are_not_in_line() -> None:
    counts, places, codes = photographs(2)
    codes[1] = codes[0]
    assert shared(counts, places, codes) <= 4


def test_a_zoom_of_more_than_two_is_not_believed() -> None:
    counts, places, codes = photographs(2)
    places[1], codes[1] = moved(places[0], 2.2, 0.0, (0, 0)), codes[0]
    assert shared(counts, places, codes) == 0


def test_only_as_many_features_count_as_there_are() -> None:
    _, places, codes = photographs(2)
    places[1], codes[1] = places[0], codes[0]
    assert shared(np.array([N_FEATURES, 7]), places, codes) == 7


@pytest.mark.parametrize(("flips", "alike"), [(26, True), (27, False)])
def test_codes_may_differ_in_26_bits(flips: int, alike: bool) -> None:
    counts, places, codes = photographs(2)
    noise = np.zeros(128, dtype=np.uint8)
    noise[np.random.default_rng(1).choice(128, flips, replace=False)] = 1
    places[1], codes[1] = places[0], codes[0] ^ np.packbits(noise).view(np.uint64)
    assert shared(counts, places, codes) == (N_FEATURES if alike else 0)


def test_the_distance_is_the_number_of_bits_that_differ() -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(2**64, size=(2000, 4), dtype=np.uint64)
    single = np.zeros((256, 4), dtype=np.uint64)
    single[np.arange(256), np.arange(256) // 64] = (
        np.uint64(1) << np.arange(256, dtype=np.uint64) % 64
    )
    for row in np.concatenate([words, single]):
        a, b, c, d = row.tolist()
        differing = (a ^ c).bit_count() + (b ^ d).bit_count()
        assert match_features._distance(row[:2], row[2:]) == differing


@pytest.mark.parametrize("mirrored", [False, True])
def test_candidates_are_exactly_the_planted_pairs(mirrored: bool) -> None:
    counts, _, codes = photographs(60)
    noise = np.packbits(np.random.default_rng(2).random((N_FEATURES, 128)) < 0.06, axis=1)
    for one, other in ((3, 50), (7, 8), (20, 41)):
        seen = codes[one] ^ noise.view(np.uint64)
        codes[other] = seen[:, ::-1] if mirrored else seen
    first, second = match_features.find_candidates(counts, codes)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(3, 50), (7, 8), (20, 41)]


def test_one_shared_feature_is_no_candidate() -> None:
    counts, _, codes = photographs(2)
    codes[1, 0] = codes[0, 0]
    first, _ = match_features.find_candidates(counts, codes)
    # Each order of the bits votes for it once plain and once mirrored, so votes alone do not tell.
    assert len(first) <= 1


def test_no_features_give_no_candidates() -> None:
    first, second = match_features.find_candidates(np.zeros(3, int), np.zeros((3, 5, 2), np.uint64))
    assert len(first) == len(second) == 0
