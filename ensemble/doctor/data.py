"""The data: whether it is what the competition gives, on a sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.data.competition import Competition, check_damage, measure_damage
from ensemble.data.photographs import Photographs
from ensemble.doctor import Finding
from ensemble.errors import DataError, SubmissionError
from ensemble.parallel import Progress, map_with_bar, seed_of
from ensemble.report.holes import GOOD_IOU, find_hole, judge_hole
from ensemble.submission.zip import check_sample

_LEAST_GOOD = 0.95
_MOST_DOUBTFUL = 0.1


def check_data(
    competition: Competition, *, sample: int, seed: int, progress: Progress
) -> Iterator[Finding]:
    """Decode some photographs of each kind, drawn by `seed`, and locate their holes."""
    train = _draw(competition.train_ids, sample, seed)
    tests = competition.test_ids if competition.has_test else ()
    test = _draw(tests, sample, seed)
    height, width = competition.size
    damage = ", damage simulated (there is no train_input/)" if competition.simulated else ""
    counts = f"{len(competition.train_ids)} to train on, {len(tests)} to test"
    yield Finding("ok", "photographs", f"{counts}, {width} x {height} px{damage}")
    yield from _check_train(competition, train, progress)
    if test:
        yield from _check_test(competition, test, progress)
        yield from _check_names(competition)
    else:
        yield Finding("warning", "test", f"no test photographs in `{competition.folder}`")


def check_copies(photographs: Photographs, progress: Progress) -> Finding:
    """Whether test photographs show the scene of a training photograph, once these were read."""
    from ensemble.folds.describe import describe, without_color
    from ensemble.folds.match import find_pairs

    competition = photographs.competition
    if not photographs.is_read or not competition.has_test:
        text = "nothing to compare yet; run `ens folds`, then this again"
        return Finding("ok", "copies", text)

    def describe_test(image_id: str) -> NDArray[np.uint8]:
        gray = competition.test_input(image_id)
        return describe(np.repeat(gray[..., None], 3, axis=-1), gray)

    test = competition.test_ids
    what = "comparing test photographs"
    vectors = map_with_bar(describe_test, test, what=what, progress=progress)
    pairs = find_pairs(
        image_ids=(*competition.train_ids, *test),
        vectors=np.concatenate([without_color(photographs.describe().vector), vectors]),
    ).of_one_scene()
    found: dict[str, str] = {}
    for row, other in zip(pairs.first, pairs.second, strict=True):
        names = sorted([pairs.image_ids[row], pairs.image_ids[other]], key=competition.is_test)
        if [competition.is_test(name) for name in names] == [False, True]:
            found.setdefault(names[1], names[0])
    if not found:
        text = f"none of {len(test)} test photographs shows the scene of a training photograph"
        return Finding("ok", "copies", text)
    name = min(found)
    return Finding(
        "warning",
        "copies",
        f"{len(found)} of {len(test)} test photographs show the scene of a training photograph, "
        f"`{name}` that of `{found[name]}`: networks have seen them, so the score of the board may "
        "exceed the one out of fold",
    )


def _draw(image_ids: Sequence[str], count: int, seed: int) -> list[str]:
    return sorted(sorted(image_ids, key=lambda i: seed_of(seed, i))[:count])


def _check_train(
    competition: Competition, image_ids: Sequence[str], progress: Progress
) -> Iterator[Finding]:
    def look(image_id: str) -> tuple[str, float]:
        """The fault of a photograph, or nothing, and how well its hole is located."""
        try:
            sample = competition.train_sample(image_id)
            measured = measure_damage(sample)
            told = check_damage(image_id, *measured, pixels=sample.damaged.size) or ""
        except DataError as error:
            return str(error), 0.0
        return told, judge_hole(sample).iou or 0.0

    found = map_with_bar(look, image_ids, what="training photographs", progress=progress)
    faults = [fault for fault, _ in found if fault]
    if faults:
        yield Finding(
            "wrong" if any(not overlap for fault, overlap in found if fault) else "warning",
            "damage",
            f"{len(faults)} of {len(found)} are not as due, the first: {faults[0]}",
        )
    else:
        text = f"{len(found)} looked at: the exact gray with one flat hole each"
        yield Finding("ok", "damage", text)
    good = float(np.mean([overlap >= GOOD_IOU for _, overlap in found]))
    text = f"{good:.1%} of these holes are located with an IoU of {GOOD_IOU} or more"
    if good >= _LEAST_GOOD:
        yield Finding("ok", "located", text)
    else:
        look_at = "look at them with `ens damage --split train`"
        yield Finding("warning", "located", f"{text}; {look_at}")


def _check_test(
    competition: Competition, image_ids: Sequence[str], progress: Progress
) -> Iterator[Finding]:
    def look(image_id: str) -> tuple[str, bool]:
        try:
            return "", find_hole(competition, image_id).doubtful
        except DataError as error:
            return str(error), False

    found = map_with_bar(look, image_ids, what="test photographs", progress=progress)
    faults = [fault for fault, _ in found if fault]
    if faults:
        yield Finding("wrong", "test", f"{len(faults)} unreadable, the first: {faults[0]}")
    doubtful = sum(doubt for _, doubt in found)
    text = f"{doubtful} of {len(found)} holes are doubtful; `ens damage` draws them"
    yield Finding("warning" if doubtful > _MOST_DOUBTFUL * len(found) else "ok", "test", text)


def _check_names(competition: Competition) -> Iterator[Finding]:
    due = competition.sample_submission_names()
    if due is None:
        return
    try:
        check_sample(competition.test_names, due)
    except SubmissionError as error:
        yield Finding("wrong", "submission", str(error))
    else:
        yield Finding("ok", "submission", "the names in sample_submission.zip are the test's")
