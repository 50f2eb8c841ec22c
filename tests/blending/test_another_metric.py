"""Another metric to tune for takes two files: PSNR is added to a copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CHANGES = {
    "metric/score.py": [
        ('{"ssim": 0.2, "masked_ssim": 0.4, "hue": 0.4}',
         '{"ssim": 0.2, "masked_ssim": 0.4, "hue": 0.4, "psnr": 0.02}'),
        ('{"restoration": ("ssim", "masked_ssim"), ',
         '{"restoration": ("ssim", "masked_ssim", "psnr"), '),
        ("    masked_ssim: float\n", "    masked_ssim: float\n    psnr: float\n"),
        ("-> tuple[float, float]:", "-> tuple[float, float, float]:"),
        ("        return whole, masked\n",
         "        error = np.square(pred.astype(np.float64) - self.planes).mean()\n"
         "        return whole, masked, 10 * math.log10(255**2 / max(error, 1e-9))\n"),
    ],
    "blending/statistics/moments.py": [
        ("        return whole, masked, self._estimate_hue(given, used)\n",
         "        psnr = self._estimate_psnr(given)\n"
         "        return whole, masked, self._estimate_hue(given, used), psnr\n"
         "\n"
         "    def _estimate_psnr(self, weights: NDArray[np.float32]) -> float:\n"
         "        terms, inner = len(weights), WINDOW * WINDOW\n"
         "        target, own, rounding = self.windows[:3]\n"
         "        means, cross, pairs = np.split(self.windows[3:], [terms, 2 * terms])\n"
         "        first, second = np.triu_indices(terms)\n"
         "        twice = np.where(first == second, 1, 2) * weights[first] * weights[second]\n"
         "        spread = own + twice @ pairs + rounding - 2 * weights @ cross\n"
         "        errors = np.square(target - weights @ means) + (inner - 1) / inner * spread\n"
         "        error = errors.reshape(-1, len(self.shares)).mean(axis=0) @ self.shares\n"
         "        return float(10 * np.log10(255**2 / max(float(error), 1e-9)))\n"),
    ],
}  # fmt: skip

BLEND = """
import json, sys
import numpy as np
from scipy.stats import spearmanr
from skimage.metrics import peak_signal_noise_ratio

import ensemble
from ensemble.blending.candidate import make_picture, score_exactly
from ensemble.blending.decide.ablation import ablate
from ensemble.blending.samplers import draw_params
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics.objective import Objective
from ensemble.blending.statistics.sampling import Plan
from ensemble.blending.summary import summarize
from ensemble.blending.tune import Settings, tune
from ensemble.composition.recipe import Composition
from ensemble.metric.score import TERMS
from ensemble.report.blend_tables import make_tables
from tests.blending.conftest import make_color_evidence, make_gray_evidence

assert ensemble.__file__.startswith(sys.argv[1]), ensemble.__file__
found = {}
for evidence in (make_gray_evidence(), make_color_evidence()):
    space = SearchSpace(views=evidence.views, fixed=Composition(hue="none"))
    ids, rng, psnr = evidence.image_ids, np.random.default_rng(0), TERMS.index("psnr")
    tuned = tune(evidence, space, ids, Settings(trials=20))
    summary = summarize(evidence, tuned, ablate(evidence, tuned.kept, ids))
    pictures = [
        make_picture(evidence.stage, evidence.subject(i), evidence.reader(i), tuned.kept)
        for i in ids
    ]
    due = [
        peak_signal_noise_ratio(evidence.subject(i).target, picture)
        for i, picture in zip(ids, pictures)
    ]
    objective = Objective(evidence, space, ids, plan=Plan())
    some = [space.decode(draw_params(space, rng)) for _ in range(20)]
    estimated = [objective.estimate(one, np.arange(len(ids)))[:, psnr].mean() for one in some]
    exact = score_exactly(evidence, some, ids)[..., psnr].mean(axis=1)
    found[evidence.stage] = {
        "error": float(np.abs(tuned.terms[tuned.kept_name][:, psnr] - due).max()),
        "rank": float(spearmanr(estimated, exact)[0]),
        "row": summary["rows"][0]["psnr"],
        "columns": list(next(make_tables(summary)).columns),
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with PSNR as a fourth term."""
    folder = tmp_path_factory.mktemp("patched")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ensemble", folder / "ensemble", ignore=ignored)
    for name, replacements in CHANGES.items():
        path = folder / "ensemble" / name
        text = path.read_text()
        for old, new in replacements:
            assert text.count(old) == 1, f"{name}: {old}"
            text = text.replace(old, new)
        path.write_text(text)
    return folder


def test_psnr_is_tuned_for_after_changes_to_two_files(patched):
    paths = os.pathsep.join([str(patched), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", BLEND, str(patched)],
        cwd=patched,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(CHANGES) <= 3
    found = json.loads(done.stdout)
    assert found.keys() == {"restoration", "colorization"}
    for stage in found.values():
        assert stage["error"] < 1e-9  # the reported PSNR is scikit-image's
        assert stage["rank"] > 0.97  # the trials rank candidates by it
        assert "psnr" in stage["columns"]
        assert stage["row"] > 10
