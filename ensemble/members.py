"""The registry of named members, and how names become members.

A member is one named network of one stage, as frozen data. Adding one is adding a line to one of
the tables below, or a `[[member]]` table to `ens.toml`, which takes any architecture and encoder
of segmentation-models-pytorch, or an architecture of our own, or changes the settings of a member
of the registry. Nothing here needs torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from ensemble.config import Config, CustomMember, InputMode, RestorationSection
from ensemble.errors import ConfigError, nearest_first, unknown_name
from ensemble.manifest import digest_json
from ensemble.vocabulary import FILLS, HUE_BINS, VIEWS, Stage, View, check_stage

Kind = Literal["trained", "fixed", "external"]
Output = Literal["gray", "rgb", "histogram"]
Options = tuple[tuple[str, Any], ...]

HISTOGRAM_ARCH = "histogram"
ONNX_ARCH = "onnx"
ADAPTERS: Mapping[str, Stage] = MappingProxyType(
    {
        "inpainting": "restoration",
        "gray-to-ab": "colorization",
        "lightness-to-ab": "colorization",
    }
)
"""How a network in an ONNX file is fed and read, by name, with its stage; see docs/onnx.md."""
EQUIVARIANT = frozenset({"harmonic", "biharmonic", "spline", "rows", "gray"})
"""Fixed members that make of a flipped picture the flipped prediction: no flip adds anything."""
_LEARNED_FROM: Mapping[Stage, InputMode | Literal["restored"]] = {
    "restoration": "prefilled",
    "colorization": "restored",
}
"""What trained members are shown by default."""
SCSE = {"decoder_attention_type": "scse"}


@dataclass(frozen=True)
class Member:
    """One named network of one stage."""

    name: str  # unique in its stage; names folders too
    stage: Stage  # `restoration` or `colorization`
    # `trained` by the toolkit, `fixed` (never trained here), or `external` (its predictions
    # were made elsewhere)
    kind: Kind
    # an architecture of smp, or `nafnet`, `plain-unet` or `histogram`; for other kinds the
    # algorithm
    arch: str
    encoder: str = ""  # an encoder of smp, or of timm for `histogram`; else empty
    options: Options = ()  # further arguments of the architecture, sorted by name
    # what the network is shown: in restoration see `RestorationSection`; the restored gray in
    # colorization
    input_mode: InputMode | Literal["restored"] = "damaged"
    file: str = ""  # of an `onnx` member: where its file lies, from the workspace or absolute
    sha256: str = ""  # what the file's SHA-256 must be; empty where any will do
    adapter: str = ""  # of an `onnx` member: one of `ADAPTERS`

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
        return max(1, len(self.fills)) + self.input_mode.count("+")

    @property
    def fills(self) -> tuple[str, ...]:
        """Ways in which the hole is filled in what the network is shown."""
        known = {"fills": FILLS, "prefilled": FILLS[:1]}
        return known.get(self.input_mode.partition("+")[0], ())

    @property
    def sees_distance(self) -> bool:
        """Whether the network is shown each lost pixel's distance to the rim."""
        return self.input_mode.endswith("+distance")

    @property
    def out_channels(self) -> int:
        """Channels of the network's output; for a histogram, its bins.

        Of several fills a weight each, and what is added to their mean.
        """
        if len(self.fills) > 1:
            return len(self.fills) + 1
        return {"gray": 1, "rgb": 3, "histogram": HUE_BINS}[self.output]

    def digest(self) -> str:
        """SHA-256 of the spec: of everything that decides the network, so not of its name.

        Nor of a file's place: what is in it has a digest of its own (`ensemble.provenance`).
        """
        spec = {k: v for k, v in asdict(self).items() if k not in ("name", "file", "sha256")}
        return digest_json({k: v for k, v in spec.items() if k != "adapter" or v})


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
    restores = stage == "restoration"
    mode: InputMode | Literal["restored"] = "damaged" if restores else "restored"
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
    # at full resolution throughout
    _restorer("nafnet", "nafnet", ""),
    _restorer("plain-unet", "plain-unet", ""),
    # classical inpainting
    *(_fixed("restoration", name) for name in FILLS),
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
) -> tuple[Member, ...]:
    """The members a user names, in his order, from the registry or by his `[[member]]` tables.

    Tables of the other stage are passed over.

    Raises:
        ConfigError: A name is unknown (the message lists the valid ones, nearest first) or given
            twice, or two differ only in capitals, or a table does not fit its member.
    """
    known = dict(MEMBERS[check_stage(stage)])
    tables = [table for table in custom if table.stage == stage]
    counts = Counter(table.name for table in tables)
    for table in tables:
        known[table.name] = _member_of(table, alone=counts[table.name] == 1)
    named = Counter(names)
    folders = Counter(name.lower() for name in named)
    for name in names:
        if named[name] > 1:
            raise ConfigError(
                f"a member takes part once, but `{name}` is named twice for {stage}; delete one"
            )
        if name not in known:
            raise ConfigError(unknown_name(f"member of {stage}", name, known))
        if folders[name.lower()] > 1:
            raise ConfigError(
                f"members must differ in more than capitals, but two of {stage} are "
                f"`{name.lower()}`: on some disks they would share a folder; rename one"
            )
    return tuple(known[name] for name in names)


def configured_members(config: Config, stage: Stage) -> tuple[Member, ...]:
    """The members of a stage that `ens.toml` names.

    Raises:
        ConfigError: A name is unknown or given twice.
    """
    found = resolve(stage, getattr(config, stage).members, custom=config.member)
    if stage == "colorization":
        return found
    own = {table.name: table.settings() for table in config.member if table.stage == stage}

    def shown(name: str) -> InputMode:
        mode: InputMode = own.get(name, {}).get("input_mode", config.restoration.input_mode)
        return mode

    return tuple(replace(m, input_mode=shown(m.name)) if m.kind == "trained" else m for m in found)


def custom_member(table: CustomMember) -> Member:
    """A member from a `[[member]]` table.

    Its names are checked by `ensemble.networks.catalogue.check_member`: smp and timm take seconds
    to import.
    """
    options = frozen_options(table.options)
    mode = _LEARNED_FROM[table.stage]
    if table.arch == ONNX_ARCH:
        return _onnx_member(table)
    if table.arch == "external":
        if table.encoder or table.options:
            raise ConfigError(
                f"[[member]] `{table.name}` is made elsewhere and has neither `encoder` nor "
                "`options`; delete them"
            )
        return Member(table.name, table.stage, "external", "external", "", options, mode)
    arch = table.arch.lower()
    return Member(table.name, table.stage, "trained", arch, table.encoder, options, mode)


def _onnx_member(table: CustomMember) -> Member:
    """A network in an ONNX file; the file itself is checked where it is opened."""
    name, stage = table.name, table.stage
    fixed = _fixed(stage, name)
    if not table.file or table.encoder or table.options:
        raise ConfigError(
            f'[[member]] `{name}` with `arch = "onnx"` must have a `file` and an `adapter`, and '
            "neither `encoder` nor `options`; correct it"
        )
    valid = [adapter for adapter, its_stage in ADAPTERS.items() if its_stage == stage]
    if table.adapter not in valid:
        raise ConfigError(
            unknown_name(f"adapter of {stage} (of member `{name}`)", table.adapter or "", valid)
        )
    sha256 = (table.sha256 or "").lower()
    return replace(fixed, arch=ONNX_ARCH, file=table.file, sha256=sha256, adapter=table.adapter)


def _member_of(table: CustomMember, *, alone: bool) -> Member:
    """The member that a table describes, or whose settings it changes.

    It is `alone` if no other table has its name.
    """
    name, stage = table.name, table.stage
    registered = MEMBERS[stage].get(name)
    if not alone or (table.arch and registered):
        raise ConfigError(
            f"a [[member]] table needs a name of its own, but `{name}` is already a member of "
            f"{stage}; choose another, or leave out `arch` to change that member's settings"
        )
    if not table.arch and (registered is None or table.encoder or table.options):
        raise ConfigError(
            f"[[member]] `{name}` must have an `arch`, or be named after a member of the registry "
            f"and have neither `encoder` nor `options`; give it one, or for {stage} name it "
            f"{', '.join(f'`{one}`' for one in nearest_first(name, MEMBERS[stage])[:3])}"
        )
    for key in ("file", "sha256", "adapter"):
        if table.arch != ONNX_ARCH and getattr(table, key) is not None:
            raise ConfigError(
                f'[[member]] `{name}` sets `{key}`, which only a member with `arch = "onnx"` has; '
                "delete that line"
            )
    member = registered or custom_member(table)
    idle = set(table.settings())
    if member.kind == "trained":
        idle &= RestorationSection.model_fields.keys() if stage == "colorization" else set()
    if idle:
        why = f"it is {member.kind}, not trained" if member.kind != "trained" else f"of {stage}"
        raise ConfigError(
            f"[[member]] `{name}` sets `{min(idle)}`, which changes nothing for it ({why}); "
            "delete that line"
        )
    return member
