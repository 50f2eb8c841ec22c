from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from ensemble.blending.decide.ablation import ablate
from ensemble.blending.evidence import Subject
from ensemble.blending.scores_file import to_json
from ensemble.blending.space import SearchSpace
from ensemble.blending.summary import summarize
from ensemble.blending.tune import Settings, tune
from ensemble.composition.recipe import SLIDES
from ensemble.metric.score import weigh
from ensemble.report.blend_tables import list_sentences, make_tables
from ensemble.report.tables import show_table
from tests.reference.evidence import ArrayEvidence


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    subjects, predictions, ids = {}, {}, [f"P{i}" for i in range(6)]
    mask = np.zeros((24, 24), dtype=bool)
    mask[5:15, 5:15] = True
    for image_id in ids:
        target = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        subjects[image_id] = Subject(image_id, target, mask, mask, target[..., 1])
        for member, strength in (("a", 0.45), ("b", 0.4)):
            noise = rng.integers(0, 256, target.shape)
            mixed = (1 - strength) * target + strength * noise
            predictions[image_id, member, "identity"] = mixed.astype(np.uint8)
    evidence = ArrayEvidence(
        stage="colorization",
        views=dict.fromkeys("ab", ("identity",)),
        subjects=subjects,
        predictions=predictions,
        folds={image_id: i % 2 for i, image_id in enumerate(ids)},
        groups={image_id: image_id for image_id in ids},
    )
    space = SearchSpace(views=evidence.views, fixed=SLIDES)
    tuned = tune(evidence, space, ids, Settings(trials=8))
    ablation = ablate(evidence, tuned.kept, ids)
    return evidence, tuned, ablation, summarize(evidence, tuned, ablation)


def test_the_summary_is_json_of_what_was_found(found):
    evidence, tuned, _, summary = found
    assert (
        json.loads(to_json({"colorization": summary}, recipe=""))["stages"]["colorization"]
        == summary
    )
    assert [row["name"] for row in summary["rows"]] == list(tuned.terms)
    for row in summary["rows"]:
        terms = tuned.terms[row["name"]]
        assert row["score"] == pytest.approx(weigh(evidence.stage, terms).mean())
        assert row["hue"] == pytest.approx(terms[:, 2].mean())
        assert row["folds"]["1"]["ssim"] == pytest.approx(terms[1::2, 0].mean())
    assert summary["folds"] == [0, 1]


def test_leaving_out_a_member_gives_its_loss(found):
    evidence, tuned, ablation, summary = found
    kept = weigh(evidence.stage, tuned.terms[tuned.kept_name]).mean()
    for row in summary["leave_one_out"]:
        without = weigh(evidence.stage, ablation.without[row["member"]]).mean()
        assert row["worth"] == pytest.approx(kept - without)


def test_restoration_has_no_hue(found):
    evidence, tuned, ablation, _ = found
    gray = replace(evidence, stage="restoration")
    summary = summarize(gray, tuned, ablation)
    assert "hue" not in summary["rows"][0]
    assert summary["rows"][0]["score"] == pytest.approx(
        (summary["rows"][0]["ssim"] + 2 * summary["rows"][0]["masked_ssim"]) / 3
    )


def test_the_tables_show_every_row_and_the_verdict(found):
    summary = found[3]
    console = Console(width=120, record=True, file=io.StringIO())
    for table in make_tables(summary):
        show_table(console, table)
    text = console.export_text()
    for row in summary["rows"]:
        assert f"{row['score']:.4f}" in text
    for words in ("(kept)", "score by fold", "without each member", "cross-fitted"):
        assert words in text
    assert list_sentences(summary)[0].count("the tuned blend: tuned on some groups") == 1


def test_members_with_a_table_of_their_own_are_left_out(found):
    summary = found[3]
    scores = next(make_tables(summary, without=("a", "b")))
    names = [row.cells[0].text for row in scores.rows]
    assert names == [row["name"] for row in summary["rows"] if row["name"] not in "ab"]
    captions = [table.caption for table in make_tables(summary, without=("a", "b"))]
    assert "colorization: the kept blend without each member" not in captions
