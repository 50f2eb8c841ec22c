"""Find photographs that share local features: candidates by sorting, then a check of geometry.

Both work on the arrays of `unpack_features`. The codes are sorted, and each is compared with the
few that follow it, so the time is proportional to the features. Several orders of the bits are
tried, because one wrong bit in front spoils an order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ensemble.compiled import kernel, parallel_kernel

N_ORDERS: Final = 6
WINDOW: Final = 4
MAX_DISTANCE: Final = 26
"""Bits of 128 in which two codes of one feature may differ."""

CANDIDATE_DISTANCE: Final = 16
"""Bits in which they may differ in a candidate: takes a fifth of the memory that `MAX_DISTANCE`
would, and loses no copy in `benchmarks/folds.py`."""

MIN_VOTES: Final = 2
MAX_CANDIDATES: Final = 24
"""Candidates of a photograph, those with most shared features first."""

TOLERANCE: Final = 7.0
"""How far from its predicted place a feature may lie, in pixels of a 192 * 192 picture."""

_SEED: Final = 6


def find_candidates(
    counts: NDArray[np.int64], codes: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the pairs of photographs that share at least `MIN_VOTES` features.

    Takes (N,) numbers of features and (N, F, 2) codes. Gives (P,) rows and (P,) other rows above
    them, each pair once, in rising order.
    """
    used = np.arange(codes.shape[1]) < counts[:, None]
    owner, plain = np.nonzero(used)[0], codes[used]
    # Each feature is listed as it is and mirrored, so that mirrored copies are found too.
    owners, both = np.concatenate([owner, owner]), np.concatenate([plain, plain[:, ::-1]])
    rng = np.random.default_rng(_SEED)
    votes = []
    for _ in range(N_ORDERS):
        order = np.argsort(_reorder_bits(both[:, 0], rng.permutation(64)), kind="stable")
        votes.append(_compare_neighbors(owners[order], both[order], len(counts)))
    pairs, n_votes = np.unique(np.concatenate(votes), return_counts=True)
    enough = n_votes >= MIN_VOTES
    first, second = np.divmod(pairs[enough], len(counts))
    return _keep_strongest(first, second, n_votes[enough])


@parallel_kernel
def count_shared(
    first: NDArray[np.int64],  # (P,) rows of photographs
    second: NDArray[np.int64],  # (P,) rows to compare them with, as they are and mirrored
    counts: NDArray[np.int64],  # (N,) number of features
    places: NDArray[np.float32],  # (N, F, 4) x, y, log2 size, angle
    mirrored: NDArray[np.float32],  # (N, F, 4) the same in the mirrored photograph
    codes: NDArray[np.uint64],  # (N, F, 2) codes, plain and mirrored
) -> NDArray[np.int64]:
    """Count, for each of P pairs, the features that one shift, turn and zoom brings into line."""
    shared = np.zeros(len(first), dtype=np.int64)
    for p in prange(len(first)):
        a, b = first[p], second[p]
        a_codes, b_codes = codes[a, : counts[a]], codes[b, : counts[b]]
        as_is = _count_aligned(a_codes, b_codes, places[a], places[b])
        flipped = _count_aligned(a_codes, b_codes[:, ::-1], places[a], mirrored[b])
        shared[p] = max(as_is, flipped)
    return shared


def _keep_strongest(
    first: NDArray[np.int64], second: NDArray[np.int64], votes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keep a pair if either photograph has it among its `MAX_CANDIDATES` best."""
    keep = np.zeros(len(first), dtype=np.bool_)
    for own, other in ((first, second), (second, first)):
        order = np.lexsort((other, -votes, own))
        starts = np.searchsorted(own[order], own[order], side="left")
        keep[order] |= np.arange(len(order)) - starts < MAX_CANDIDATES
    return first[keep], second[keep]


@kernel
def _reorder_bits(codes: NDArray[np.uint64], bits: NDArray[np.int64]) -> NDArray[np.uint64]:
    reordered = np.zeros_like(codes)
    for row in range(len(codes)):
        value = np.uint64(0)
        for bit in bits:
            value = (value << np.uint64(1)) | ((codes[row] >> np.uint64(bit)) & np.uint64(1))
        reordered[row] = value
    return reordered


@kernel
def _compare_neighbors(
    owners: NDArray[np.int64], codes: NDArray[np.uint64], n_photographs: int
) -> NDArray[np.int64]:
    """One vote a pair of similar features: `first * N + second` as one number."""
    votes = np.empty(len(owners) * WINDOW, dtype=np.int64)
    n_votes = 0
    for row in range(len(owners)):
        for other in range(row + 1, min(row + 1 + WINDOW, len(owners))):
            low, high = min(owners[row], owners[other]), max(owners[row], owners[other])
            if low != high and _distance(codes[row], codes[other]) <= CANDIDATE_DISTANCE:
                votes[n_votes] = low * n_photographs + high
                n_votes += 1
    return votes[:n_votes].copy()


@kernel
def _distance(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> int:
    """Bits in which two codes of two words differ."""
    count = np.uint64(0)
    for word in range(2):
        x = a[word] ^ b[word]
        x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
        x = (x & np.uint64(0x3333333333333333)) + (
            (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
        )
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        count += (x * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return int(count)


@kernel
def _match_mutually(a_codes: NDArray[np.uint64], b_codes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(M, 2) features that are each other's nearest, within `MAX_DISTANCE`."""
    best_of_a, best_of_b = np.full(len(a_codes), -1), np.full(len(b_codes), -1)
    least_a, least_b = np.full(len(a_codes), 129), np.full(len(b_codes), 129)
    for i in range(len(a_codes)):
        for j in range(len(b_codes)):
            distance = _distance(a_codes[i], b_codes[j])
            if distance < least_a[i]:
                least_a[i], best_of_a[i] = distance, j
            if distance < least_b[j]:
                least_b[j], best_of_b[j] = distance, i
    matches = np.empty((len(a_codes), 2), dtype=np.int64)
    n_matches = 0
    for i in range(len(a_codes)):
        if least_a[i] <= MAX_DISTANCE and best_of_b[best_of_a[i]] == i:
            matches[n_matches, 0], matches[n_matches, 1] = i, best_of_a[i]
            n_matches += 1
    return matches[:n_matches]


@kernel
def _count_aligned(
    a_codes: NDArray[np.uint64],
    b_codes: NDArray[np.uint64],
    a_places: NDArray[np.float32],
    b_places: NDArray[np.float32],
) -> int:
    """The most matches that one shift, turn and zoom explains; that of every match is tried."""
    matches = _match_mutually(a_codes, b_codes)
    most = 0
    for i, j in matches:
        zoom = 2.0 ** (b_places[j, 2] - a_places[i, 2])
        if not 0.5 <= zoom <= 2.0:
            continue
        turn = b_places[j, 3] - a_places[i, 3]
        cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
        agreeing = 0
        for k, m in matches:
            x, y = a_places[k, 0] - a_places[i, 0], a_places[k, 1] - a_places[i, 1]
            off_x = b_places[j, 0] + cos * x - sin * y - b_places[m, 0]
            off_y = b_places[j, 1] + sin * x + cos * y - b_places[m, 1]
            agreeing += off_x * off_x + off_y * off_y < TOLERANCE * TOLERANCE
        most = max(most, agreeing)
    return most
