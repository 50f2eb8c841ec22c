"""The presets of `ens init --preset`: one readable TOML file each, beside this module."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from ensemble.config import Config
from ensemble.errors import ConfigError, unknown_name

SUFFIX = ".toml"


def preset_names() -> list[str]:
    """Every preset, in alphabetic order."""
    shipped = (file.name for file in files(__name__).iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in shipped if name.endswith(SUFFIX))


def preset_text(name: str) -> str:
    """A preset's TOML: what it changes of the defaults, and why.

    Raises:
        ConfigError: There is no such preset; the message lists the valid ones, nearest first.
    """
    if name not in preset_names():
        raise ConfigError(unknown_name("preset", name, preset_names()))
    return (files(__name__) / f"{name}{SUFFIX}").read_text(encoding="utf-8")


def preset_config(name: str) -> Config:
    """The settings a preset stands for; raises ConfigError as `preset_text` does."""
    return Config.model_validate(tomllib.loads(preset_text(name)))
