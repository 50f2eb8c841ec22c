"""What `ens blend` might find of one stage, as `scores.json` keeps it."""

from __future__ import annotations

import json
from typing import Any


def summary(stage: str) -> dict[str, Any]:
    """One member and the tuned blend, on two folds of five photographs each."""
    return {
        "stage": stage,
        "kept": "tuned <blend>",
        "photographs": 10,
        "groups": 7,
        "folds": [0, 1],
        "expected": {"score": 0.5432, "interval": [0.5, 0.6], "cross_fitted": True},
        "study": "none",
        "trials": {"done": 6, "wanted": 6},
        "rows": [_row("unet-b0", 0.4321), _row("tuned <blend>", 0.5678)],
        "cross_fitted": {"tuned <blend>": {**_terms(0.5432)}},
        "judged": [
            {
                "step": "the tuned <blend>",
                "against": "the plain mean",
                "cross_fitted": 0.0123,
                "standard_error": 0.0045,
                "sentence": f"{stage}: keep the tuned <blend> & send it",
            }
        ],
        "leave_one_out": [{"member": "unet-b0", **_terms(0.4), "worth": 0.1678}],
        "views": [],
        "notes": ["Only five photographs a fold."],
    }


def scores() -> str:
    """The whole of `scores.json`."""
    stages = {stage: summary(stage) for stage in ("restoration", "colorization")}
    return json.dumps({"version": 1, "recipe": "", "stages": stages})


def _terms(score: float) -> dict[str, float]:
    return {"ssim": score + 0.1, "masked_ssim": score - 0.1, "hue": score, "score": score}


def _row(name: str, score: float) -> dict[str, Any]:
    folds = {"0": _terms(score - 0.01), "1": _terms(score + 0.01)}
    return {"name": name, "forward_passes": 4, **_terms(score), "folds": folds}
