"""Answers to a name that is not there: the valid ones, nearest first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest_first(name: str, valid: Iterable[str]) -> list[str]:
    """Every valid name, the most similar to `name` first, equals in alphabetic order.

    Similarity is difflib's ratio, blind to case and to what separates words.

    >>> nearest_first("unet_b1", ["fpn-resnet50", "unet-b0", "unet-b1"])
    ['unet-b1', 'unet-b0', 'fpn-resnet50']
    """
    wanted = _plain(name)

    def distance(candidate: str) -> tuple[float, str]:
        return -difflib.SequenceMatcher(None, wanted, _plain(candidate)).ratio(), candidate

    return sorted(valid, key=distance)


def unknown_name(what: str, name: str, valid: Iterable[str], *, at_most: int | None = None) -> str:
    """Text of an error: the name is not one of these, nearest first.

    Args:
        what: What is named, as in "member of restoration".
        name: The name that is not there.
        valid: The names that are.
        at_most: Give only so many of a long list.
    """
    ranked = nearest_first(name, valid)
    shown = ranked[:at_most]
    rest = len(ranked) - len(shown)
    listed = ", ".join(f"`{candidate}`" for candidate in shown)
    return f"`{name}` is no {what}; valid, nearest first: {listed}" + (
        f" and {rest} more" if rest else ""
    )


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")
