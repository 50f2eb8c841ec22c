"""The registry of named members, and how names become members.

A member is one named network of one stage, as frozen data. Adding one is adding a line to one of
the tables below, or a `[[member]]` table to `ens.toml`, which takes any architecture and encoder
of segmentation-models-pytorch. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from ensemble.config import Config, CustomMember
from ensemble.errors import ConfigError, unknown_name
from ensemble.manifest import digest_json
from ensemble.vocabulary import HUE_BINS, VIEWS, Stage, View, check_stage

Kind = Literal["trained", "fixed", "external"]
InputMode = Literal["damaged", "prefilled", "prefilled+mask", "restored"]
Output = Literal["gray", "rgb", "histogram"]
Options = tuple[tuple[str, Any], ...]

HISTOGRAM_ARCH = "histogram"
EQUIVARIANT = frozenset({"harmonic", "biharmonic", "spline", "gray"})
"""Fixed members that make of a flipped picture the flipped prediction: no flip adds anything."""
_LEARNED_FROM: Mapping[Stage, InputMode] = {"restoration": "prefilled", "colorization": "restored"}
"""What trained members are shown by default."""
SCSE = {"decoder_attention_type": "scse"}


@dataclass(frozen=True)
class Member:
    """One named network of one stage.

    Attributes:
        name: Unique in its stage; names folders too.
        stage: `restoration` or `colorization`.
        kind: `trained` by the toolkit, `fixed` (never trained here), or `external` (its
            predictions were made elsewhere).
        arch: An architecture of smp, `histogram`, or for other kinds the algorithm's name.
        encoder: An encoder of smp, or of timm for `histogram`; empty for other kinds.
        options: Further arguments of the architecture, sorted by name.
        input_mode: What the network is shown. Restoration: `damaged` (the input as it is),
            `prefilled` (its hole inpainted), `prefilled+mask` (and the mask as a second channel).
            Colorization: `restored`, the restored gray.
    """

    name: str
    stage: Stage
    kind: Kind
    arch: str
    encoder: str = ""
    options: Options = ()
    input_mode: InputMode = "damaged"

    @property
    def output(self) -> Output:
        """What the member predicts for a picture."""
        if self.stage == "restoration":
            return "gray"
        return "histogram" if self.arch == HISTOGRAM_ARCH else "rgb"

    @property
    def dtype(self) -> str:
        """Numpy's name of its predictions' dtype."""
        return "float32" if self.output == "histogram" else "uint8"

    def item_shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Shape of one prediction for a photograph of (H, W) pixels."""
        shapes = {"gray": size, "rgb": (*size, 3), "histogram": (HUE_BINS,)}
        return shapes[self.output]

    @property
    def views(self) -> tuple[View, ...]:
        """The views worth predicting: all, or one where every view gives the same picture.

        That is so for equivariant methods, and for pictures that were made elsewhere.
        """
        one = self.kind == "external" or (self.kind == "fixed" and self.arch in EQUIVARIANT)
        return VIEWS[:1] if one else VIEWS

    def same_view(self, view: View) -> View:
        """The one of `views` that gives the same picture as this view."""
        return view if view in self.views else self.views[0]

    @property
    def in_channels(self) -> int:
        """Channels of the network's input."""
        return 2 if self.input_mode == "prefilled+mask" else 1

    @property
    def out_channels(self) -> int:
        """Channels of the network's output; for a histogram, its bins."""
        return {"gray": 1, "rgb": 3, "histogram": HUE_BINS}[self.output]

    def digest(self) -> str:
        """SHA-256 of the spec: of everything that decides the network, so not of its name."""
        spec = {key: value for key, value in asdict(self).items() if key != "name"}
        return digest_json(spec)


def frozen_options(options: Mapping[str, Any]) -> Options:
    """Options as sorted, hashable pairs; lists, as TOML has them, become tuples.

    >>> frozen_options({"decoder_channels": [64, 32], "decoder_attention_type": "scse"})
    (('decoder_attention_type', 'scse'), ('decoder_channels', (64, 32)))
    """
    return tuple((name, _frozen(options[name])) for name in sorted(options))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _trained(stage: Stage, name: str, arch: str, encoder: str, **options: Any) -> Member:
    spec = frozen_options(options)
    return Member(name, stage, "trained", arch, encoder, spec, _LEARNED_FROM[stage])


def _fixed(stage: Stage, name: str) -> Member:
    mode: InputMode = "damaged" if stage == "restoration" else "restored"
    return Member(name, stage, "fixed", arch=name, input_mode=mode)


_restorer, _colorizer = partial(_trained, "restoration"), partial(_trained, "colorization")

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
    _fixed("restoration", "navier-stokes"),
    _fixed("restoration", "telea"),
    _fixed("restoration", "harmonic"),
    _fixed("restoration", "biharmonic"),
    _fixed("restoration", "spline"),
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
    # released colorizers, and no color at all
    _fixed("colorization", "eccv16"),
    _fixed("colorization", "siggraph17"),
    _fixed("colorization", "gray"),
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
        ConfigError: A name is unknown (the message lists the valid ones, nearest first) or given
            twice, or a custom member takes a name that the registry already has.
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


def configured_members(config: Config, stage: Stage) -> tuple[Member, ...]:
    """The members of a stage that `ens.toml` names.

    Raises:
        ConfigError: A name is unknown or given twice.
    """
    mode = config.restoration.input_mode if stage == "restoration" else None
    names = getattr(config, stage).members
    return resolve(stage, names, custom=config.member, input_mode=mode)


def custom_member(table: CustomMember) -> Member:
    """A member from a `[[member]]` table.

    `arch` is any architecture of smp with any of its encoders; or `histogram` with any encoder of
    timm; or `external`, without encoder, for predictions made elsewhere. The names are checked by
    `ensemble.networks.catalogue.check_member`: smp and timm take seconds to import.
    """
    options = frozen_options(table.options)
    mode = _LEARNED_FROM[table.stage]
    if table.arch == "external":
        return Member(table.name, table.stage, "external", "external", "", options, mode)
    arch = table.arch.lower()
    return Member(table.name, table.stage, "trained", arch, table.encoder, options, mode)


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
