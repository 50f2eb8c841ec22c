"""The settings of a workspace: every key of `ens.toml`, its rule, default and meaning.

Defaults are those of the competition's slides, or measured better in `docs/`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic.fields import FieldInfo

from ensemble.config_faults import explain_faults
from ensemble.errors import ConfigError, DataError
from ensemble.reading import read_bytes, refuse_link_to_nothing, shorten
from ensemble.workspace import check_name

MOST_FOLDS = 100
"""A fold costs a training of every member; more are a mistake."""

MOST_SIDE = 4096
"""Of a photograph, in pixels; more are a mistake."""

LARGEST_NUMBER = 2**32 - 1
"""Of all settings: no library takes a larger seed, and each overflows at another number."""

InputMode = Literal[
    "damaged", "prefilled", "prefilled+mask", "prefilled+mask+distance", "fills+mask+distance"
]
"""What a network of restoration is shown."""

_LARGEST = 2**18
"""Bytes of `ens.toml`; a thousand members take less."""

_MOST_DOTS = 100
"""In a line: a key of so many parts is a mistake."""

MemberName = Annotated[str, AfterValidator(partial(check_name, "a member"))]


class Section(BaseModel):
    """Some keys, frozen; an unknown key, another kind of value, infinity and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @field_validator("*")
    @classmethod
    def _limit_numbers(cls, value: Any) -> Any:
        if isinstance(value, int | float) and abs(value) > LARGEST_NUMBER:
            raise ValueError(
                f"input should be less than or equal to {LARGEST_NUMBER}, but got {value}"
            )
        return value


class DataSection(Section):
    """What the photographs are like."""

    size: int = Field(512, ge=16, le=MOST_SIDE, description="Side of every photograph in pixels.")


class FoldsSection(Section):
    """How photographs are divided for validation."""

    n_folds: int = Field(5, ge=2, le=MOST_FOLDS, description="Number of folds.")
    descriptor: Literal["classical", "none"] = Field(
        "classical",
        description="How near-duplicates are found: classical (local features and a thumbnail), "
        "none (every photograph is a group of its own).",
    )


class NormalizationSection(Section):
    """How uint8 becomes what a network sees: (value / 255 - mean) / std."""

    mean: float = Field(0.5, ge=-10, le=10, description="Subtracted mean, on the scale 0 to 1.")
    std: float = Field(
        0.225, ge=1e-3, le=10, description="Dividing standard deviation, same scale."
    )


class RestorationSection(Section):
    """Stage 1, damaged gray to gray."""

    members: tuple[MemberName, ...] = Field(
        ("unet-efficientnet-b0", "unet-mobilenet-v2", "manet-efficientnet-b1"),
        min_length=1,
        strict=False,
        description="Names of the members, from the registry or from [[member]] tables.",
    )
    input_mode: InputMode = Field(
        "prefilled",
        description="What networks start from: the input as it is (the slides' way), or with the "
        "hole filled by a spline in tension (measures best, see docs/restoration.md), or "
        "that and the hole's mask as a second channel, or also each lost pixel's distance to the "
        "rim as a third, or all these with every other fill, which the network then mixes.",
    )
    hole_loss: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of the loss taken over the hole and its rim alone; 0 is the slides' "
        "whole-image loss.",
    )
    ssim_finish: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of the training at its end in which the loss is 1 - masked SSIM, and a "
        "tenth of the mean absolute error of the hole and its rim, in place of the losses before; "
        "a third is a good choice, with `hole_loss = 1` before it and `patience = 0`.",
    )


class ColorizationSection(Section):
    """Stage 2, gray to RGB."""

    members: tuple[MemberName, ...] = Field(
        ("unet-efficientnet-b1", "deeplabv3-efficientnet-b2", "fpn-resnet50"),
        min_length=1,
        strict=False,
        description="Names of the members, from the registry or from [[member]] tables.",
    )
    prior_encoder: str = Field(
        "",
        description="A network of timm that tells the hue prior what is in a picture (downloaded), "
        "such as tf_efficientnet_lite0; empty is none.",
    )


class TrainingSection(Section):
    """How networks learn.

    Keys in RUNTIME_KEYS change how fast or how long, never what, a network learns.
    """

    encoder_weights: Literal["imagenet", "none"] = Field(
        "imagenet", description="Where encoders start: imagenet (downloaded), or none (random)."
    )
    epochs: int = Field(40, ge=1, description="Most epochs; a finished training can be extended.")
    patience: int = Field(
        3, ge=0, description="Epochs without a better val_score before stopping; 0 never stops."
    )
    batch_size: int = Field(16, ge=1, description="Photographs a step.")
    accumulate: int = Field(1, ge=1, description="Steps whose gradients are summed for an update.")
    learning_rate: float = Field(1e-4, gt=0, description="AdamW's learning rate.")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW's weight decay.")
    schedule: Literal["constant", "cosine", "one-cycle"] = Field(
        "constant", description="How the learning rate moves; constant is the slides' way."
    )
    clip_norm: float = Field(0.0, ge=0, description="Largest gradient norm; 0 does not clip.")
    l1: float = Field(0.5, ge=0, description="Weight of the mean absolute error in the loss.")
    mse: float = Field(0.5, ge=0, description="Weight of the mean squared error in the loss.")
    ema_decay: float = Field(
        0.0, ge=0, lt=1, description="Decay of the weights' moving average; 0 keeps none."
    )
    average_last: int = Field(
        0, ge=0, description="Average the last k epochs' weights at the end; 0 keeps the best one."
    )
    crop: int = Field(
        0,
        ge=0,
        description="Side in pixels of the square that is cut at random from each training "
        "photograph, in restoration around a lost pixel; 0 is the whole photograph. Validation and "
        "prediction see whole photographs.",
    )
    flips: bool = Field(True, description="Flip training photographs at random, left to right.")
    precision: Literal["auto", "float32", "bf16", "fp16"] = Field(
        "auto",
        description="Of training and prediction. auto is bf16 on GPUs of compute capability 8.0 "
        "or more, fp16 with a gradient scaler on those of 7.0 or more (T4, V100), else float32.",
    )
    compile: bool = Field(False, description="Compile the network with torch.compile.")
    num_workers: int = Field(-1, ge=-1, le=256, description="Processes that read data; -1 chooses.")
    cache: bool = Field(
        True, description="Keep the decoded photographs under cache/, where the disk has room."
    )
    checkpoint_minutes: float = Field(
        10.0, gt=0, description="A resumable checkpoint is written at least this often."
    )
    steps_per_epoch: int = Field(
        0,
        ge=0,
        description="Steps an epoch, after which it is validated: fewer than the photographs "
        "fill, or more, with another hole and crop each time; 0 shows each photograph once.",
    )


RUNTIME_KEYS = frozenset(
    {"epochs", "patience", "num_workers", "cache", "checkpoint_minutes", "compile"}
)


class InferenceSection(Section):
    """How predictions are made."""

    batch_size: int = Field(8, ge=1, description="Photographs a forward pass.")


class OofSection(Section):
    """What is predicted out of fold."""

    photographs: int = Field(
        2000,
        ge=0,
        description="Photographs that every member predicts for `ens blend`, and that judge an "
        "epoch of training: whole groups, drawn alike from each fold; 0 is all. Four times as "
        "many halve the score's interval, and need four times the disk.",
    )


class BlendSection(Section):
    """How the blend is tuned."""

    trials: int = Field(200, ge=0, le=1_000_000, description="Optuna trials a stage.")
    sampler: str = Field("tpe", description="Search strategy, such as tpe or greedy.")
    storage: str = Field(
        "", description="A journal file, or a database URL of Optuna; empty is oof/study.log."
    )


class CustomMember(Section):
    """A member of your own, or settings of its own for a member of the registry."""

    name: MemberName = Field(
        description="Its name: at most 64 letters, digits, `-`, `_` or `.`; folders have it too."
    )
    stage: Literal["restoration", "colorization"] = Field(description="Its stage.")
    arch: str = Field(
        "",
        description="Architecture, as smp spells it; or nafnet or plain-unet; or histogram, with "
        "an encoder of timm; or onnx, for a network in a file; or external, for predictions made "
        "elsewhere; or empty, where the registry has the name.",
    )
    encoder: str = Field(
        "", description="Encoder, as smp or timm spells it; none where arch is anything else."
    )
    options: dict[str, JsonValue] = Field(
        {},
        description="Further arguments of the architecture; any of smp's also takes "
        "full_resolution = true, for two convolutions at full resolution beside it.",
    )
    file: str | None = Field(
        None, description="Where arch is onnx: the file, from the folder of ens.toml or absolute."
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-fA-F]{64}$",
        description="Where arch is onnx: the file's SHA-256, 64 digits; another file is refused.",
    )
    adapter: str | None = Field(
        None, description="Where arch is onnx: what goes in and comes out, see docs/onnx.md."
    )
    seed: int | None = Field(None, ge=0, description="Seed of what its training draws at random.")

    def settings(self) -> dict[str, Any]:
        """What the table sets for its member alone, by key of `seed`, [training], [restoration]."""
        described = {"name", "stage", "arch", "encoder", "options", "file", "sha256", "adapter"}
        return {k: value for k, value in self if k not in described and value is not None}


_SHARED = {
    **{key: f for key, f in TrainingSection.model_fields.items() if key != "cache"},
    **{key: f for key, f in RestorationSection.model_fields.items() if key != "members"},
}
"""Keys of [training] and [restoration] that a [[member]] table may have, with rule and meaning."""


def _optional(field: FieldInfo) -> Any:
    """A key that may be left out."""
    rule: Any = field.annotation
    for part in field.metadata:
        rule = Annotated[rule, part]
    return rule | None, Field(None, description=field.description)


if not TYPE_CHECKING:  # mypy knows the class above; at run time it has these keys too
    CustomMember = create_model(
        "CustomMember",
        __base__=CustomMember,
        __doc__=CustomMember.__doc__,
        __module__=__name__,
        **{key: _optional(field) for key, field in _SHARED.items()},
    )


class Config(Section):
    """All settings of `ens.toml`."""

    seed: int = Field(0, ge=0, description="Seed of everything drawn at random.")
    data: DataSection = DataSection()
    folds: FoldsSection = FoldsSection()
    normalization: NormalizationSection = NormalizationSection()
    restoration: RestorationSection = RestorationSection()
    colorization: ColorizationSection = ColorizationSection()
    training: TrainingSection = TrainingSection()
    inference: InferenceSection = InferenceSection()
    oof: OofSection = OofSection()
    blend: BlendSection = BlendSection()
    member: tuple[CustomMember, ...] = Field(
        (), strict=False, description="Members of your own, and settings of single members."
    )

    def replace(self, section: str, **values: Any) -> Config:
        """A copy with some keys of one section changed, as flags do; None leaves a key alone.

        A key of RUNTIME_KEYS is changed for every member, whatever its [[member]] table says.

        Raises:
            ConfigError: A value breaks the key's rule.
        """
        given = {key: value for key, value in values.items() if value is not None}
        content = self.model_dump()
        content[section] = {**content[section], **given}
        for table in content["member"] if section == "training" else ():
            table.update(dict.fromkeys(RUNTIME_KEYS & given.keys() & table.keys()))
        return _validated(content, source="the command line")

    def of_member(self, stage: str, name: str) -> Config:
        """The settings of one member: these, but for what its [[member]] table sets."""
        tables = [t for t in self.member if (t.stage, t.name) == (stage, name)]
        own = tables[0].settings() if tables else {}

        def change(section: Section) -> Section:
            keys = own.keys() & type(section).model_fields.keys()
            return section.model_copy(update={key: own[key] for key in keys})

        changed = {part: change(getattr(self, part)) for part in ("training", "restoration")}
        return self.model_copy(update={**changed, "seed": own.get("seed", self.seed)})


def load_config(path: Path) -> Config:
    """Read `ens.toml`; a missing file means every default.

    Raises:
        ConfigError: It is not TOML, has an unknown key (the message gives the nearest valid one),
            or a value breaks its key's rule.
    """
    refuse_link_to_nothing(path)
    if not path.exists():
        return Config()
    try:
        text = read_bytes(path, most=_LARGEST).decode("utf-8-sig")  # Notepad begins with a mark
        if any(line.count(".") > _MOST_DOTS for line in text.splitlines() if "=" in line):
            raise RecursionError  # Python's reader would take memory by the square of their number
        return _validated(tomllib.loads(text), source=f"`{path}`")
    except RecursionError:
        reason = "brackets or dotted keys are nested too deeply"
    except DataError as error:
        raise ConfigError(str(error)) from None
    except ConfigError:
        raise
    except ValueError as error:  # TOML, UTF-8, and a number of more digits than Python reads
        reason = shorten(str(error))
    raise ConfigError(f"`{path}` is not valid TOML: {reason}; correct it") from None


def _validated(content: Mapping[str, Any], *, source: str) -> Config:
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{source}: {explain_faults(error, content, Config)}") from None
