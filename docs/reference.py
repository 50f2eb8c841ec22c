"""Pages of the site that are made from the code: `commands.md`, `settings.md` and `api.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import tomlkit
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the documentation is that of this checkout

import ensemble  # noqa: E402
from ensemble.cli.app import VERBS, load_verb  # noqa: E402
from ensemble.config import Config, CustomMember, Section  # noqa: E402


def on_files(files: Files, config: Any) -> Files:
    """Add the pages; called by mkdocs."""
    pages = {"commands.md": write_commands, "settings.md": write_settings, "api.md": write_api}
    for name, write in pages.items():
        files.append(File.generated(config, name, content=write()))
    return files


def write_commands() -> str:
    """Every verb with its help and its options."""
    parts = [
        "# Commands\n",
        "`--root DIR` (or `ENS_ROOT`) before the verb is the folder to work in; by default it is "
        "the current one.\n",
    ]
    for name in VERBS:
        parts += _describe(f"ens {name}", load_verb(name))
    return "\n".join(parts)


def _describe(title: str, command: Any) -> Iterator[str]:
    yield f"## `{title}`\n"
    yield (command.help or "").replace("\b", "")
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    options = [one for one in options if one.name != "help" and not one.hidden]
    if arguments or options:
        yield "\n| option | default | meaning |\n|---|---|---|"
    for one in arguments:
        yield f"| `{one.name.upper()}` | | {_cell(getattr(one, 'help', '') or '')} |"
    for one in options:
        names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
        plain = one.default not in (None, False, (), []) and not callable(one.default)
        default = f"`{one.default}`" if plain else ""
        yield f"| {names} | {default} | {_cell(one.help or '')} |"
    yield ""
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from _describe(f"{title} {name}", child)


def write_settings() -> str:
    """Every key of `ens.toml`."""
    parts = [
        "# Settings: `ens.toml`\n",
        "`ens init` writes the file, with every key and its default. A key that is not there has "
        "its default. An unknown key or a value out of range is refused by name.\n",
        *_keys(Config(), prefix=""),
    ]
    config = Config()
    for name in Config.model_fields:
        section = getattr(config, name)
        if isinstance(section, Section):
            summary = (type(section).__doc__ or "").strip().splitlines()[0]
            parts += [f"\n## `[{name}]`\n", f"{summary}\n", *_keys(section, prefix=f"{name}.")]
    summary = (CustomMember.__doc__ or "").strip().splitlines()[0]
    parts += ["\n## `[[member]]`\n", f"{summary}\n", *_rows(CustomMember.model_fields, {})]
    return "\n".join(parts)


def _keys(section: Section, *, prefix: str) -> list[str]:
    fields = {
        name: field
        for name, field in type(section).model_fields.items()
        if not isinstance(getattr(section, name), Section) and name != "member"
    }
    return _rows(fields, {name: getattr(section, name) for name in fields})


def _rows(fields: Any, defaults: dict[str, Any]) -> list[str]:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in fields.items():
        default = defaults.get(name, field.get_default() if not field.is_required() else None)
        shown = "" if default is None else f"`{tomlkit.item(_plain(default)).as_string()}`"
        choices = [str(one) for one in get_args(field.annotation) if isinstance(one, str)]
        text = (field.description or "").strip()
        text += f" One of: {', '.join(choices)}." if choices else ""
        rows.append(f"| `{name}` | {shown} | {_cell(text)} |")
    return rows


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def write_api() -> str:
    """The public names, from their docstrings."""
    head = [
        "# From Python\n",
        "    import ensemble\n",
        "These names are public; everything else is internal and may change in any version. "
        "Pictures are uint8: (H, W) gray, (H, W, 3) RGB; masks are bool, True where lost.\n",
    ]
    names = [name for name in ensemble.__all__ if name != "__version__"]
    return "\n".join(head + [_reference(name) for name in names])


def _reference(name: str) -> str:
    """What is replaced by the docstring of a public name, under that name."""
    return f"::: {_home(name)}\n    options:\n      heading: {name}\n      toc_label: {name}\n"


def _home(name: str) -> str:
    module, attribute = ensemble._HOMES[name].split(":")
    return f"{module}.{attribute}"
