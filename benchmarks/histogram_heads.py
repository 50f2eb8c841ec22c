"""What a network should answer with to predict a hue histogram: heads on the same gray statistics.

    python benchmarks/histogram_heads.py PHOTOS [--without LAST] [--seeds 2]

Each photograph of PHOTOS, but for names that are in LAST, is predicted by what learned from the
other four of five folds: the ridge of `ensemble.composition.hue_prior`, and networks of 124
statistics, 64 hidden units and a head, trained on 1 - correlation. Heads: 180 free numbers; shares
of 180 bins; or shares of hue 0 and of K sectors, each times the training photographs' mean shape in
it, without and with a free correction of 180 bins that starts at zero. Weight decay and length come
from a fifth of the training photographs, held out and then given back. Seeds are averaged as
centered unit vectors. Printed is the mean correlation with the truth, and the difference to the
ridge with its paired standard error; then the same with fewer training photographs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.arrays import luma
from ensemble.composition.hue_prior import HuePrior, gray_statistics
from ensemble.composition.hue_target import centered, hue_histogram
from ensemble.training.losses import correlation, histogram_loss
from ensemble.vocabulary import HUE_BINS

FOLDS, HIDDEN, MOST_EPOCHS, STEP = 5, 64, 120, 10
DECAYS = (0.1, 1.0)
SIZES = (300, 150)
Histograms = NDArray[np.float64]


class Free(nn.Module):
    """180 numbers beside the mean of the training photographs; they start at zero."""

    def __init__(self, histograms: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", functional.normalize(_center(histograms)).mean(0))
        self.numbers = _zero(HUE_BINS)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.mean + self.numbers(hidden)


class Sectors(nn.Module):
    """Shares of hue 0 and of some sectors, times the mean shapes; a free correction, if wanted."""

    def __init__(self, histograms: Tensor, *, count: int, correct: bool) -> None:
        super().__init__()
        sector = 1 + (torch.arange(HUE_BINS) * count // HUE_BINS)
        sector[0] = 0
        member = functional.one_hot(sector, count + 1).T.float()  # (count + 1, 180)
        shapes = member * histograms.mean(0)
        self.register_buffer("shapes", shapes / shapes.sum(1, keepdim=True).clamp_min(1e-9))
        self.shares = _zero(count + 1)
        self.shares.bias.data = shapes.sum(1).clamp_min(1e-6).log()
        self.numbers = _zero(HUE_BINS) if correct else None

    def forward(self, hidden: Tensor) -> Tensor:
        histogram = self.shares(hidden).softmax(1) @ self.shapes
        return histogram if self.numbers is None else histogram + self.numbers(hidden)


class Softmax(nn.Module):
    """Shares of 180 bins, as `HistogramNetwork` answers."""

    def __init__(self, histograms: Tensor) -> None:
        super().__init__()
        self.logits = _zero(HUE_BINS)
        self.logits.bias.data = histograms.mean(0).clamp_min(1e-6).log()

    def forward(self, hidden: Tensor) -> Tensor:
        return self.logits(hidden).softmax(1)


HEADS: dict[str, Callable[[Tensor], nn.Module]] = {
    "180 free": Free,
    "180 shares": Softmax,
    "18 sectors": lambda h: Sectors(h, count=18, correct=False),
    "36 sectors": lambda h: Sectors(h, count=36, correct=False),
    "18 sectors, corrected": lambda h: Sectors(h, count=18, correct=True),
}
CURVE = ("180 shares", "18 sectors")


def _zero(outside: int) -> nn.Linear:
    layer = nn.Linear(HIDDEN, outside)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _center(histograms: Tensor) -> Tensor:
    return histograms - histograms.mean(1, keepdim=True)


def learn(
    head: str, x: Tensor, y: Tensor, *, seed: int, decay: float, epochs: int, watched: tuple | None
) -> tuple[nn.Module, list[float]]:
    """Train for some epochs; the correlation on what is watched, every STEP epochs."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(x.shape[1], HIDDEN), nn.GELU(), nn.Dropout(0.3), HEADS[head](y)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=decay)
    found = []
    for epoch in range(1, epochs + 1):
        network.train()
        for rows in torch.randperm(len(x)).split(100):
            optimizer.zero_grad()
            histogram_loss(network(x[rows]), y[rows]).backward()
            optimizer.step()
        if watched and epoch % STEP == 0:
            with torch.inference_mode():
                answers = network.eval()(watched[0])
            found.append(float(correlation(answers, watched[1]).mean()))
    return network.eval(), found


def choose(head: str, x: Tensor, y: Tensor, *, seed: int) -> tuple[float, int]:
    """Weight decay and epochs, from a fifth that is held out."""
    held = torch.arange(len(x)) % 5 == seed % 5
    watched, found = (x[held], y[held]), []
    for decay in DECAYS:
        options = {"seed": seed, "decay": decay, "epochs": MOST_EPOCHS, "watched": watched}
        _, curve = learn(head, x[~held], y[~held], **options)
        best = int(np.argmax(curve))
        found.append((curve[best], decay, (best + 1) * STEP))
    return max(found)[1:]


def by_network(
    head: str, known: Histograms, truth: Histograms, asked: Histograms, *, seeds: int
) -> Histograms:
    center, scale = known.mean(0), known.std(0) + 1e-9
    x, z = (torch.tensor((s - center) / scale, dtype=torch.float32) for s in (known, asked))
    y = torch.tensor(truth / truth.sum(1, keepdims=True), dtype=torch.float32)
    decay, epochs = choose(head, x, y, seed=0)
    total = np.zeros((len(asked), HUE_BINS))
    for seed in range(seeds):
        network, _ = learn(head, x, y, seed=seed, decay=decay, epochs=epochs, watched=None)
        with torch.inference_mode():
            total += centered(network(z).double().numpy())
    return centered(total)


def by_ridge(known: Histograms, truth: Histograms, asked: Histograms) -> Histograms:
    prior = HuePrior.fit(statistics=[known], histograms=truth)
    return centered(np.stack([prior.predict([one], 0.0) for one in asked]))


def report(name: str, found: Histograms, ridge: Histograms, truth: Histograms) -> None:
    ours, theirs = ((truth * one).sum(1) for one in (found, ridge))
    difference = ours - theirs
    error = difference.std(ddof=1) / len(difference) ** 0.5
    print(f"{name:34s} {ours.mean():.4f}  {difference.mean():+.4f} +- {error:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--without", type=Path, help="a folder whose names are left out")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.monotonic()
    left_out = {path.name for path in options.without.iterdir()} if options.without else set()
    paths = sorted(p for p in options.photos.iterdir() if p.name not in left_out)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    statistics = np.stack([gray_statistics(luma(picture)) for picture in pictures])
    histograms = np.stack([hue_histogram(picture) for picture in pictures]).astype(np.float64)
    truth = centered(histograms)
    fold = np.random.default_rng(0).permutation(len(paths)) % FOLDS
    order = np.random.default_rng(1).permutation(len(paths))
    for size in (len(paths), *SIZES):
        names = HEADS if size == len(paths) else CURVE
        found = {name: np.zeros_like(truth) for name in ("ridge", *names)}
        trained = []
        for k in range(FOLDS):
            rows, asked = order[fold[order] != k][:size], fold == k
            trained.append(len(rows))
            given = (statistics[rows], histograms[rows], statistics[asked])
            found["ridge"][asked] = by_ridge(*given)
            for name in names:
                found[name][asked] = by_network(name, *given, seeds=options.seeds)
        print(f"{min(trained)} training photographs ({time.monotonic() - begun:.0f} s)")
        for name, one in found.items():
            report(name, one, found["ridge"], truth)
            if name != "ridge":
                mean = centered(one + found["ridge"])
                report(f"mean of ridge and {name}", mean, found["ridge"], truth)


if __name__ == "__main__":
    main()
