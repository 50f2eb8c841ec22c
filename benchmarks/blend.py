"""How fast a blend is tuned, against the literal loop, and what that costs in score and memory.

    python benchmarks/blend.py PHOTOS [--images 300] [--trials 200] [--seeds 3]
                               [--exact-images 100] [--scale 100,300,1000] [--samplers]

PHOTOS is a folder of photographs; they are scaled to 512 x 512, and every member and view is a
deterministic distortion of them (blur, noise, shifted colors, less saturation). Predictions are
written uncompressed to a temporary folder beforehand, which no way is charged for; both ways read
them from there.

The literal loop blends with numpy and scores with scikit-image and OpenCV, on one core, as in the
competition's notebooks. It is timed on a few photographs and extrapolated. Ours is timed whole:
collecting the statistics, the trials in a study on disk, and scoring the best and all baselines
exactly. The score found is compared to that of a search with the same sampler, seed and trials
whose every trial is scored exactly, on `--exact-images` of the photographs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.distorted import MEMBERS, StoredEvidence, store
from ensemble.blending.candidate import Candidate, score_exactly
from ensemble.blending.decide.shortlist import make_shortlist
from ensemble.blending.evidence import Evidence
from ensemble.blending.samplers import SAMPLERS
from ensemble.blending.search import open_storage, open_study, search
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics.objective import Objective
from ensemble.blending.statistics.sampling import Plan
from ensemble.composition.recipe import SLIDES
from ensemble.metric.score import weigh
from ensemble.vocabulary import VIEWS
from tests.reference.score import literal_score

LITERAL_SAMPLE = 6


def space() -> SearchSpace:
    return SearchSpace(views=StoredEvidence.views, fixed=SLIDES, views_per="stage")


@dataclass(frozen=True)
class Outcome:
    """What a search found, how long each part took, and the most memory it had."""

    best: Candidate
    score: float
    seconds: dict[str, float]
    peak_mib: float

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def ours(evidence: Evidence, *, trials: int, seed: int, sampler: str, folder: Path) -> Outcome:
    ids, clock = evidence.image_ids, [time.perf_counter()]
    plan = Plan.for_photographs(len(ids), seed=seed)
    objective = Objective(evidence, space(), ids, plan=plan)
    clock.append(time.perf_counter())
    study = open_study(open_storage(folder / f"{time.time_ns()}.log"), "benchmark")
    found = search(study, space(), objective.value, sampler=sampler, trials=trials, seed=seed)
    clock.append(time.perf_counter())
    listed = list(make_shortlist(objective, found).candidates.values())
    exact = weigh("colorization", score_exactly(evidence, listed, ids)).mean(axis=1)
    clock.append(time.perf_counter())
    parts = ("collect", "trials", f"exact scores of {len(listed)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    best = int(exact.argmax())
    return Outcome(
        listed[best], float(exact[best]), dict(zip(parts, np.diff(clock), strict=True)), peak
    )


def exact_search(
    evidence: Evidence, *, trials: int, seed: int, sampler: str
) -> tuple[tuple[Candidate, float], ...]:
    """What a search found whose every trial is scored exactly, best first."""
    ids = evidence.image_ids

    def value(candidate: Candidate) -> float:
        terms = score_exactly(evidence, [candidate], ids)
        return float(weigh("colorization", terms).mean())

    study = open_study(None, "exact")
    return search(study, space(), value, sampler=sampler, trials=trials, seed=seed).ranked


def literal_seconds(evidence: Evidence) -> float:
    """Seconds the literal loop takes for one photograph of one trial: the mean over a few."""
    weights = np.full(12, 1 / 12)
    start = time.perf_counter()
    for image_id in evidence.image_ids[:LITERAL_SAMPLE]:
        subject = evidence.subject(image_id)
        pictures = [evidence.read(image_id, m, v) for m in MEMBERS for v in VIEWS]
        blend = np.tensordot(weights, np.stack(pictures).astype(np.float64), axes=1)
        pred = np.clip(np.rint(blend), 0, 255).astype(np.uint8)
        literal_score(pred=pred, target=subject.target, lost_mask=subject.lost_mask)
    return (time.perf_counter() - start) / LITERAL_SAMPLE


def apart(work: Any, *arguments: Any) -> Any:
    """Run in a process of its own, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _ours_apart(evidence: StoredEvidence, options: argparse.Namespace, folder: Path) -> Outcome:
    ours(_few(evidence), trials=10, seed=0, sampler=options.sampler, folder=folder)
    return ours(evidence, trials=options.trials, seed=0, sampler=options.sampler, folder=folder)


def _few(evidence: StoredEvidence) -> StoredEvidence:
    """Enough to load or compile every kernel before the clock starts."""
    return StoredEvidence(evidence.folder, 4, evidence.stored, evidence.size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--exact-images", type=int, default=100)
    parser.add_argument("--samplers", action="store_true", help="compare the samplers, too")
    parser.add_argument("--scale", default="100,300,1000", help="numbers of photographs")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store(options.photos, folder, options.images, options.size)
        evidence = StoredEvidence(folder, options.images, options.images, options.size)
        report_speed(evidence, options, folder)
        report_scale(evidence, options, folder)
        report_samplers(evidence, options, folder)
        report_quality(evidence, options, folder)


def report_speed(evidence: StoredEvidence, options: argparse.Namespace, folder: Path) -> None:
    literal = literal_seconds(evidence)
    outcome = apart(_ours_apart, evidence, options, folder)
    whole = literal * options.images * options.trials
    say = Console(width=100).print
    say(
        f"{options.trials} trials, {options.images} photographs of {options.size} x "
        f"{options.size}, {len(MEMBERS)} members x {len(VIEWS)} views, sampler {options.sampler}"
    )
    say(
        f"literal loop: {1000 * literal:.0f} ms a photograph and trial (timed on {LITERAL_SAMPLE}, "
        f"one core), extrapolated to {whole:.0f} s"
    )
    for part, seconds in outcome.seconds.items():
        say(f"  ours, {part}: {seconds:.1f} s")
    say(
        f"ours, whole, 2 cores: {outcome.total:.1f} s: {whole / outcome.total:.0f} times the speed "
        "(due: 200)"
    )


def report_scale(evidence: StoredEvidence, options: argparse.Namespace, folder: Path) -> None:
    table = Table(title="Cost by photographs", title_justify="left")
    for column in ("photographs", "seconds", "ms a photograph", "peak MiB (due: 2048)"):
        table.add_column(column, justify="right")
    for count in map(int, filter(None, options.scale.split(","))):
        some = StoredEvidence(folder, count, evidence.stored, evidence.size)
        outcome = apart(_ours_apart, some, options, folder)
        each = 1000 * outcome.total / count
        table.add_row(f"{count}", f"{outcome.total:.1f}", f"{each:.1f}", f"{outcome.peak_mib:.0f}")
    say = Console(width=100).print
    if table.rows:
        say(table)
        say(f"More than {evidence.stored} photographs reuse their files, with holes of their own.")


def report_quality(evidence: StoredEvidence, options: argparse.Namespace, folder: Path) -> None:
    count = min(options.exact_images, options.images)
    if not count or not options.seeds:
        return
    some = StoredEvidence(folder, count, evidence.stored, evidence.size)
    table = Table(title=f"Exact score found on {count} photographs", title_justify="left")
    for column in ("seed", "fast", "every trial exact", "difference (due: >= -0.0005)"):
        table.add_column(column, justify="right")
    for seed in range(options.seeds):
        given = {"trials": options.trials, "seed": seed, "sampler": options.sampler}
        fast, exact = ours(some, folder=folder, **given).score, exact_search(some, **given)
        best = exact[0][1]
        table.add_row(f"{seed}", f"{fast:.5f}", f"{best:.5f}", f"{fast - best:+.5f}")
    say = Console(width=100).print
    say(table)
    objective = Objective(some, space(), some.image_ids, plan=Plan.for_photographs(count, seed=0))
    off = np.array([objective.value(one) for one, _ in exact]) - [value for _, value in exact]
    say(
        f"Estimates of these {len(off)} candidates, less their exact scores: mean "
        f"{off.mean():+.5f}, standard deviation {off.std():.5f}; Spearman correlation "
        f"{_spearman(off, exact):.4f}, among the best 40 {_spearman(off[:40], exact[:40]):.4f}."
    )


def _spearman(off: Any, exact: Any) -> float:
    values = np.array([value for _, value in exact])
    return float(spearmanr(values + off, values)[0])


def report_samplers(evidence: StoredEvidence, options: argparse.Namespace, folder: Path) -> None:
    if not options.samplers:
        return
    count = min(options.exact_images, options.images)
    some = StoredEvidence(folder, count, evidence.stored, evidence.size)
    table = Table(
        title=f"Exact score found in {options.trials} trials on {count} photographs",
        title_justify="left",
    )
    for column in ("sampler", "mean", "worst of the seeds", "seconds of trials"):
        table.add_column(column, justify="right")
    for name in SAMPLERS:
        runs = [
            ours(some, trials=options.trials, seed=seed, sampler=name, folder=folder)
            for seed in range(options.seeds)
        ]
        scores = [run.score for run in runs]
        seconds = np.mean([run.seconds["trials"] for run in runs])
        table.add_row(name, f"{np.mean(scores):.5f}", f"{min(scores):.5f}", f"{seconds:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
