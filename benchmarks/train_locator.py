"""Fit the locator's three small nets on photographs with simulated damage.

    python -m benchmarks.train_locator FOLDER [--photos 600] [--out ensemble/damage/locator.npz]

The first `--photos` files of FOLDER are learned from; `benchmarks.locate --skip 600` measures on
the others. The confidence is learned from what region and pixel nets fitted on one half of those
photographs do on the other half; its threshold flags `FLAGGED` of what the final nets find.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.photos import Case, cases, intersection_over_union
from ensemble.damage.candidates import find_candidates
from ensemble.damage.locate import CONFIDENCE_FEATURES, guess_hole
from ensemble.damage.pixel_features import GrayMap, doubtful_pixels, pixel_features
from ensemble.damage.region_features import region_features
from ensemble.damage.small_nets import LocatorNets, SmallNet, pack

SIDES = (256, 512)
FRESHER = [21, 22]
DAMAGES, FRESH = [1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16]
PIXELS_A_CASE = 400
PIXELS = 800_000
FLAGGED = 0.022
GOOD = 0.99

Table = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("ensemble/damage/locator.npz"))
    options = parser.parse_args()
    paths = sorted(options.folder.iterdir())[: options.photos]
    confidence = _fit_confidence((paths[::2], paths[1::2]))
    nets = LocatorNets(*_fit_region_and_pixel(paths), confidence, 0.5)
    threshold = _threshold(paths, nets)
    nets = dataclasses.replace(nets, doubtful_below=threshold)
    np.savez(options.out, **pack(nets))
    print(f"wrote {options.out}; doubtful below {threshold:.3f}")


def _fit_region_and_pixel(paths: list[Path]) -> tuple[SmallNet, SmallNet]:
    rng = np.random.default_rng(0)
    regions: list[tuple[Table, Table]] = []
    pixels: list[tuple[Table, Table, Table]] = []
    for side in SIDES:
        for case in cases(paths, side=side, seeds=DAMAGES):
            _learn_from(case, rng, regions, pixels)
    x, y = (np.concatenate(column) for column in zip(*regions, strict=True))
    print(f"{len(x)} regions, {int(y.sum())} of them the hole's main piece")
    region = _mlp(x, y, 24, alpha=1e-3, epochs=300)
    x, y, weight = (np.concatenate(column) for column in zip(*pixels, strict=True))
    weight = np.minimum(weight, np.quantile(weight, 0.995))
    chosen = rng.choice(len(x), min(PIXELS, len(x)), p=weight / weight.sum())
    print(f"{len(x)} pixels")
    return region, _mlp(x[chosen], y[chosen], 32, alpha=1e-4, epochs=60)


def _learn_from(
    case: Case,
    rng: np.random.Generator,
    regions: list[tuple[Table, Table]],
    pixels: list[tuple[Table, Table, Table]],
) -> None:
    candidates = find_candidates(case.damaged)
    if not candidates:
        return
    overlap = [intersection_over_union(c.region(), case.lost_mask) for c in candidates]
    main = np.array(overlap) > 0.3
    features = np.stack([region_features(case.damaged, candidate) for candidate in candidates])
    regions.append((features, main))
    if main.any():
        gray_map = GrayMap.of(case.damaged, candidates[int(np.argmax(overlap))])
        found = doubtful_pixels(gray_map)
        kept = rng.permutation(len(found))[:PIXELS_A_CASE]
        weight = len(found) / max(len(kept), 1) / case.lost_mask.sum()
        found = found[kept]
        features = pixel_features(case.damaged, gray_map, found)
        pixels.append((features, case.lost_mask[tuple(found.T)], np.full(len(found), weight)))


def _fit_confidence(halves: tuple[list[Path], list[Path]]) -> SmallNet:
    parts = []
    for seen, unseen in (halves, halves[::-1]):
        region, pixel = _fit_region_and_pixel(seen)
        nets = LocatorNets(region, pixel, _constant(len(CONFIDENCE_FEATURES)), 0.5)
        parts.append(_evidence(unseen, nets, FRESH))
    x, y = (np.concatenate(column) for column in zip(*parts, strict=True))
    print(f"{len(y)} holes located afresh, {int((~y).sum())} of them under IoU {GOOD}")
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=1.0, max_iter=3000).fit(scaler.transform(x), y)
    return _net(scaler, [model.coef_.T], [model.intercept_])


def _threshold(paths: list[Path], nets: LocatorNets) -> float:
    """The confidence under which `FLAGGED` of fresh damage falls."""
    evidence, _ = _evidence(paths, nets, FRESHER)
    return float(np.quantile(nets.confidence.probability(evidence), FLAGGED))


def _evidence(
    paths: list[Path], nets: LocatorNets, seeds: list[int]
) -> tuple[Table, NDArray[np.bool_]]:
    """What the confidence is judged by, and whether the mask was good, hole by hole."""
    evidence, good = [], []
    for side in SIDES:
        for case in cases(paths, side=side, seeds=seeds):
            guess = guess_hole(case.damaged, nets)
            if guess is not None:
                overlap = intersection_over_union(guess.lost_mask, case.lost_mask)
                evidence.append(guess.evidence)
                good.append(overlap >= GOOD)
    return np.stack(evidence), np.array(good)


def _mlp(x: Table, y: Table, width: int, *, alpha: float, epochs: int) -> SmallNet:
    scaler = StandardScaler().fit(x)
    model = MLPClassifier(
        (width,),
        alpha=alpha,
        max_iter=epochs,
        batch_size=512 if len(x) > 100_000 else 200,
        early_stopping=True,
        n_iter_no_change=8,
        random_state=0,
    ).fit(scaler.transform(x), y)
    return _net(scaler, model.coefs_, model.intercepts_)


def _net(scaler: StandardScaler, weights: list[Table], biases: list[Table]) -> SmallNet:
    center, scale = scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)
    return SmallNet(
        center,
        scale,
        tuple(layer.astype(np.float32) for layer in weights),
        tuple(layer.astype(np.float32) for layer in biases),
    )


def _constant(features: int) -> SmallNet:
    """A net that answers one half."""
    zeros, ones = np.zeros(features, np.float32), np.ones(features, np.float32)
    return SmallNet(zeros, ones, (zeros[:, None],), (np.zeros(1, np.float32),))


if __name__ == "__main__":
    main()
