"""Which recipe is kept, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ensemble.blending.cross_fit import ERRORS_NEEDED, PairedGain, paired_gain
from ensemble.blending.exact import Terms
from ensemble.metric.score import weigh
from ensemble.vocabulary import Stage


@dataclass(frozen=True)
class Judged:
    """A step up from a simpler recipe, and what cross-fitting says of it.

    Attributes:
        name: What the step tunes.
        against: The simpler recipe it was compared to.
        in_sample: Its gain where it was tuned.
        cross_fitted: Its gain where it was not.
    """

    name: str
    against: str
    in_sample: float
    cross_fitted: PairedGain

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        found = self.cross_fitted
        verb = "Kept" if found.convincing else "Did not keep"
        sign = "exceeds" if found.convincing else "does not exceed"
        error = "unknown" if found.groups < 2 else f"{found.error:.4f}"
        return (
            f"{verb} {self.name}: tuned on some groups and scored on the others, it gains "
            f"{found.gain:+.4f} over {self.against} (standard error {error}, 95 % interval "
            f"{found.low:+.4f} to {found.high:+.4f} over {found.groups} groups; in sample "
            f"{self.in_sample:+.4f}), which {sign} {ERRORS_NEEDED:g} standard errors."
        )


def climb(
    stage: Stage,
    terms: Mapping[str, Terms],
    crossed: Mapping[str, Terms],
    *,
    groups: Sequence[str],
    plain: str,
    seed: int,
) -> tuple[str, tuple[Judged, ...]]:
    """Climb from the simplest recipe, as long as each step is convincing.

    Args:
        stage: Whose score.
        terms: Exact terms (N, T), in sample, of the plain recipe and of each step.
        crossed: Cross-fitted terms (N, T) of each step, simplest first.
        groups: The group of each of the N photographs.
        plain: The simplest recipe's name.
        seed: Seed of the bootstrap.

    Returns:
        The name of the recipe to keep, and the verdict on each step.
    """
    kept, baseline, judged = plain, weigh(stage, terms[plain]), []
    for step, cross in crossed.items():
        outside = weigh(stage, cross)
        inside = float((weigh(stage, terms[step]) - weigh(stage, terms[kept])).mean())
        gain = paired_gain(outside - baseline, groups, seed=seed)
        judged.append(Judged(f"the {step}", f"the {kept}", inside, gain))
        if gain.convincing:
            kept, baseline = step, outside
    return kept, tuple(judged)
