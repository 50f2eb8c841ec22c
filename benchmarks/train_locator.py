"""Fit the locator's three small nets on photographs with simulated damage.

    python -m benchmarks.train_locator FOLDER [--photos 600] [--out FILE]

FILE is the shipped one by default. The first `--photos` files of FOLDER are learned from;
`benchmarks.locate --skip 600` measures on the others. The confidence is learned from what the
other nets, fitted on one half of those photographs, do on the other half; so is its threshold,
which flags `FLAGGED` of them at 256 px.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from benchmarks.locate import GOOD
from benchmarks.photos import Case, cases, intersection_over_union
from ensemble.damage.locate.hole import CONFIDENCE_FEATURES, estimate_hole
from ensemble.damage.locate.nets import NETS, LocatorNets, SmallNet
from ensemble.damage.locate.pixels import describe_pixels, find_undecided_pixels, map_gray
from ensemble.damage.locate.regions import describe_region, find_flat_regions

LEARNED = {256: list(range(1, 7)), 512: list(range(1, 7))}  # seeds of damages by side
JUDGED = {256: list(range(101, 125)), 512: list(range(101, 109))}
PIXELS_A_CASE = 400
HEAVIEST = 10.0
FLAGGED = 0.027
RATE, DECAY = 2e-3, 1e-2

Table = NDArray[np.float64]
Rows = tuple[NDArray[np.floating], NDArray[np.bool_], Table]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("ensemble/damage/locate/locator.npz"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(options.folder.iterdir())[: options.photos]
    confidence, threshold = _fit_confidence((paths[::2], paths[1::2]))
    nets = _fit_nets(paths)
    nets = dataclasses.replace(nets, confidence=confidence, doubtful_below=threshold)
    np.savez(options.out, allow_pickle=False, **pack(nets))
    print(f"wrote {options.out}; doubtful below {nets.doubtful_below:.3f}")


def pack(nets: LocatorNets) -> dict[str, NDArray[np.float32]]:
    """Name the arrays of the nets for `numpy.savez`; `unpack` reverses it."""
    arrays: dict[str, NDArray[np.float32]] = {
        "doubtful_below": np.array(nets.doubtful_below, dtype=np.float32)
    }
    for name in NETS:
        net: SmallNet = getattr(nets, name)
        arrays |= {f"{name}.center": net.center, f"{name}.scale": net.scale}
        for i, (weights, biases) in enumerate(zip(net.weights, net.biases, strict=True)):
            arrays |= {f"{name}.weights.{i}": weights, f"{name}.biases.{i}": biases}
    return arrays


def _fit_nets(paths: list[Path]) -> LocatorNets:
    """The nets that find the hole, with a confidence of one half everywhere."""
    rng = np.random.default_rng(0)
    taught = [_learn_from(case, rng) for case in _cases(paths, LEARNED)]
    region = _fit([regions for regions, _ in taught], (24,), epochs=40, batch=256)
    pixel = _fit([pixels for _, pixels in taught], (32,), epochs=12, batch=1024)
    zeros, ones = (f(len(CONFIDENCE_FEATURES), np.float32) for f in (np.zeros, np.ones))
    even = SmallNet(zeros, ones, (zeros[:, None],), (zeros[:1],))
    return LocatorNets(region, pixel, even, 0.5)


def _learn_from(case: Case, rng: np.random.Generator) -> tuple[Rows | None, Rows | None]:
    """What a case teaches about regions, and about the pixels of the true one's gray.

    Each pixel counts as its share of the hole: that is what the IoU loses by it.
    """
    found = find_flat_regions(case.damaged)
    if not found:
        return None, None
    overlap = [intersection_over_union(r.mask(), case.lost_mask) for r in found]
    main = np.array(overlap) > 0.3
    features = np.stack([describe_region(case.damaged, region) for region in found])
    regions = features, main, np.ones(len(main))
    if not main.any():
        return regions, None
    gray_map = map_gray(case.damaged, found[int(np.argmax(overlap))])
    pixels = find_undecided_pixels(gray_map)
    kept = pixels[rng.permutation(len(pixels))[:PIXELS_A_CASE]]
    weight = np.full(len(kept), len(pixels) / max(len(kept), 1) / case.lost_mask.sum())
    seen = describe_pixels(case.damaged, gray_map, kept)
    return regions, (seen, case.lost_mask[tuple(kept.T)], weight)


def _fit(
    lessons: list[Rows | None], hidden: tuple[int, ...], *, epochs: int, batch: int
) -> SmallNet:
    rows = [lesson for lesson in lessons if lesson is not None]
    x, y, weight = (np.concatenate(column) for column in zip(*rows, strict=True))
    weight = np.minimum(weight / weight.mean(), HEAVIEST)
    net = _fit_by_adam(x, y, weight, hidden=hidden, epochs=epochs, batch=batch)
    right = (net.probability(x) > 0.5) == y
    print(f"{len(x)} rows, {100 * np.average(right, weights=weight):.2f} % right", flush=True)
    return net


def _fit_confidence(halves: tuple[list[Path], list[Path]]) -> tuple[SmallNet, float]:
    """The confidence, and the value of it under which `FLAGGED` of the holes fall at 256 px."""
    features: list[Table] = []
    good: list[bool] = []
    sides: list[int] = []
    for seen, unseen in (halves, halves[::-1]):
        nets = _fit_nets(seen)
        for case in _cases(unseen, JUDGED):
            estimate = estimate_hole(case.damaged, nets)
            if estimate is not None:
                lost_mask, _, described = estimate
                features.append(described)
                good.append(intersection_over_union(lost_mask, case.lost_mask) >= GOOD)
                sides.append(len(case.damaged))
    print(f"{len(good)} holes located afresh, {good.count(False)} of them under IoU {GOOD}")
    net = _fit_logistic(np.stack(features), np.array(good))
    chances = net.probability(np.stack(features))
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


def _fit_by_adam(
    features: NDArray[np.floating],
    answers: NDArray[np.bool_],
    weights: NDArray[np.floating],
    *,
    hidden: tuple[int, ...],
    epochs: int,
    batch: int,
) -> SmallNet:
    """Fit a net whose probability is that of the answer being True.

    Args:
        features: (N, F), finite.
        answers: (N,) bool.
        weights: (N,), how much each row counts.
        hidden: The widths of the hidden layers.
        epochs: Passes over the rows; the rate rises and falls once in all of them.
        batch: Rows a step.
    """
    torch.manual_seed(0)
    center = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = features.std(axis=0, dtype=np.float64).astype(np.float32) + np.float32(1e-6)
    x = torch.from_numpy((features.astype(np.float32) - center) / scale)
    y = torch.from_numpy(answers.astype(np.float32))
    w = torch.from_numpy((weights / weights.mean()).astype(np.float32))
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise((x.shape[1], *hidden, 1))]
    _descend(_chain(layers), x, y, w, epochs=epochs, batch=batch)
    return SmallNet(
        center,
        scale,
        tuple(layer.weight.detach().numpy().T.copy() for layer in layers),
        tuple(layer.bias.detach().numpy().copy() for layer in layers),
    )


def _chain(layers: list[nn.Linear]) -> nn.Sequential:
    steps: list[nn.Module] = [layers[0]]
    for layer in layers[1:]:
        steps += [nn.ReLU(), layer]
    return nn.Sequential(*steps)


def _descend(
    net: nn.Sequential,
    x: torch.Tensor,
    y: torch.Tensor,
    w: torch.Tensor,
    *,
    epochs: int,
    batch: int,
) -> None:
    loss = nn.BCEWithLogitsLoss(reduction="none")
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    batches = max(1, len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=epochs * batches, pct_start=0.1
    )
    for _ in range(epochs):
        for rows in torch.randperm(len(x))[: batches * batch].chunk(batches):
            optimizer.zero_grad()
            (loss(net(x[rows])[:, 0], y[rows]) * w[rows]).mean().backward()
            optimizer.step()
            schedule.step()


if __name__ == "__main__":
    main()
