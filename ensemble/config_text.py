"""The text of `ens.toml`: written with what each key means, changed without losing a comment."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import tomlkit
from tomlkit.items import Item

from ensemble.config import Config, Section, load_config
from ensemble.files import atomic_write

WIDTH = 100
"""Columns of the comments."""


def config_text(
    config: Config, *, heading: str = "Settings of ens; every key has its default."
) -> str:
    """The settings as commented TOML that `load_config` reads back to the same value."""
    lines = [f"# {heading}", ""]
    lines += _commented_keys(config)
    for name in type(config).model_fields:
        section = getattr(config, name)
        if isinstance(section, Section):
            summary = (type(section).__doc__ or "").partition("\n")[0]
            lines += ["", f"# {summary}", f"[{name}]", *_commented_keys(section)]
    for member in config.member:
        lines += ["", "[[member]]", *_commented_keys(member)]
    return "\n".join(lines) + "\n"


def set_key(path: Path, section: str, key: str, value: Any) -> None:
    """Change one key of `ens.toml`; comments, order and every other key stay as they are.

    A missing file is made with every default.

    Raises:
        ConfigError: The file is not valid as it is, or the value breaks the key's rule; the file
            is then left alone.
    """
    load_config(path).replace(section, **{key: value})
    text = path.read_text(encoding="utf-8-sig") if path.exists() else config_text(Config())
    document = tomlkit.parse(text)
    document.setdefault(section, tomlkit.table())[key] = _toml(value)
    atomic_write(path, tomlkit.dumps(document))


def _commented_keys(section: Section) -> list[str]:
    lines = []
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section) or name == "member" or value is None:
            continue
        lines += textwrap.wrap(
            f"{info.description}{_choices(info.annotation)}",
            WIDTH,
            initial_indent="# ",
            subsequent_indent="# ",
            break_on_hyphens=False,
        )
        lines.append(f"{name} = {_toml(value).as_string()}")
    return lines


def _choices(annotation: Any) -> str:
    parts = [part for one in get_args(annotation) for part in (get_args(one) or (one,))]
    names = [choice for choice in parts if isinstance(choice, str)]
    return f" One of: {', '.join(names)}." if names else ""


def _toml(value: Any) -> Item:
    """A value as TOML on one line."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, item in value.items():
            table.append(key, _toml(item))
        return table
    if isinstance(value, tuple | list):
        array = tomlkit.array()
        for item in value:
            array.append(_toml(item))
        return array
    return tomlkit.item(value)
