"""What is wrong with an `ens.toml`, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ensemble.errors import nearest_first
from ensemble.reading import shorten

_NO_SSIM = "it made no difference; `ssim_finish` is what pays"
REMOVED = {
    "colorization.train_on": "colorization always learns from clean gray",
    "restoration.masked_ssim_loss": _NO_SSIM,
    "member.masked_ssim_loss": _NO_SSIM,
}
"""Keys of earlier versions, each with the reason why it went."""

_SHOWN = 10
"""Faults that are told at once."""


def explain_faults(
    error: ValidationError, content: Mapping[str, Any], model: type[BaseModel]
) -> str:
    """The first faults of some content, each with its key and the remedy; `model` has the rules."""
    faults = error.errors()[:_SHOWN]
    return "; ".join(shorten(_explain(fault, content, model)) for fault in faults)


def _explain(fault: Any, content: Mapping[str, Any], model: type[BaseModel]) -> str:
    path = [part for part in fault["loc"] if isinstance(part, str)]
    key, of, remedy = ".".join(path), "", ""
    if path[0] == "member" and len(path) > 1:
        of = f" of [[member]] `{shorten(str(content['member'][fault['loc'][1]].get('name')))}`"
        if path[1] in ("seed", *_keys_of(model, "training"), *_keys_of(model, "restoration")):
            remedy = "; correct it, or delete it, so that the member is trained like all others"
    if fault["type"] == "missing":
        return f"`{key}`{of} must be given"
    if fault["type"] == "value_error":
        return f"`{key}`: {fault['ctx']['error']}"
    if fault["type"] != "extra_forbidden":
        return f"`{key}`{of}: {fault['msg'].lower()}, but got {fault['input']!r}{remedy}"
    if key in REMOVED:
        return f"`{key}`{of} is no longer a key: {REMOVED[key]}; delete it"
    nearest = nearest_first(path[-1], _keys_of(model, *path[:-1]))[0]
    return f"unknown key `{key}`{of}; the nearest valid one is `{nearest}`"


def _keys_of(model: Any, *sections: str) -> list[str]:
    for name in sections:
        annotation = model.model_fields[name].annotation
        model = next((a for a in get_args(annotation) if isinstance(a, type)), annotation)
    return list(model.model_fields)
