"""How well, how fast and in what memory near-duplicates are found.

    python benchmarks/folds.py FOLDER [--skip-accuracy] [--sizes 1000 10000 29603]

FOLDER holds distinct photographs (JPEG or PNG, 192 px or more). Copies of known truth are made of
them and of the photographs inside scikit-image and scikit-learn. The threshold is chosen on one
half of the photographs and judged on the other.

False merge: a photograph that ends in one group with a different photograph. Its rate is the share
of such photographs. Few photographs cannot show a rate of 0.1 %, so every pair of the first half
is compared, and the tail of features that line up by chance is carried on to 29,603 photographs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

from ensemble.folds.describe import (
    FEATURE,
    N_BYTES,
    N_FEATURES,
    mirror,
    pack_features,
    unpack_features,
)
from ensemble.folds.describe import describe as describe_one
from ensemble.folds.match import ENOUGH_SHARED, SAME_SCENE, find_groups, find_pairs
from ensemble.folds.match_features import count_shared
from ensemble.folds.split import split

N_COMPETITION = 29_603
GOAL_FALSE = 0.001
Picture = NDArray[np.uint8]
Copy = Callable[[Picture, np.random.Generator], tuple[Picture, Picture]]


def load(folder: Path) -> list[Picture]:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    pictures = [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]
    names = ("astronaut", "chelsea", "coffee", "rocket", "retina", "hubble_deep_field")
    pictures += [getattr(skimage.data, name)() for name in names]
    pictures += [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    return [square(picture[..., :3]) for picture in pictures]


def square(picture: Picture, side: int = 256) -> Picture:
    height, width = picture.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    return resize(picture[top : top + edge, left : left + edge], side)


def resize(picture: Picture, side: int) -> Picture:
    way = cv2.INTER_AREA if side < picture.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=way)


def jpeg(picture: Picture, quality: int) -> Picture:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [1, quality])[1], cv2.IMREAD_COLOR)


def exposure(picture: Picture, rng: np.random.Generator) -> Picture:
    """Gain of 0.5 to 1.5 with clipping, or gamma of 0.6 to 1.8."""
    if rng.random() < 0.5:
        return np.clip(picture * rng.uniform(0.5, 1.5), 0, 255).astype(np.uint8)
    return np.uint8(255 * (picture / 255.0) ** rng.uniform(0.6, 1.8))


def crop(picture: Picture, rng: np.random.Generator, share: float = 0.7) -> Picture:
    """A window of `share` of the area, sides within 15 % of square, brought to full size."""
    side = picture.shape[0]
    height = min(1.0, np.sqrt(share) * np.exp(rng.uniform(-0.15, 0.15)))
    rows, columns = round(side * height), min(side, round(side * share / height))
    top, left = rng.integers(side - rows + 1), rng.integers(side - columns + 1)
    return resize(picture[top : top + rows, left : left + columns], side)


def shift(picture: Picture, rng: np.random.Generator) -> tuple[Picture, Picture]:
    """Two windows of one size, in any direction from one another, that share 70 % of theirs."""
    right = rng.uniform(0, 0.3)
    down = 1 - 0.7 / (1 - right)
    side = int(picture.shape[0] / (1 + max(right, down)))
    x, y = round(right * side), round(down * side)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    first, second = picture[:side, :side], picture[y : y + side, x : x + side]
    return np.ascontiguousarray(first), np.ascontiguousarray(second)


COPIES: dict[str, tuple[float, Copy]] = {
    "recompressed, JPEG 30": (0.99, lambda p, rng: (p, jpeg(p, 30))),
    "resized to a half": (0.99, lambda p, rng: (p, resize(p, p.shape[0] // 2))),
    "exposure changed": (0.99, lambda p, rng: (p, exposure(p, rng))),
    "mirrored": (0.99, lambda p, rng: (p, np.ascontiguousarray(p[:, ::-1]))),
    "mild crop, 90 % of area": (0.95, lambda p, rng: (p, crop(p, rng, 0.9))),
    "crop, 70 % of area": (0.95, lambda p, rng: (p, crop(p, rng))),
    "shifted, sharing 70 %": (0.95, shift),
    "all of these at once": (
        0.95,
        lambda p, rng: (p, jpeg(exposure(crop(p, rng)[:, ::-1], rng), 50)),
    ),
}


def describe(pictures: list[Picture]) -> NDArray[np.uint8]:
    jobs = (delayed(describe_one)(picture) for picture in pictures)
    return np.stack(Parallel(n_jobs=2, prefer="threads")(jobs))


def chance_counts(vectors: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pairs of different photographs have 0, 1, 2, ... features in line."""
    counts, places, codes = unpack_features(vectors)
    first, second = np.triu_indices(len(vectors), 1)
    mirrored = mirror(places)
    return np.bincount(count_shared(first, second, counts, places, mirrored, codes), minlength=16)


def choose_threshold(chance: NDArray[np.int64]) -> int:
    """Fewest features in line that keep the expected false merges among 29,603 under 0.1 %."""
    reaching = np.cumsum(chance[::-1])[::-1] / chance.sum()
    # The tail is carried on from the last count that at least ten pairs reach.
    solid = int(np.flatnonzero(reaching * chance.sum() >= 10).max())
    fall = reaching[solid] / reaching[solid - 1]
    for k in range(solid, 64):
        expected = N_COMPETITION * reaching[solid] * fall ** (k - solid)
        print(f"  {k} in line: {expected:.4%} of 29,603 photographs expected to merge falsely")
        if expected <= GOAL_FALSE:
            return k
    raise SystemExit("the tail does not fall")


def names(n: int) -> tuple[str, ...]:
    return tuple(f"{row:06d}" for row in range(n))


def falsely_merged(vectors: NDArray[np.uint8], truth: NDArray[np.int64]) -> float:
    """Share of photographs in one group with a photograph of another truth."""
    ids = names(len(vectors))
    pairs = find_pairs(image_ids=ids, vectors=vectors)
    groups = find_groups(pairs=pairs, max_size=len(ids))
    of = np.unique(groups.labels, return_inverse=True)[1]
    n_truths = np.array([len(np.unique(truth[of == group])) for group in range(of.max() + 1)])
    return float((n_truths[of] > 1).mean())


def found(pictures: list[Picture], copy: Copy) -> tuple[float, float]:
    """Share of copies found among all the others, and the similarity that 95 % of them reach."""
    rng = np.random.default_rng(0)
    both = [copy(picture, rng) for picture in pictures]
    n = len(both)
    vectors = describe([pair[0] for pair in both] + [pair[1] for pair in both])
    pairs = find_pairs(image_ids=names(2 * n), vectors=vectors)
    own = pairs.second == pairs.first + n
    similarity = np.zeros(n)
    similarity[pairs.first[own]] = pairs.similarity[own]
    return float((similarity >= SAME_SCENE).mean()), float(np.quantile(similarity, 0.05))


def accuracy(pictures: list[Picture]) -> None:
    half, other = pictures[::2], pictures[1::2]
    print(f"threshold, chosen on {len(half)} photographs, every pair compared:")
    chance = chance_counts(describe(half))
    print(f"  pairs by features in line: {np.trim_zeros(chance, 'b').tolist()}")
    k = choose_threshold(chance)
    print(f"  chosen {k}; the package has {ENOUGH_SHARED}, which is what is judged below")
    print(f"the other half, {len(other)} photographs:")
    rate = falsely_merged(describe(other), np.arange(len(other)))
    print(f"  false merges {rate:.3%} (goal at most {GOAL_FALSE:.1%})")
    for name, (goal, copy) in COPIES.items():
        share, low = found(other, copy)
        mark = "reached" if share >= goal else "MISSED"
        print(f"  {name:26s} found {share:7.2%}  goal {goal:.0%} {mark}  5 % quantile {low:.2f}")


def tiles(pictures: list[Picture]) -> None:
    """More different photographs than there are: quarters, judged against other photographs'."""
    quarters = [
        np.ascontiguousarray(p[y : y + 128, x : x + 128])
        for p in pictures
        for y in (0, 128)
        for x in (0, 128)
    ]
    truth = np.repeat(np.arange(len(pictures)), 4)
    rate = falsely_merged(describe(quarters), truth)
    print(f"quarters of photographs, {len(quarters)}: false merges {rate:.3%}")


def describing_time(pictures: list[Picture]) -> None:
    large = [resize(picture, 512) for picture in pictures[:200]]
    describe(large[:4])
    start, busy = time.perf_counter(), time.process_time()
    describe(large)
    each = (time.perf_counter() - start) / len(large)
    cpu = (time.process_time() - busy) / len(large)
    print(
        f"describing 512 px on 2 threads: {each * 1e3:.1f} ms a photograph, {cpu * 1e3:.1f} of CPU"
    )
    print(f"  so {each * N_COMPETITION:.0f} s for {N_COMPETITION}")


def synthetic(pool: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """Features drawn from real ones, a quarter of their bits flipped; 1 in 10 has a twin."""
    rng = np.random.default_rng(n)
    vectors = pool[rng.integers(len(pool), size=n)].copy()
    features = pool[:, 2:N_BYTES].copy().view(FEATURE).ravel()
    features = features[features["code"].any(axis=1)]
    for row in range(n):
        drawn = features[rng.integers(len(features), size=N_FEATURES)]
        flips = np.packbits(rng.random((len(drawn), 128)) < 0.25, axis=1).view(np.uint64)
        drawn["code"] ^= flips
        vectors[row, :N_BYTES] = pack_features(192, drawn)
    twins = rng.choice(n, size=2 * (n // 20), replace=False).reshape(2, -1)
    vectors[twins[0]] = vectors[twins[1]]
    return vectors


def group_and_split(pool: NDArray[np.uint8], n: int) -> tuple[float, float, int]:
    vectors, ids = synthetic(pool, n), names(n)
    find_pairs(image_ids=names(len(pool)), vectors=pool)  # compiles
    start = time.perf_counter()
    pairs = find_pairs(image_ids=ids, vectors=vectors)
    groups = find_groups(pairs=pairs, max_size=n // 5)
    split(image_ids=groups.image_ids, groups=groups.labels, n_folds=5, seed=0, strata=[0] * n)
    seconds = time.perf_counter() - start
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 2**20
    return seconds, peak, groups.n_groups


def scaling(pool: NDArray[np.uint8], sizes: list[int]) -> None:
    """Each size in a fresh process, so that the peak of memory is its own."""
    spawn = multiprocessing.get_context("spawn")
    print("grouping and splitting synthetic photographs:")
    for n in sizes:
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            seconds, peak, n_groups = process.submit(group_and_split, pool, n).result()
        print(
            f"  {n:6d}: {seconds:6.1f} s, {seconds / n * 1e3:.2f} ms each, peak {peak:.2f} GiB, "
            f"twins found {n_groups} of {n // 20}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--skip-accuracy", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, N_COMPETITION])
    options = parser.parse_args()
    pictures = load(options.folder)
    if not options.skip_accuracy:
        accuracy(pictures)
        tiles(pictures)
    describing_time(pictures)
    scaling(describe(pictures[:400]), options.sizes)


if __name__ == "__main__":
    main()
