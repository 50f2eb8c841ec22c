"""`ens doctor`: what is there and right, and what everything will cost."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """What was looked at, a word or two, and how it is; unless it is well, with the remedy.

    `wrong` keeps something from working, `warning` is worth a look.
    """

    verdict: Literal["ok", "warning", "wrong"]
    what: str
    text: str
