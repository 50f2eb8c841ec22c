"""The registry: every member the toolkit knows by name, and how names become members.

Adding a member is adding a line to one of the tables below, or a `[[member]]` table to
`ens.toml`, which takes any architecture and encoder of segmentation-models-pytorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ensemble.composition.recipe import STAGES, Stage
from ensemble.config import CustomMember
from ensemble.errors import ConfigError
from ensemble.networks.member import HISTOGRAM_ARCH, InputMode, Member, frozen_options
from ensemble.networks.nearest import unknown_name

DEFAULT_INPUT_MODE: InputMode = "prefilled"
SCSE = {"decoder_attention_type": "scse"}


def _restorer(name: str, arch: str, encoder: str, **options: Any) -> Member:
    spec = frozen_options(options)
    return Member(name, "restoration", "trained", arch, encoder, spec, DEFAULT_INPUT_MODE)


def _colorizer(name: str, arch: str, encoder: str, **options: Any) -> Member:
    spec = frozen_options(options)
    return Member(name, "colorization", "trained", arch, encoder, spec, "restored")


def _fixed(name: str, stage: Stage) -> Member:
    mode: InputMode = "damaged" if stage == "restoration" else "restored"
    return Member(name, stage, "fixed", arch=name, input_mode=mode)


_RESTORATION = (
    # the final solution's
    _restorer("unet-efficientnet-b0", "unet", "efficientnet-b0"),
    _restorer("unet-mobilenet-v2", "unet", "mobilenet_v2"),
    _restorer("manet-efficientnet-b1", "manet", "efficientnet-b1"),
    # the slides' earlier rounds
    _restorer("unet-mobilenet-v2-scse", "unet", "mobilenet_v2", **SCSE),
    _restorer("unet-regnetx-008", "unet", "tu-regnetx_008"),
    _restorer("unet-efficientnet-b4", "unet", "efficientnet-b4"),
    # classical inpainting
    _fixed("navier-stokes", "restoration"),
    _fixed("telea", "restoration"),
    _fixed("biharmonic", "restoration"),
    _fixed("harmonic", "restoration"),
)

_COLORIZATION = (
    # the final solution's
    _colorizer("unet-efficientnet-b1", "unet", "efficientnet-b1"),
    _colorizer("deeplabv3-efficientnet-b2", "deeplabv3", "efficientnet-b2"),
    _colorizer("fpn-resnet50", "fpn", "resnet50"),
    # the slides' earlier rounds
    _colorizer("unet-efficientnet-b0-scse", "unet", "efficientnet-b0", **SCSE),
    _colorizer("unet-regnetx-008", "unet", "tu-regnetx_008"),
    _colorizer("unet-resnext50-32x4d", "unet", "resnext50_32x4d"),
    # the hue histogram alone
    _colorizer("histogram-resnet18", HISTOGRAM_ARCH, "resnet18"),
    _colorizer("histogram-efficientnet-b0", HISTOGRAM_ARCH, "efficientnet_b0"),
    # released colorizers, and no colour at all
    _fixed("eccv16", "colorization"),
    _fixed("siggraph17", "colorization"),
    _fixed("gray", "colorization"),
)

MEMBERS: Mapping[Stage, Mapping[str, Member]] = MappingProxyType(
    {
        "restoration": MappingProxyType({member.name: member for member in _RESTORATION}),
        "colorization": MappingProxyType({member.name: member for member in _COLORIZATION}),
    }
)


def resolve(
    stage: str,
    names: Sequence[str],
    *,
    custom: Sequence[CustomMember] = (),
    input_mode: InputMode | None = None,
) -> tuple[Member, ...]:
    """The members a user names, in his order.

    Args:
        stage: `restoration` or `colorization`.
        names: Names from the registry or of `custom` members.
        custom: The `[[member]]` tables of `ens.toml`; those of the other stage are passed over.
        input_mode: What trained restoration members are shown; None leaves the registry's.

    Raises:
        ConfigError: A name, an architecture or an encoder is unknown (the message lists the valid
            ones, nearest first), a name is given twice, or a custom member takes a name that the
            registry already has.
    """
    known = MEMBERS[check_stage(stage)]
    own = {table.name: table for table in custom if table.stage == stage}
    _check_names(stage, names, custom)
    found = []
    for name in names:
        if name not in known and name not in own:
            raise ConfigError(unknown_name(f"member of {stage}", name, [*known, *own]))
        member = known[name] if name in known else custom_member(own[name])
        found.append(_with_input_mode(member, input_mode))
    return tuple(found)


def check_stage(stage: str) -> Stage:
    """Return `stage` if it is one; raises ConfigError otherwise."""
    for known in STAGES:
        if stage == known:
            return known
    raise ConfigError(unknown_name("stage", stage, STAGES))


def custom_member(table: CustomMember) -> Member:
    """A member from a `[[member]]` table.

    `arch` is any architecture of smp with any of its encoders; or `histogram` with any encoder of
    timm; or `external`, without encoder, for predictions made elsewhere.

    Raises:
        ConfigError: The architecture, the encoder or an option is unknown.
    """
    options = frozen_options(table.options)
    mode: InputMode = DEFAULT_INPUT_MODE if table.stage == "restoration" else "restored"
    if table.arch == "external":
        return Member(table.name, table.stage, "external", "external", "", options, mode)
    _check_network(table)
    arch = table.arch.lower()
    return Member(table.name, table.stage, "trained", arch, table.encoder, options, mode)


def _check_network(table: CustomMember) -> None:
    from ensemble.networks import catalogue  # takes seconds: smp and timm know the names

    where = f"of member `{table.name}`"
    if table.arch == HISTOGRAM_ARCH and table.stage == "colorization":
        catalogue.check_timm_encoder(table.encoder, where=where)
        return
    catalogue.check_network(table.arch, table.encoder, table.options, where=where)


def _check_names(stage: str, names: Sequence[str], custom: Sequence[CustomMember]) -> None:
    own = [table.name for table in custom if table.stage == stage]
    for name in own:
        if name in MEMBERS[check_stage(stage)] or own.count(name) > 1:
            raise ConfigError(
                f"a [[member]] table needs a name of its own, but `{name}` is already a member of "
                f"{stage}; choose another"
            )
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"a member takes part once, but `{name}` is named twice for {stage}")


def _with_input_mode(member: Member, input_mode: InputMode | None) -> Member:
    if input_mode is None or member.stage != "restoration" or member.kind != "trained":
        return member
    return replace(member, input_mode=input_mode)
