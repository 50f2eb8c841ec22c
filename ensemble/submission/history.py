"""Submissions one after another: what was expected of each, and what the board gave it.

A public score is noted for the zip's content, so it stays true when the zip is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from ensemble.blending.scores_file import read_scores
from ensemble.composition.recipe import Recipe
from ensemble.errors import (
    DataError,
    EnsembleError,
    MissingArtefactError,
    MissingFileError,
    StaleArtefactError,
)
from ensemble.files import atomic_write, exclusive_lock
from ensemble.manifest import digest_file, read_manifest, tell_other_file
from ensemble.provenance import recipe_digest
from ensemble.reading import read_json
from ensemble.vocabulary import FULL
from ensemble.workspace import Workspace

LEAST_TO_CORRELATE = 3


@dataclass(frozen=True)
class Sent:
    """One submission."""

    name: str  # the zip's name, without its ending
    zip: str  # SHA-256 of its content
    # when it was made, ISO 8601 with the offset from UTC; empty if that is not known
    made: str = ""
    # the score of its recipe, cross-fitted where it was tuned; None if not known
    expected: float | None = None
    note: str = ""  # why what was sent is not what was scored; empty where it is
    public: float | None = None  # its score on the board; None where none is noted
    replaced: bool = False  # whether another zip has its name now

    @property
    def made_at(self) -> str:
        """The day and the minute."""
        return self.made[:16].replace("T", " ")

    @property
    def difference(self) -> float | None:
        """Public less expected score, where both are known."""
        if self.public is None or self.expected is None:
            return None
        return self.public - self.expected


class Agreement(NamedTuple):
    """Public less expected score over the submissions that have both: mean, least and greatest.

    Pearson's correlation is None for fewer than 3, or where one of the two never changes.
    """

    submissions: int
    difference: float
    lowest: float
    highest: float
    correlation: float | None


def read_expected(workspace: Workspace, recipe: Recipe) -> float | None:
    """The score that `ens blend` found for the pictures of a recipe, on photographs not tuned on.

    Returns:
        The cross-fitted score where the recipe was tuned; that of the plain mean, of which nothing
        was tuned, as it is. None where the scores are not of this recipe: it was edited by hand.
    """
    try:
        scores = read_scores(workspace.table_file)
    except EnsembleError:
        return None
    same = scores["recipe"] == recipe_digest(recipe)
    return scores["stages"]["colorization"]["expected"]["score"] if same else None


def read_history(workspace: Workspace) -> list[Sent]:
    """The submissions that are there, and those replaced since their public score was noted.

    Raises:
        StaleArtefactError: The file of public scores cannot be read.
    """
    noted = {one.zip: one for one in _read_noted(workspace)}
    found: dict[str, Sent] = {}
    for path in sorted(workspace.submissions.glob("*.zip")):
        one = _read_sent(workspace, path.stem)
        if one is not None:
            public = noted[one.zip].public if one.zip in noted else None
            found[one.zip] = replace(one, public=public)
    gone = [replace(one, replaced=True) for digest, one in noted.items() if digest not in found]
    return sorted([*found.values(), *gone], key=lambda one: (one.made, one.name))


def note_public(workspace: Workspace, name: str, public: float) -> Sent:
    """Note the score that the board gave a submission; a later note replaces an earlier one.

    Raises:
        MissingArtefactError: There is no submission of that name.
        StaleArtefactError: Its manifest is of another zip.
    """
    path = workspace.submission_file(name)
    if not path.exists():
        raise MissingArtefactError(f"`{path}` is not there; build it with `ens submit`")
    one = _read_sent(workspace, name)
    if one is None or digest_file(path) != one.zip:
        told = tell_other_file(path, path.with_suffix(".json"))
        raise StaleArtefactError(f"{told}; build it again with `ens submit --name {name} --force`")
    one = replace(one, public=public)
    with exclusive_lock(workspace.public_file, what="noting a public score", wait=True):
        others = [other for other in _read_noted(workspace) if other.zip != one.zip]
        content = [asdict(entry) for entry in (*others, one)]
        atomic_write(workspace.public_file, json.dumps(content, indent=2) + "\n")
    return one


def measure_agreement(history: Sequence[Sent]) -> Agreement | None:
    """Compare expected and public scores; None where no submission has both."""
    pairs = [(one.expected, one.public) for one in history if one.difference is not None]
    if not pairs:
        return None
    expected, public = np.array(pairs).T
    differences, varied = public - expected, bool(np.ptp(expected) > 0 and np.ptp(public) > 0)
    enough = len(pairs) >= LEAST_TO_CORRELATE and varied
    correlation = float(np.corrcoef(expected, public)[0, 1]) if enough else None
    lowest, highest = float(differences.min()), float(differences.max())
    return Agreement(len(pairs), float(differences.mean()), lowest, highest, correlation)


def describe_agreement(found: Agreement) -> str:
    """The same as a sentence."""
    if found.submissions == 1:
        return f"public less expected: {found.difference:+.4f}, of one submission"
    text = (
        f"public less expected: {found.difference:+.4f} on average of {found.submissions} "
        f"submissions, from {found.lowest:+.4f} to {found.highest:+.4f}"
    )
    if found.correlation is not None:
        return f"{text}; correlation {found.correlation:.2f}"
    if found.submissions < LEAST_TO_CORRELATE:
        return f"{text}; a correlation needs {LEAST_TO_CORRELATE}"
    return f"{text}; no correlation, as one of the two never changes"


def _read_sent(workspace: Workspace, name: str) -> Sent | None:
    """What a submission's manifest says; None where there is none."""
    path = workspace.submission_file(name).with_suffix(".json")
    try:
        manifest = read_manifest(path, "submission")
    except EnsembleError:
        return None
    facts = manifest.facts
    made = datetime.fromtimestamp(path.stat().st_mtime).astimezone().isoformat(timespec="seconds")
    return Sent(
        name,
        str(facts.get("zip", "")),
        made=made,
        expected=facts.get("expected"),
        note="mixed" if "mixed" in facts else FULL if facts.get(FULL) else "",
    )


def _read_noted(workspace: Workspace) -> list[Sent]:
    path = workspace.public_file
    try:
        return read_json(path, list[Sent])
    except MissingFileError:
        return []
    except DataError as error:
        raise StaleArtefactError(
            f"`{path}` must hold the public scores that `ens history` noted, but does not "
            f"({error}); restore it, or move it away"
        ) from None
