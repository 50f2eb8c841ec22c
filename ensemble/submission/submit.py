"""A submission, whole: predicted, scored where the truth is known, verified, and only then written.

An earlier zip stays until the new one has passed every check.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ensemble.arrays import Rgb, luma
from ensemble.composition.luma import lock_luma, quantize
from ensemble.composition.recipe import Recipe
from ensemble.data.competition import Competition
from ensemble.data.layout import TEST_TARGET
from ensemble.data.pairs import PngSource
from ensemble.data.png import decode_rgb, read_rgb, same_size
from ensemble.errors import EnsembleError, SubmissionError
from ensemble.files import atomic_path, exclusive_lock
from ensemble.manifest import digest_file, read_manifest, write_manifest
from ensemble.metric.score import Score, mean_of, score
from ensemble.oof.priors import read_recipe_priors
from ensemble.parallel import Advance
from ensemble.project import Project
from ensemble.provenance import submission_digests
from ensemble.submission.chain import TestAnswer, predict_test
from ensemble.submission.history import read_expected
from ensemble.submission.zip import build_zip, check_sample, verify_zip
from ensemble.vocabulary import FULL

FULL_NOTE = (
    "networks trained on all photographs are averaged in with the weight of one fold: what is sent "
    "is not what was scored out of fold"
)

MIX_NOTE = (
    "pictures of `{zip}` are averaged in with the weight {weight:g}: nothing is known of how they "
    "score, so nothing is known of how this zip scores"
)


@dataclass(frozen=True)
class Mix:
    """Another submission that is averaged into this one by hand; its weight is a share, 0..1."""

    zip_file: Path
    weight: float

    @property
    def note(self) -> str:
        """What is to be said of the submission."""
        return MIX_NOTE.format(zip=self.zip_file, weight=self.weight)

    def facts(self) -> dict[str, Any]:
        """What the manifest says of it."""
        zip_digest = digest_file(self.zip_file)
        mixed = {"file": str(self.zip_file), "zip": zip_digest, "weight": self.weight}
        return {"mixed": mixed, "note": self.note}

    def apply(self, answer: TestAnswer, other: Rgb) -> TestAnswer:
        """Average another picture (H, W, 3) uint8 in; the known grays stay exact."""
        mean = (1 - self.weight) * answer.picture.astype(np.float32) + self.weight * other
        gray = np.where(answer.gray == answer.damaged, answer.gray, luma(quantize(mean)))
        return replace(answer, gray=gray, picture=lock_luma(rgb=mean, gray=gray))


class Submission(NamedTuple):
    """What `submit` made: a zip, its manifest and contact sheet beside it, and every picture in it.

    Where `ens demo` kept the test targets apart, these by image id, and the mean score and terms.
    """

    zip_file: Path
    answers: list[TestAnswer]
    targets: dict[str, Rgb]
    score: dict[str, float] | None


def submit(
    project: Project,
    recipe: Recipe,
    *,
    name: str,
    force: bool,
    full: bool = False,
    mix: Mix | None = None,
    advance: Advance,
) -> Submission:
    """Predict the test photographs and build the zip, whose name has no ending.

    The recipe is what `read_recipe` gave for the project, and not validated again. If `full`, the
    networks of all photographs are averaged in, as those of one more fold. `advance` is called fold
    by fold.

    Raises:
        DataError: The other submission, to be mixed in, is not of these photographs.
        MissingArtefactError: A checkpoint, or the hue priors, are missing.
        StaleArtefactError: One of them was made from something else.
        SubmissionError: The zip is there already and not forced, or would be refused.
    """
    path = project.workspace.submission_file(name)
    check_free(path, force=force)
    competition = project.competition
    check_sample(competition.test_names, competition.sample_submission_names())
    priors, targets = read_recipe_priors(project, recipe), _targets(project)
    others = {} if mix is None else _read_others(mix, competition)
    made_from = submission_digests(project, recipe, full=full)
    with exclusive_lock(path, what=f"building `{path}`"):
        answers = predict_test(project, recipe, priors, full=full, advance=advance)
        if mix is not None:
            answers = [mix.apply(answer, others[answer.image_id]) for answer in answers]
        scores = [_score(answer, targets[answer.image_id]) for answer in answers if targets]
        mean = mean_of(scores) if scores else None
        names = dict(zip(competition.test_ids, competition.test_names, strict=True))
        with atomic_path(path) as temporary:
            build_zip(temporary, ((names[a.image_id], a.picture) for a in answers))
            verify_zip(
                temporary,
                names=competition.test_names,
                size=competition.size,
                called=path,
            )
            write_manifest(
                path.with_suffix(".json"),
                kind="submission",
                made_from=made_from,
                seed=project.config.seed,
                facts={
                    "zip": digest_file(temporary),
                    "pictures": len(answers),
                    "folds": list(recipe.folds),
                    **({FULL: True, "note": FULL_NOTE} if full else {}),
                    **(mix.facts() if mix else {}),
                    "expected": None if mix else read_expected(project.workspace, recipe),
                    "recipe": json.loads(recipe.to_json()),
                    "score": mean,
                },
            )
    return Submission(path, answers, targets, mean)


def _read_others(mix: Mix, competition: Competition) -> dict[str, Rgb]:
    """The other submission's pictures by image id, each of the right size."""
    verify_zip(
        mix.zip_file,
        names=competition.test_names,
        size=competition.size,
        remedy="ask for a zip that can be submitted as it is",
    )
    source = PngSource(mix.zip_file)
    return {
        image_id: decode_rgb(source.read(name), name=f"{mix.zip_file}/{name}")
        for image_id, name in zip(competition.test_ids, competition.test_names, strict=True)
    }


def check_free(zip_file: Path, *, force: bool) -> None:
    """Refuse to replace a submission unless forced, and files that `submit` did not write.

    Raises:
        SubmissionError: One of the three is there and may not be replaced.
    """
    manifest_file, sheet = zip_file.with_suffix(".json"), zip_file.with_suffix(".png")
    taken = [path for path in (zip_file, manifest_file, sheet) if path.exists()]
    if taken and not force:
        raise SubmissionError(
            f"a submission is never overwritten unasked, but `{taken[0]}` is there; "
            "give another --name, or --force"
        )
    foreign = [path for path in taken if path != zip_file]
    if foreign and not _is_submission(manifest_file):
        raise SubmissionError(
            f"--force replaces what `ens submit` wrote, but `{foreign[0]}` is something else; "
            "move it away, or give another --name"
        )


def _is_submission(manifest_file: Path) -> bool:
    try:
        read_manifest(manifest_file, "submission")
    except EnsembleError:
        return False
    return True


def _targets(project: Project) -> dict[str, Rgb]:
    folder = project.workspace.data / TEST_TARGET
    if not folder.is_dir():
        return {}
    competition, check = project.competition, same_size(project.competition.size)
    named = zip(competition.test_ids, competition.test_names, strict=True)
    return {image_id: read_rgb(folder / name, check_size=check) for image_id, name in named}


def _score(answer: TestAnswer, target: Rgb) -> Score:
    lost_mask = answer.damaged != luma(target)
    return score(pred=answer.picture, target=target, lost_mask=lost_mask, name=answer.image_id)
