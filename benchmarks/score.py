"""How fast the exact score is, against the literal scikit-image and OpenCV one, in one run.

    python benchmarks/score.py [PHOTOS] [--images 8] [--size 512] [--step-ms 20]

PHOTOS is a folder of JPEG or PNG photographs; without it, those that scikit-image and scikit-learn
ship are used. All times are medians over images: processor time of one core, which other work on
the machine hardly changes, and time on the clock where all cores are used.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice, pairwise
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.arrays import Rgb
from ensemble.metric.score import prepare, score
from ensemble.parallel import count_cores, map_in_order
from tests.reference.corpus import Case, blend, photographs, polygon_mask
from tests.reference.score import literal_score


def read_photographs(folder: Path | None) -> list[Rgb]:
    if folder is None:
        from sklearn.datasets import load_sample_images

        return [*photographs(), *load_sample_images().images]
    files = sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".jpeg", ".png"})
    if not files:
        raise SystemExit(f"{folder} must hold .jpg, .jpeg or .png photographs, but holds none")
    return [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]


def square(photograph: Rgb, size: int) -> Rgb:
    """The middle square, scaled to `size` pixels."""
    height, width = photograph.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = photograph[top : top + side, left : left + side]
    return cv2.resize(middle, (size, size), interpolation=cv2.INTER_CUBIC)


def build_cases(folder: Path | None, images: int, size: int) -> list[Case]:
    """Targets, each with a dulled prediction of it and a hole."""
    targets = [square(one, size) for one in islice(cycle(read_photographs(folder)), images + 1)]
    return [
        Case(f"{i}", blend(one, other, 0.8), one, polygon_mask((size, size), seed=i))
        for i, (one, other) in enumerate(pairwise(targets))
    ]


def milliseconds(
    call: Callable[[int], object],
    images: int,
    repeats: int,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """The median over images of the fastest of `repeats` calls."""
    times = []
    for image in range(images):
        clocked = []
        for _ in range(repeats):
            start = clock()
            call(image)
            clocked.append(clock() - start)
        times.append(min(clocked))
    return 1000 * statistics.median(times)


def measure(cases: list[Case], repeats: int) -> dict[str, float]:
    cv2.setNumThreads(1)
    prepared = [prepare(target=case.target, lost_mask=case.lost_mask) for case in cases]
    preds, n = [case.pred for case in cases], len(cases)
    arrays = [dict(zip(("pred", "target", "lost_mask"), case[1:], strict=True)) for case in cases]
    pngs = [cv2.imencode(".png", case.pred)[1] for case in cases]
    per_call = 4 * n
    many = range(per_call)

    def score_many(_: int) -> object:
        return list(map_in_order(lambda i: prepared[i % n].score(preds[i % n]), many))

    return {
        "literal": milliseconds(lambda i: literal_score(**arrays[i]), n, max(2, repeats // 10)),
        "cold": milliseconds(lambda i: score(**arrays[i]), n, repeats),
        "prepared": milliseconds(lambda i: prepared[i].score(preds[i]), n, repeats),
        "batch": milliseconds(score_many, 1, repeats, time.perf_counter) / per_call,
        "decode": milliseconds(lambda i: cv2.imdecode(pngs[i], cv2.IMREAD_COLOR), n, repeats),
    }


def farthest(cases: list[Case]) -> list[float]:
    """The largest difference to the literal score over the images, a term each."""
    apart = []
    for case in cases:
        arrays = dict(zip(("pred", "target", "lost_mask"), case[1:], strict=True))
        ours, literal = score(**arrays), literal_score(**arrays)
        apart.append(
            [abs(getattr(ours, term) - getattr(literal, term)) for term in literal._fields[:3]]
        )
    return np.max(apart, axis=0).tolist()


def print_speed(times: dict[str, float], size: int, console: Console) -> None:
    table = Table(title=f"Score of one {size} x {size} RGB image", title_justify="left")
    for column in ("way", "ms an image", "times the literal speed", "due"):
        table.add_column(column, justify="left" if column == "way" else "right")
    rows = (
        ("literal scikit-image + OpenCV, one core", "literal", "1"),
        ("cold: target not prepared, one core", "cold", "20"),
        ("target prepared, one core", "prepared", "30"),
        (f"target prepared, {count_cores()} cores", "batch", "-"),
    )
    for label, key, due in rows:
        table.add_row(label, f"{times[key]:.3f}", f"{times['literal'] / times[key]:.1f}", due)
    console.print(table)


def print_share(times: dict[str, float], step_ms: float, folds: int, console: Console) -> None:
    """Validation scores 1 image for every `folds - 1` that are trained on."""
    epoch_of_one = (folds - 1) * step_ms + step_ms / 3
    console.print(
        f"\nShare of an epoch spent scoring ({folds} folds; {step_ms:g} ms a training image, a "
        "third of that a validation image's forward pass: set --step-ms to your own):"
    )
    for label, key in (
        ("literal", "literal"),
        ("one core", "prepared"),
        ("all cores", "batch"),
    ):
        share = times[key] / (epoch_of_one + times[key])
        console.print(f"  {label:10} {100 * share:6.2f} %")
    console.print(f"For scale: decoding one such PNG takes {times['decode']:.3f} ms.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", type=Path)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--step-ms", type=float, default=20.0, help="training time of one image")
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    console = Console(width=100)
    cases = build_cases(options.photos, options.images, options.size)
    ssim, masked_ssim, hue = farthest(cases)
    times = measure(cases, options.repeats)
    print_speed(times, options.size, console)
    console.print(
        f"Largest difference to the literal terms over {len(cases)} images: "
        f"ssim {ssim:.1e}, masked_ssim {masked_ssim:.1e}, hue {hue:.1e}."
    )
    print_share(times, options.step_ms, options.folds, console)


if __name__ == "__main__":
    main()
