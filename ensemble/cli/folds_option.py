"""What `--fold` takes: `0`, `0,2`, `0..4`, or `all`."""

from __future__ import annotations

import re

from ensemble.errors import ConfigError


def parse_folds(text: str, n_folds: int) -> tuple[int, ...]:
    """The folds a user names, ascending, each once.

    Args:
        text: Numbers and ranges (both ends included), separated by commas; or `all`.
        n_folds: How many folds there are.

    Raises:
        ConfigError: It is none of these, or names a fold there is not.

    >>> parse_folds("0,2..4", 5)
    (0, 2, 3, 4)
    """
    if text.strip() == "all":
        return tuple(range(n_folds))
    chosen: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last >= n_folds:
            raise ConfigError(
                f"--fold takes one of 0..{n_folds - 1}, several as `0,2`, a range as "
                f"`0..{n_folds - 1}`, or `all`, but got `{text}`"
            )
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))
