"""`scores.json`, the exact scores behind a recipe: what it holds, written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ensemble.errors import DataError, MissingArtefactError, MissingFileError, StaleArtefactError
from ensemble.reading import read_json
from ensemble.vocabulary import Stage

Summary = dict[str, Any]
"""One stage, as `ensemble.blending.summary` makes it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Terms(_Part):
    ssim: FiniteFloat
    masked_ssim: FiniteFloat
    hue: FiniteFloat = 0  # unset where there is none
    score: FiniteFloat


class _Row(_Terms):
    name: str
    forward_passes: int
    folds: dict[str, _Terms]


class _Expected(_Part):
    score: FiniteFloat
    interval: tuple[FiniteFloat, FiniteFloat]
    cross_fitted: bool


class _Judged(_Part):
    step: str
    against: str
    cross_fitted: FiniteFloat
    standard_error: FiniteFloat | None
    sentence: str


class _Without(_Terms):
    member: str
    worth: FiniteFloat


class _Views(_Part):
    views: str
    forward_passes: int
    score: FiniteFloat
    gain: FiniteFloat


class _StageScores(_Part):
    stage: Stage
    kept: str
    photographs: int
    groups: int
    folds: list[int]
    expected: _Expected
    study: str
    rows: list[_Row] = Field(min_length=1)
    cross_fitted: dict[str, _Terms]
    judged: list[_Judged]
    leave_one_out: list[_Without]
    views: list[_Views]
    notes: list[str]

    @model_validator(mode="after")
    def _check_rows(self) -> _StageScores:
        hued = self.stage == "colorization" or "hue" in self.rows[0].model_fields_set
        for row in self.rows:
            if not {str(fold) for fold in self.folds} <= row.folds.keys():
                raise ValueError(f"`{row.name}` must have scores of every fold")
            if hued and "hue" not in row.model_fields_set:
                raise ValueError(f"`{row.name}` must have a hue term")
        return self


class _Scores(_Part):
    version: Literal[1]
    recipe: str
    stages: dict[Stage, _StageScores] = Field(min_length=2)

    @model_validator(mode="after")
    def _check_stages(self) -> _Scores:
        if any(name != found.stage for name, found in self.stages.items()):
            raise ValueError("the stages must have their own names")
        return self


def to_json(stages: Mapping[str, Summary], *, recipe: str) -> str:
    """The summaries of all stages, and the SHA-256 of the recipe they are of, as indented JSON."""
    content = {"version": 1, "recipe": recipe, "stages": dict(stages)}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def read_scores(path: Path) -> dict[str, Any]:
    """Read what `to_json` made: `recipe`, and `stages`, the `Summary` of each.

    Raises:
        MissingArtefactError: There is no such file.
        StaleArtefactError: It is another.
    """
    try:
        found: dict[str, Any] = read_json(path, _Scores).model_dump(exclude_unset=True)
    except MissingFileError:
        raise MissingArtefactError(f"`{path}` is not there; run `ens blend`") from None
    except DataError as error:
        raise StaleArtefactError(
            f"`{path}` is not what `ens blend` writes ({error}); run it again"
        ) from None
    return found
