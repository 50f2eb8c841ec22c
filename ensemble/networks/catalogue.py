"""The architectures and encoders there are, of smp, of timm and our own; errors for all others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType

import segmentation_models_pytorch as smp
import timm
from torch import nn

from ensemble.errors import ConfigError, unknown_name
from ensemble.members import HISTOGRAM_ARCH, Member
from ensemble.networks.nafnet import NafNet
from ensemble.networks.plain_unet import PlainUnet

ARCHITECTURES: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"nafnet": NafNet, "plain-unet": PlainUnet}
)
"""Architectures of our own, by name: called with `in_channels`, `classes` and the member's options,
each makes a network without encoder that has a `stride`."""

FULL_RESOLUTION = "full_resolution"
"""The one option that every architecture of smp has from us; see `FullResolution`."""

TIMM_PREFIX = "tu-"
SHOWN = 6
LOADS_WEIGHTS = ("checkpoint_path", "pretrained")
SET_BY_THE_MEMBER = frozenset(
    {"self", "kwargs", "encoder_name", "encoder_weights", "in_channels", "classes", "aux_params"}
)


def check_member(member: Member) -> None:
    """Raise ConfigError unless a trained member's architecture, encoder and options exist.

    smp passes over options it does not know, unless the encoder is timm's, which gets them. An
    option that loads weights is refused: the file may be a pickle, and no manifest would know that
    it decided what was learned.
    """
    if member.kind != "trained":
        return
    where = f"(of member `{member.name}`)"
    if member.arch == HISTOGRAM_ARCH:
        known = timm.list_models()
        if not _in_timm(member.encoder):
            raise ConfigError(
                unknown_name(f"timm encoder {where}", member.encoder, known, at_most=SHOWN)
            )
    elif member.arch in ARCHITECTURES:
        _check_no_encoder(member, where)
    else:
        _check_architecture(member.arch, where)
        _check_encoder(member.encoder, where)
    for option in dict(member.options):
        if option.startswith(LOADS_WEIGHTS):
            raise ConfigError(
                f"option `{option}` {where} would load weights unseen by any manifest; leave it "
                "out: `encoder_weights` under [training] says where encoders start"
            )
    if member.arch != HISTOGRAM_ARCH:
        _check_options(member, where)


def _check_no_encoder(member: Member, where: str) -> None:
    if member.encoder:
        raise ConfigError(
            f"{member.arch} {where} has no encoder, but `encoder` is `{member.encoder}`; "
            "leave it out"
        )


def _check_architecture(arch: str, where: str) -> None:
    """Smp ignores case."""
    known = sorted([*smp.MODEL_ARCHITECTURES_MAPPING, *ARCHITECTURES])
    if arch.lower() not in known:
        raise ConfigError(unknown_name(f"architecture {where}", arch, known))


def _check_encoder(encoder: str, where: str) -> None:
    if encoder.startswith(TIMM_PREFIX):
        known = _in_timm(encoder.removeprefix(TIMM_PREFIX))
    else:
        known = encoder in smp.encoders.encoders
    if not known:
        names = smp.encoders.get_encoder_names() + [TIMM_PREFIX + n for n in timm.list_models()]
        raise ConfigError(unknown_name(f"encoder {where}", encoder, names, at_most=SHOWN))


def _check_options(member: Member, where: str) -> None:
    own = member.arch in ARCHITECTURES
    make = (ARCHITECTURES if own else smp.MODEL_ARCHITECTURES_MAPPING)[member.arch]
    valid = set(inspect.signature(make).parameters) - SET_BY_THE_MEMBER
    valid |= set() if own else {FULL_RESOLUTION}
    for option, value in member.options:
        passed_on = member.encoder.startswith(TIMM_PREFIX) and option not in SET_BY_THE_MEMBER
        if option not in valid and not passed_on:
            raise ConfigError(unknown_name(f"option of {member.arch} {where}", option, valid))
        if option == FULL_RESOLUTION and not isinstance(value, bool):
            raise ConfigError(
                f"option `{option}` {where} must be true or false, but is {value!r}; correct it"
            )


def _in_timm(encoder: str) -> bool:
    """Whether timm knows the name, which may end in the tag of its weights (`resnet50.a1_in1k`)."""
    return bool(timm.is_model(encoder.partition(".")[0]))
