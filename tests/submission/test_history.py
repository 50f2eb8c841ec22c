from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ensemble.blending.scores_file import to_json
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.errors import MissingArtefactError, StaleArtefactError
from ensemble.files import atomic_write
from ensemble.manifest import digest_file, write_manifest
from ensemble.provenance import recipe_digest
from ensemble.submission.history import (
    Agreement,
    Sent,
    describe_agreement,
    measure_agreement,
    note_public,
    read_expected,
    read_history,
)
from ensemble.vocabulary import STAGES
from ensemble.workspace import Workspace
from tests.reference.summary import summary

RECIPE = Recipe(
    restoration=StageRecipe.single("telea"),
    colorization=StageRecipe.single("gray"),
    composition=Composition(),
    folds=(0,),
    made_from={},
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def send(workspace: Workspace, name: str, content: bytes, **facts: object) -> None:
    path = workspace.submission_file(name)
    atomic_write(path, content)
    found = {"zip": digest_file(path), "expected": 0.5, **facts}
    write_manifest(path.with_suffix(".json"), kind="submission", made_from={}, seed=0, facts=found)


def test_a_public_score_is_of_the_zip_that_was_sent(workspace: Workspace) -> None:
    send(workspace, "s", b"one")
    send(workspace, "t", b"two", expected=None, full=True)
    assert note_public(workspace, "s", 0.61).public == 0.61
    note_public(workspace, "s", 0.62)
    found = {one.name: one for one in read_history(workspace)}
    assert (found["s"].expected, found["s"].public, found["s"].note) == (0.5, 0.62, "")
    assert (found["t"].expected, found["t"].public, found["t"].note) == (None, None, "full")
    send(workspace, "s", b"other", expected=0.7)
    both = [one for one in read_history(workspace) if one.name == "s"]
    assert {(one.expected, one.public, one.replaced) for one in both} == {
        (0.5, 0.62, True),
        (0.7, None, False),
    }


def test_what_is_not_there_or_was_changed_has_no_public_score(workspace: Workspace) -> None:
    with pytest.raises(MissingArtefactError, match=r"gone\.zip` is not there; .*`ens submit`"):
        note_public(workspace, "gone", 0.5)
    send(workspace, "s", b"one")
    workspace.submission_file("s").write_bytes(b"changed")
    with pytest.raises(StaleArtefactError, match="ens submit --name s --force"):
        note_public(workspace, "s", 0.5)
    assert not workspace.public_file.exists()


def test_damaged_notes_are_refused(workspace: Workspace) -> None:
    workspace.public_file.write_text("[3]")
    with pytest.raises(StaleArtefactError, match=r"public-scores\.json` must hold"):
        read_history(workspace)


def test_the_expected_score_is_that_of_the_very_recipe(workspace: Workspace) -> None:
    assert read_expected(workspace, RECIPE) is None
    stages = {stage: summary(stage) for stage in STAGES}
    stages["colorization"]["expected"]["score"] = 0.52
    atomic_write(workspace.table_file, to_json(stages, recipe=recipe_digest(RECIPE)))
    assert read_expected(workspace, RECIPE) == 0.52
    edited = RECIPE.model_copy(update={"composition": Composition(hue="none")})
    assert read_expected(workspace, edited) is None


def sent(expected: float | None, public: float | None) -> Sent:
    return Sent("s", "", expected=expected, public=public)


def test_agreement_counts_submissions_that_have_both() -> None:
    assert measure_agreement([sent(0.5, None), sent(None, 0.5)]) is None
    pairs = [(0.50, 0.49), (0.52, 0.53), (0.55, 0.54)]
    history = [sent(None, 0.9), *(sent(*pair) for pair in pairs)]
    found = measure_agreement(history)
    assert found is not None
    assert found.submissions == 3
    assert found.difference == pytest.approx(-0.01 / 3)
    assert (found.lowest, found.highest) == (pytest.approx(-0.01), pytest.approx(0.01))
    centered = np.array(pairs) - np.mean(pairs, axis=0)
    expected = centered.prod(axis=1).sum() / np.sqrt((centered**2).sum(axis=0).prod())
    assert found.correlation == pytest.approx(expected)
    assert measure_agreement(history[:3]).correlation is None
    assert measure_agreement([sent(0.5, x) for x in (0.4, 0.5, 0.6)]).correlation is None


def test_agreement_in_words() -> None:
    one = describe_agreement(Agreement(1, -0.003, -0.003, -0.003, None))
    assert one == "public less expected: -0.0030, of one submission"
    assert "a correlation needs 3" in describe_agreement(Agreement(2, 0, -0.1, 0.1, None))
    assert "never changes" in describe_agreement(Agreement(3, 0, -0.1, 0.1, None))
    assert describe_agreement(Agreement(3, 0.01, -0.1, 0.1, 0.876)).endswith("correlation 0.88")
