"""Speed of the parts of composition, and the reach and cost of hue transport.

    python benchmarks/composition_parts.py
    python benchmarks/composition_parts.py --photos FOLDER [--held-out 100]

Without a folder: milliseconds of each part at 512 x 512 on one core, and
the correlation of the reached with the wanted hue histogram, on scikit-image's photographs. With
a folder of photographs: the training-free pipeline on the last of them by name, prior from the
others, step by step, with paired standard errors; and the cost of hue transport in S and M
with stand-ins for a fair and a good colorizer (the truth's colors, faded and blurred). Damage is
drawn afresh from fixed seeds; the true mask is used.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.stand_in import alone, stand_in
from ensemble.arrays import Gray, Rgb, luma
from ensemble.composition.blend import compose_answer
from ensemble.composition.chroma import blend_chroma
from ensemble.composition.compose import compose_rgb
from ensemble.composition.hue_prior import (
    HuePrior,
    count_inner_hues,
    gray_statistics,
    share_extremes,
)
from ensemble.composition.hue_target import centered, hue_histogram, lift
from ensemble.composition.hue_transport import transport_hue
from ensemble.composition.luma import fill_data_range, lock_luma
from ensemble.composition.recipe import Composition
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.damage.fill import fill_hole
from ensemble.metric.score import STAGE_TERMS, TERM_WEIGHTS, PreparedTarget, Score, prepare

RUNS = 15

SSIM_WEIGHTS = [TERM_WEIGHTS[term] for term in STAGE_TERMS["restoration"]]
STAND_INS = {"fair": (0.4, 3 / 32), "good": (0.6, 1 / 32)}
"""Share of the truth's chroma, and the blur's standard deviation over the picture's side."""


def bundled(side: int) -> list[Rgb]:
    names = ("astronaut", "coffee", "chelsea", "rocket")
    pictures = [getattr(skimage.data, name)() for name in names]
    return [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures]


def milliseconds(call: Callable[[], object]) -> str:
    """Time on the clock, and on the one core: the two differ where the machine is shared."""
    call()
    clock, core = [], []
    for _ in range(RUNS):
        start = time.perf_counter(), time.process_time()
        call()
        clock.append(1e3 * (time.perf_counter() - start[0]))
        core.append(1e3 * (time.process_time() - start[1]))
    return f"core median {statistics.median(core):5.1f} ms   clock best {min(clock):5.1f} ms"


def speed(pictures: list[Rgb]) -> None:
    picture, others = pictures[0], np.stack(pictures[1:])
    gray = luma(picture)
    floats = picture.astype(np.float32) + np.float32(3.3)
    target = lift(centered(np.stack([hue_histogram(p) for p in others])).mean(axis=0))
    colorless = np.repeat(gray[..., None], 3, axis=2)
    weights = np.ones(len(pictures))
    parts: dict[str, Callable[[], object]] = {
        "lock_luma": lambda: lock_luma(rgb=floats, gray=gray),
        "transport_hue, score": lambda: transport_hue(
            rgb=picture, gray=gray, target=target, mode="score"
        ),
        "transport_hue, natural": lambda: transport_hue(
            rgb=picture, gray=gray, target=target, mode="natural"
        ),
        "transport_hue, from gray": lambda: transport_hue(
            rgb=colorless, gray=gray, target=target, mode="score"
        ),
        "fill_data_range": lambda: fill_data_range(np.clip(picture, 9, 240)),
        "blend_chroma, mean of 4": lambda: blend_chroma(
            pictures=np.stack(pictures), weights=weights, mode="mean"
        ),
        "gray_statistics": lambda: gray_statistics(gray),
    }
    for name, call in parts.items():
        print(f"{name:28s} {milliseconds(call)}")
    reached = [
        float(centered(hue_histogram(moved)) @ centered(target))
        for moved in (
            transport_hue(rgb=p, gray=luma(p), target=target, mode="score") for p in pictures
        )
    ]
    print(f"reached against wanted       mean {np.mean(reached):.4f}   least {min(reached):.4f}")


@dataclass(frozen=True)
class Case:
    target: Rgb
    prepared: PreparedTarget
    fills: dict[str, Gray]


def _case(target: Rgb, seed: int) -> Case:
    gray = luma(target)
    damage = draw_damage(size=(gray.shape[0], gray.shape[1]), seed=seed)
    lost, damaged = damage.lost_mask(), apply_damage(gray, damage)
    fills = {m: fill_hole(damaged, lost, method=m) for m in ("navier-stokes", "spline")}
    return Case(target, prepare(target=target, lost_mask=lost), fills)


def _answer(gray: Gray, target: np.ndarray | None, options: Composition) -> Rgb:
    blend = np.repeat(gray[..., None], 3, axis=2).astype(np.float32)
    return compose_rgb(blend=blend, gray=gray, hue_target=target, options=options)


def _steps(
    prior: np.ndarray, fitted: HuePrior
) -> Iterator[tuple[str, Callable[[Case], tuple[Gray, np.ndarray | None, Composition]]]]:
    as_is = Composition(data_range="as-is")
    yield "Navier-Stokes, gray", lambda c: (c.fills["navier-stokes"], None, as_is)
    yield "+ hue prior", lambda c: (c.fills["navier-stokes"], prior, as_is)
    yield "+ full data range", lambda c: (c.fills["navier-stokes"], prior, Composition())
    yield "+ spline instead", lambda c: (c.fills["spline"], prior, Composition())
    yield (
        "+ prior from the gray",
        lambda c: (c.fills["spline"], _predict(fitted, c.fills["spline"]), Composition()),
    )


def _predict(fitted: HuePrior, gray: Gray) -> np.ndarray:
    return fitted.predict([gray_statistics(gray)], share_extremes(gray))


def training_free(folder: Path, held_out: int) -> None:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    photographs = [np.asarray(Image.open(p).convert("RGB")) for p in paths]
    known, unseen = photographs[:-held_out], photographs[-held_out:]
    histograms = np.stack([hue_histogram(p) for p in known])
    fitted = HuePrior.fit(
        statistics=[np.stack([gray_statistics(luma(p)) for p in known])],
        histograms=np.stack([count_inner_hues(p) for p in known]),
    )
    cases = [_case(p, seed) for seed, p in enumerate(unseen, start=len(known))]
    one_prior = lift(centered(histograms).mean(axis=0))
    before: np.ndarray | None = None
    for name, step in _steps(one_prior, fitted):
        wanted = [step(case) for case in cases]
        answers = [_answer(*w) for w in wanted]
        scores = [c.prepared.score(a) for c, a in zip(cases, answers, strict=True)]
        reached = [
            float(centered(hue_histogram(a)) @ centered(w[1]))
            for a, w in zip(answers, wanted, strict=True)
            if w[1] is not None
        ]
        before = _report(name, scores, reached, before)

    _measure_cost(cases, one_prior)


def _measure_cost(cases: Sequence[Case], prior: np.ndarray) -> None:
    for name, (share, blur) in STAND_INS.items():
        pictures = [
            stand_in(case.target, case.fills["navier-stokes"], share=share, blur=blur)
            for case in cases
        ]
        before = _ssim_share(cases, pictures)
        for mode, prior_weight in itertools.product(("score", "natural"), (0.0, 0.2, 0.65)):
            options = Composition(data_range="as-is", hue=mode, prior_weight=prior_weight)
            answers = [
                compose_answer(alone(picture), gray=luma(picture), prior=prior, options=options)
                for picture in pictures
            ]
            cost = before - _ssim_share(cases, answers)
            print(
                f"{name} stand-in, {mode}, prior {prior_weight:4.2f}: cost in S and M {cost:+.4f}"
            )


def _ssim_share(cases: Sequence[Case], pictures: Sequence[Rgb]) -> float:
    """The share of both SSIM terms in the score, on average."""
    scores = [case.prepared.score(picture) for case, picture in zip(cases, pictures, strict=True)]
    return float(np.mean([(one.ssim, one.masked_ssim) @ np.array(SSIM_WEIGHTS) for one in scores]))


def _report(
    name: str, scores: list[Score], reached: list[float], before: np.ndarray | None
) -> np.ndarray:
    terms = np.array([(s.ssim, s.masked_ssim, s.hue, s.score) for s in scores])
    ssim, masked, hue, total = terms.mean(axis=0)
    line = f"{name:24s} S {ssim:.4f}  M {masked:.4f}  C {hue:.4f}  score {total:.4f}"
    if before is not None:
        gain = terms[:, 3] - before[:, 3]
        line += f"  gain {gain.mean():+.4f} (se {gain.std(ddof=1) / np.sqrt(len(gain)):.4f})"
        cost = (before - terms)[:, :2].mean(axis=0) @ SSIM_WEIGHTS
        line += f"  cost in S and M {cost:+.4f}  reached {np.mean(reached):.4f}"
    print(line, flush=True)
    return terms


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--held-out", type=int, default=100)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.photos is None:
        speed(bundled(512))
    else:
        training_free(arguments.photos, arguments.held_out)
