"""`ens`: k-fold ensembles, test-time augmentation and submissions for DACON 236420.

The public names, each imported when it is first used:

    score, prepare_target, Score                the competition's score of uint8 pictures
    draw_damage, apply_damage                   holes, as the competition draws them
    locate_hole, fill_hole                      a hole found, and filled by classical inpainting
    compose_gray, compose_rgb, Composition      from blended predictions to the answer
    luma                                        PIL's convert("L"), exactly
    open_project, Project                       a workspace with its data, folds and members
    read_recipe, Recipe                         what `ens blend` tuned
    predict                                     any pictures, restored and colored
    EnsembleError                               the root of every error raised on purpose

Everything else is internal and may change in any version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ensemble.arrays import luma
    from ensemble.composition.compose import compose_gray, compose_rgb
    from ensemble.composition.recipe import Composition, Recipe
    from ensemble.damage.draw import apply_damage, draw_damage
    from ensemble.damage.fill import fill_hole
    from ensemble.damage.locate import locate_hole
    from ensemble.errors import EnsembleError
    from ensemble.metric.score import Score, score
    from ensemble.metric.score import prepare as prepare_target
    from ensemble.project import Project, open_project
    from ensemble.provenance import read_recipe
    from ensemble.submission.predict import predict

__version__ = "0.1.0"

__all__ = [
    "Composition",
    "EnsembleError",
    "Project",
    "Recipe",
    "Score",
    "__version__",
    "apply_damage",
    "compose_gray",
    "compose_rgb",
    "draw_damage",
    "fill_hole",
    "locate_hole",
    "luma",
    "open_project",
    "predict",
    "prepare_target",
    "read_recipe",
    "score",
]

_HOMES = {
    "Composition": "ensemble.composition.recipe:Composition",
    "EnsembleError": "ensemble.errors:EnsembleError",
    "Project": "ensemble.project:Project",
    "Recipe": "ensemble.composition.recipe:Recipe",
    "Score": "ensemble.metric.score:Score",
    "apply_damage": "ensemble.damage.draw:apply_damage",
    "compose_gray": "ensemble.composition.compose:compose_gray",
    "compose_rgb": "ensemble.composition.compose:compose_rgb",
    "draw_damage": "ensemble.damage.draw:draw_damage",
    "fill_hole": "ensemble.damage.fill:fill_hole",
    "locate_hole": "ensemble.damage.locate:locate_hole",
    "luma": "ensemble.arrays:luma",
    "open_project": "ensemble.project:open_project",
    "predict": "ensemble.submission.predict:predict",
    "prepare_target": "ensemble.metric.score:prepare",
    "read_recipe": "ensemble.provenance:read_recipe",
    "score": "ensemble.metric.score:score",
}
"""Where each public name is defined."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `ensemble` has no attribute `{name}`")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
