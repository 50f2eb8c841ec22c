"""The architectures and encoders that smp and timm offer, and errors for those they do not."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from ensemble.errors import ConfigError, unknown_name
from ensemble.members import HISTOGRAM_ARCH, Member
from ensemble.networks.libraries import smp, timm

TIMM_PREFIX = "tu-"
SHOWN = 6
LOADS_WEIGHTS = ("checkpoint_path", "pretrained")
SET_BY_THE_MEMBER = frozenset(
    {"self", "kwargs", "encoder_name", "encoder_weights", "in_channels", "classes", "aux_params"}
)


def architectures() -> list[str]:
    """Every architecture, as `arch` takes it."""
    return sorted(smp.MODEL_ARCHITECTURES_MAPPING)


def encoders() -> list[str]:
    """Every encoder: smp's own, and timm's with `tu-` before the name."""
    return [*smp.encoders.get_encoder_names(), *(TIMM_PREFIX + name for name in timm_encoders())]


def timm_encoders() -> list[str]:
    """Every network of timm, without prefix."""
    return list(timm.list_models())


def check_architecture(arch: str, *, where: str) -> None:
    """Raise ConfigError unless smp has this architecture.

    Args:
        arch: The name; smp ignores case.
        where: For the message, as in "of member `mine`".
    """
    if arch.lower() not in smp.MODEL_ARCHITECTURES_MAPPING:
        raise ConfigError(unknown_name(f"architecture ({where})", arch, architectures()))


def check_encoder(encoder: str, *, where: str) -> None:
    """Raise ConfigError unless smp has this encoder; see `check_architecture`."""
    known = encoder in smp.encoders.encoders
    if encoder.startswith(TIMM_PREFIX):
        known = _in_timm(encoder.removeprefix(TIMM_PREFIX))
    if not known:
        text = unknown_name(f"encoder ({where})", encoder, encoders(), at_most=SHOWN)
        raise ConfigError(text)


def check_network(arch: str, encoder: str, options: Iterable[str], *, where: str) -> None:
    """Raise ConfigError unless smp can be asked for this network.

    smp passes over options it does not know, unless the encoder is timm's, which gets them.

    Args:
        arch: An architecture of smp.
        encoder: An encoder of smp.
        options: Names of further arguments.
        where: For the message, as in "of member `mine`".
    """
    check_architecture(arch, where=where)
    check_encoder(encoder, where=where)
    check_options(options, where=where)
    arguments = inspect.signature(smp.MODEL_ARCHITECTURES_MAPPING[arch.lower()]).parameters
    valid = set(arguments) - SET_BY_THE_MEMBER
    for option in options:
        passed_on = encoder.startswith(TIMM_PREFIX) and option not in SET_BY_THE_MEMBER
        if option not in valid and not passed_on:
            raise ConfigError(unknown_name(f"option of {arch} ({where})", option, valid))


def check_timm_encoder(encoder: str, *, where: str) -> None:
    """Raise ConfigError unless timm has this network; see `check_architecture`."""
    if not _in_timm(encoder):
        text = unknown_name(f"timm encoder ({where})", encoder, timm_encoders(), at_most=SHOWN)
        raise ConfigError(text)


def check_options(options: Iterable[str], *, where: str) -> None:
    """Raise ConfigError if an option of timm would load weights from a file of the user's choice.

    Such a file may be a pickle, and no manifest would know that it decided what was learnt.

    Args:
        options: Names of further arguments.
        where: For the message, as in "of member `mine`".
    """
    for option in options:
        if option.startswith(LOADS_WEIGHTS):
            raise ConfigError(
                f"option `{option}` ({where}) would load weights unseen by any manifest; leave it "
                "out: `encoder_weights` under [training] says where encoders start"
            )


def _in_timm(encoder: str) -> bool:
    """Whether timm knows the name, which may end in the tag of its weights (`resnet50.a1_in1k`)."""
    return bool(timm.is_model(encoder.partition(".")[0]))


def check_member(member: Member) -> None:
    """Raise ConfigError unless a trained member's architecture, encoder and options exist.

    The names are checked before any work is begun; building a network checks them as well.
    """
    where = f"of member `{member.name}`"
    if member.kind != "trained":
        return
    if member.arch == HISTOGRAM_ARCH:
        check_timm_encoder(member.encoder, where=where)
        check_options(dict(member.options), where=where)
    else:
        check_network(member.arch, member.encoder, dict(member.options), where=where)
