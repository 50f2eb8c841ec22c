"""What `ens blend` might find of one stage, as `scores.json` keeps it."""

from __future__ import annotations

from typing import Any


def summary(stage: str) -> dict[str, Any]:
    """One member and the tuned blend, on two folds of five photographs each."""
    return {
        "stage": stage,
        "kept": "tuned <blend>",
        "photographs": 10,
        "groups": 7,
        "folds": [0, 1],
        "trials": {"done": 6, "wanted": 6},
        "rows": [_row("unet-b0", 0.4321), _row("tuned <blend>", 0.5678)],
        "cross_fitted": {"tuned <blend>": {**_terms(0.5432)}},
        "judged": [{"sentence": f"{stage}: keep the tuned <blend> & send it"}],
        "leave_one_out": [{"member": "unet-b0", **_terms(0.4), "worth": 0.1678}],
        "views": [],
        "notes": ["Only five photographs a fold."],
    }


def _terms(score: float) -> dict[str, float]:
    return {"ssim": score + 0.1, "masked_ssim": score - 0.1, "hue": score, "score": score}


def _row(name: str, score: float) -> dict[str, Any]:
    folds = {"0": _terms(score - 0.01), "1": _terms(score + 0.01)}
    return {"name": name, "forward_passes": 4, **_terms(score), "folds": folds}
