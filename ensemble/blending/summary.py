"""The exact scores behind a recipe as plain data: `scores.json`, for `ens report`."""

from __future__ import annotations

import numpy as np

from ensemble.blending.candidate import mean_terms
from ensemble.blending.decide.ablation import Ablation
from ensemble.blending.decide.cross_fit import Verdict, measure_gain
from ensemble.blending.decide.shortlist import PLAIN
from ensemble.blending.evidence import Evidence
from ensemble.blending.scores_file import Summary
from ensemble.blending.tune import Tuned
from ensemble.metric.score import weigh
from ensemble.vocabulary import Stage


def summarize(evidence: Evidence, tuned: Tuned, ablation: Ablation) -> Summary:
    """Collect all exact scores of one stage as JSON values, see `scores_file`."""
    stage = evidence.stage
    kept = mean_terms(stage, tuned.terms[tuned.kept_name])["score"]
    without = {member: mean_terms(stage, terms) for member, terms in ablation.without.items()}
    folds = np.array([evidence.folds[image_id] for image_id in tuned.image_ids])
    rows = [
        {
            "name": name,
            "forward_passes": tuned.rows[name].forward_passes,
            **mean_terms(stage, terms),
            "folds": {str(k): mean_terms(stage, terms[folds == k]) for k in np.unique(folds)},
        }
        for name, terms in tuned.terms.items()
    ]
    crossed = tuned.cross_fitted.items()
    return {
        "stage": stage,
        "kept": tuned.kept_name,
        "photographs": len(tuned.image_ids),
        "groups": len({evidence.groups[image_id] for image_id in tuned.image_ids}),
        "folds": [int(fold) for fold in np.unique(folds)],
        "expected": _expect(evidence, tuned),
        "study": tuned.study,
        "trials": {"done": tuned.found.done, "wanted": tuned.found.wanted},
        "rows": rows,
        "cross_fitted": {name: mean_terms(stage, terms) for name, terms in crossed},
        "judged": [_list_numbers(verdict) for verdict in tuned.verdicts],
        "leave_one_out": [
            {"member": member, **means, "worth": kept - means["score"]}
            for member, means in without.items()
        ],
        "views": _list_views(stage, ablation),
        "notes": list(tuned.notes),
    }


def _expect(evidence: Evidence, tuned: Tuned) -> Summary:
    """The kept blend's score on photographs it was not tuned on, as far as that is known."""
    crossed = tuned.cross_fitted.get(tuned.kept_name)
    terms = tuned.terms[tuned.kept_name] if crossed is None else crossed
    groups = [evidence.groups[image_id] for image_id in tuned.image_ids]
    mean = measure_gain(weigh(evidence.stage, terms), groups, seed=0)
    return {
        "score": mean.gain,
        "interval": [mean.low, mean.high],
        # Nothing of the plain mean was tuned.
        "cross_fitted": crossed is not None or tuned.kept_name == PLAIN,
    }


def _list_numbers(verdict: Verdict) -> Summary:
    gain = verdict.cross_fitted
    return {
        "step": verdict.name,
        "against": verdict.against,
        "in_sample": verdict.in_sample,
        "cross_fitted": gain.gain,
        "standard_error": gain.error if np.isfinite(gain.error) else None,
        "interval": [gain.low, gain.high],
        "groups": gain.groups,
        "kept": gain.significant,
        "sentence": verdict.sentence,
    }


def _list_views(stage: Stage, ablation: Ablation) -> list[Summary]:
    rows: list[Summary] = []
    for name, (passes, terms) in ablation.views.items():
        score = mean_terms(stage, terms)["score"]
        gain = score - rows[-1]["score"] if rows else 0.0
        rows.append({"views": name, "forward_passes": passes, "score": score, "gain": gain})
    return rows
