"""One finding of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What was looked at, and how it is.

    Attributes:
        verdict: `wrong` keeps something from working, `warning` is worth a look.
        what: What was looked at, a word or two.
        text: How it is; unless it is well, with the remedy.
    """

    verdict: Verdict
    what: str
    text: str
