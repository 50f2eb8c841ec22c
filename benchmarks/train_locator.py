"""Fit the locator's four small nets on photographs with simulated damage.

    python -m benchmarks.train_locator FOLDER [--photos 600] [--out ensemble/damage/locator.npz]

The first `--photos` files of FOLDER are learned from; `benchmarks.locate --skip 600` measures on
the others. The confidence is learned from what the other nets, fitted on one half of those
photographs, do on the other half; so is its threshold, which flags `FLAGGED` of them at 256 px.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchmarks.fit_small_net import fit_small_net
from benchmarks.locate import GOOD
from benchmarks.photos import Case, cases, intersection_over_union
from ensemble.damage.candidates import Candidate, find_candidates
from ensemble.damage.context_features import CONTEXT_FEATURES
from ensemble.damage.locate import CONFIDENCE_FEATURES, first_opinions, guess_hole
from ensemble.damage.pixel_features import GrayMap, doubtful_pixels, pixel_features
from ensemble.damage.region_features import region_features
from ensemble.damage.small_nets import LocatorNets, SmallNet, pack

FIRST = {256: list(range(1, 7)), 512: list(range(1, 7))}  # seeds of damages by side
SECOND = {256: list(range(31, 61)), 512: list(range(31, 35))}
JUDGED = {256: list(range(101, 125)), 512: list(range(101, 109))}
PIXELS_A_CASE = 400
HEAVIEST = 10.0
FLAGGED = 0.027

Table = NDArray[np.float64]
Rows = tuple[NDArray[np.floating], NDArray[np.bool_], Table]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("ensemble/damage/locator.npz"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(options.folder.iterdir())[: options.photos]
    confidence, threshold = _fit_confidence((paths[::2], paths[1::2]))
    nets = _fit_opinions(paths)
    nets = dataclasses.replace(nets, confidence=confidence, doubtful_below=threshold)
    np.savez(options.out, allow_pickle=False, **pack(nets))
    print(f"wrote {options.out}; doubtful below {nets.doubtful_below:.3f}")


def _fit_opinions(paths: list[Path]) -> LocatorNets:
    """The nets that find the hole, with a confidence that says nothing yet."""
    rng = np.random.default_rng(0)
    taught = [_first_lessons(case, rng) for case in _cases(paths, FIRST)]
    region = _fit([regions for regions, _ in taught], (24,), epochs=40, batch=256)
    pixel = _fit([pixels for _, pixels in taught], (32,), epochs=12, batch=1024)
    nets = LocatorNets(
        region, pixel, _constant(len(CONTEXT_FEATURES)), _constant(len(CONFIDENCE_FEATURES)), 0.5
    )
    lessons = [_second_lesson(case, nets) for case in _cases(paths, SECOND)]
    return dataclasses.replace(nets, context=_fit(lessons, (64, 32), epochs=12, batch=1024))


def _first_lessons(case: Case, rng: np.random.Generator) -> tuple[Rows | None, Rows | None]:
    """What a case teaches about regions, and about the pixels of the true one's gray.

    Each pixel counts as its share of the hole: that is what the IoU loses by it.
    """
    candidates = find_candidates(case.damaged)
    if not candidates:
        return None, None
    overlap = [intersection_over_union(c.region(), case.lost_mask) for c in candidates]
    main = np.array(overlap) > 0.3
    features = np.stack([region_features(case.damaged, candidate) for candidate in candidates])
    regions = features, main, np.ones(len(main))
    if not main.any():
        return regions, None
    gray_map = GrayMap.of(case.damaged, candidates[int(np.argmax(overlap))])
    found = doubtful_pixels(gray_map)
    kept = found[rng.permutation(len(found))[:PIXELS_A_CASE]]
    weight = np.full(len(kept), len(found) / max(len(kept), 1) / case.lost_mask.sum())
    seen = pixel_features(case.damaged, gray_map, kept)
    return regions, (seen, case.lost_mask[tuple(kept.T)], weight)


def _second_lesson(case: Case, nets: LocatorNets) -> Rows | None:
    """What a case teaches about the pixels that its first opinions leave unsure."""
    winner = _winner(case, nets)
    if winner is None:
        return None
    opinions = first_opinions(case.damaged, winner, nets)
    answers = case.lost_mask[tuple(opinions.pixels[opinions.unsure].T)]
    return opinions.context, answers, np.full(len(answers), 1.0 / case.lost_mask.sum())


def _winner(case: Case, nets: LocatorNets) -> Candidate | None:
    """The region chosen, where it is the hole's main piece."""
    candidates = find_candidates(case.damaged)
    if not candidates:
        return None
    features = np.stack([region_features(case.damaged, candidate) for candidate in candidates])
    winner = candidates[int(nets.region.probability(features).argmax())]
    right = intersection_over_union(winner.region(), case.lost_mask) > 0.3
    return winner if right else None


def _fit(
    lessons: list[Rows | None], hidden: tuple[int, ...], *, epochs: int, batch: int
) -> SmallNet:
    rows = [lesson for lesson in lessons if lesson is not None]
    x, y, weight = (np.concatenate(column) for column in zip(*rows, strict=True))
    weight = np.minimum(weight / weight.mean(), HEAVIEST)
    net = fit_small_net(x, y, weight, hidden=hidden, epochs=epochs, batch=batch)
    right = (net.probability(x) > 0.5) == y
    print(f"{len(x)} rows, {100 * np.average(right, weights=weight):.2f} % right", flush=True)
    return net


def _fit_confidence(halves: tuple[list[Path], list[Path]]) -> tuple[SmallNet, float]:
    """The confidence, and the value of it under which `FLAGGED` of the holes fall at 256 px."""
    evidence: list[Table] = []
    good: list[bool] = []
    sides: list[int] = []
    for seen, unseen in (halves, halves[::-1]):
        nets = _fit_opinions(seen)
        for case in _cases(unseen, JUDGED):
            guess = guess_hole(case.damaged, nets)
            if guess is not None:
                evidence.append(guess.evidence)
                good.append(intersection_over_union(guess.lost_mask, case.lost_mask) >= GOOD)
                sides.append(len(case.damaged))
    print(f"{len(good)} holes located afresh, {good.count(False)} of them under IoU {GOOD}")
    net = _fit_logistic(np.stack(evidence), np.array(good))
    chances = net.probability(np.stack(evidence))
    return net, float(np.quantile(chances[np.array(sides) == min(JUDGED)], FLAGGED))


def _fit_logistic(x: Table, y: NDArray[np.bool_]) -> SmallNet:
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=0.03, max_iter=3000).fit(scaler.transform(x), y)
    return SmallNet(
        scaler.mean_.astype(np.float32),
        scaler.scale_.astype(np.float32),
        (model.coef_.T.astype(np.float32),),
        (model.intercept_.astype(np.float32),),
    )


def _cases(paths: list[Path], seeds_by_side: dict[int, list[int]]) -> Iterator[Case]:
    for side, seeds in seeds_by_side.items():
        yield from cases(paths, side=side, seeds=seeds)


def _constant(features: int) -> SmallNet:
    """A net that answers one half."""
    zeros, ones = np.zeros(features, np.float32), np.ones(features, np.float32)
    return SmallNet(zeros, ones, (zeros[:, None],), (np.zeros(1, np.float32),))


if __name__ == "__main__":
    main()
