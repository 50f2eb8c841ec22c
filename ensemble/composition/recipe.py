"""The decisions of `ens blend`, frozen: weights, views, and the options of composition."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ensemble.errors import StaleArtefactError, unknown_name
from ensemble.reading import explain
from ensemble.vocabulary import VIEWS, View

ChromaMode = Literal["mean", "median", "preserving"]
Decode = Literal["mean", "minimum-risk"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StageRecipe(_Frozen):
    """How one stage's members are blended.

    Attributes:
        weights: Weight of each member that takes part; positive, with sum 1.
        views: The flips that each of these members averages, equally weighted.
        decode: Which picture the predictions give, in restoration: their `mean`, or the one of
            `minimum-risk`, which has the greatest expected masked SSIM to them.
    """

    weights: dict[str, float]
    views: dict[str, tuple[View, ...]]
    decode: Decode = "mean"

    @field_validator("weights")
    @classmethod
    def _check_weights(cls, weights: dict[str, float]) -> dict[str, float]:
        if not weights or min(weights.values()) <= 0 or not math.isclose(sum(weights.values()), 1):
            raise ValueError(f"weights must be positive and sum to 1, but got {weights}")
        return weights

    @field_validator("views")
    @classmethod
    def _check_views(cls, views: dict[str, tuple[View, ...]]) -> dict[str, tuple[View, ...]]:
        for member, names in views.items():
            if not names or len(set(names)) != len(names):
                raise ValueError(f"`{member}` must have distinct views, but got {names}")
        return views

    @model_validator(mode="after")
    def _check_members(self) -> StageRecipe:
        if self.weights.keys() != self.views.keys():
            odd = min(self.weights.keys() ^ self.views.keys())
            raise ValueError(f"`{odd}` must have both a weight and views")
        return self

    def terms(self) -> list[tuple[str, View, float]]:
        """Every (member, view, weight) of the blend, weights of sum 1, in a fixed order.

        >>> StageRecipe.plain_mean(["a", "b"], views=("identity",)).terms()
        [('a', 'identity', 0.5), ('b', 'identity', 0.5)]
        """
        return [
            (member, view, weight / len(self.views[member]))
            for member, weight in sorted(self.weights.items())
            for view in VIEWS
            if view in self.views[member]
        ]

    @classmethod
    def plain_mean(cls, members: list[str], views: tuple[View, ...] = VIEWS) -> StageRecipe:
        """Equal weights over members, and the same views for each."""
        return cls.mean_of(dict.fromkeys(members, views))

    @classmethod
    def mean_of(cls, views: Mapping[str, tuple[View, ...]]) -> StageRecipe:
        """Equal weights over members, each with its own views."""
        return cls(weights={member: 1 / len(views) for member in views}, views=dict(views))

    @classmethod
    def single(cls, member: str, views: tuple[View, ...] = ("identity",)) -> StageRecipe:
        """One member alone."""
        return cls(weights={member: 1.0}, views={member: views})


class Composition(_Frozen):
    """The options of composition; the defaults measure best, see docs/composition.md.

    Attributes:
        paste_back: Outside the located hole the restored gray is the input, exactly.
        luma_lock: The answer's `convert("L")` equals the restored gray at every pixel.
        chroma: How the members' chroma is blended: `mean`, `median`, or `preserving` (the mean's
            hue with the members' mean strength).
        hue: Whether the blend's hues are moved to the wanted histogram: `none`, `score` (colors
            fade the more, the further they are moved), or `natural` (they keep their chroma if
            moved by at most 60 degrees, and fade beyond that).
        prior_weight: Share of the prior in the wanted histogram, 0..1. The prior is predicted from
            the gray by ridge regression (`HuePrior`); the rest is the mean of the members'.
        data_range: Whether two pixels are recolored, at their luma, so that the picture spans
            0..255 (`full`): the score's SSIM takes its constants from the answer's own range.
    """

    paste_back: bool = True
    luma_lock: bool = True
    chroma: ChromaMode = "mean"
    hue: Literal["none", "score", "natural"] = "score"
    prior_weight: float = Field(default=0.7, ge=0.0, le=1.0)
    data_range: Literal["as-is", "full"] = "full"

    @field_validator("chroma", "hue", "data_range", mode="before")
    @classmethod
    def _check_choice(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        valid = get_args(cls.model_fields[name].annotation)
        if value not in valid:
            raise ValueError(unknown_name(f"value of `{name}`", str(value), valid))
        return value


SLIDES = Composition(
    paste_back=False, luma_lock=False, hue="none", prior_weight=0, data_range="as-is"
)
"""The composition of the competition's slides: the mean of the members' pictures, as it is."""


class Recipe(_Frozen):
    """The settings of `ens submit`, and the digests of all they were tuned on.

    Attributes:
        restoration: Blend of stage 1.
        colorization: Blend of stage 2.
        composition: Options of composition.
        folds: The folds whose out-of-fold predictions were used.
        made_from: Digests of the data, the folds, the hue priors and each network.
    """

    restoration: StageRecipe
    colorization: StageRecipe
    composition: Composition
    folds: tuple[int, ...]
    made_from: dict[str, str]

    @field_validator("folds")
    @classmethod
    def _check_folds(cls, folds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(folds)) != len(folds):
            raise ValueError(f"folds must be distinct, but got {folds}")
        return folds

    def to_json(self) -> str:
        """The recipe as indented JSON, keys in a fixed order."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, name: str = "recipe.json") -> Recipe:
        """Read `to_json`'s text.

        Raises:
            StaleArtefactError: It is not a recipe of this version.
        """
        try:
            return cls.model_validate_json(text, strict=True)
        except ValidationError as error:
            raise StaleArtefactError(
                f"`{name}` is not a recipe of this version of ens ({error.error_count()} faults, "
                f"the first: {explain(error)}); run `ens blend` again"
            ) from None
