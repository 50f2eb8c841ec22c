"""Every error the toolkit raises on purpose.

All of them are an `EnsembleError`, and each is also the builtin a caller would expect, so both
`except EnsembleError` and `except ValueError` work:

    EnsembleError
    ├── ArrayError            (ValueError)         an array of the wrong shape, dtype or range
    ├── ConfigError           (ValueError)         ens.toml or a flag breaks a rule
    ├── DataError             (ValueError)         a file of the competition's data is not as due
    │   └── MissingFileError  (FileNotFoundError)  ... or is not there
    ├── ScoreError            (ValueError)         a picture the score is undefined for
    ├── MissingArtefactError  (FileNotFoundError)  a command needs what an earlier one writes
    ├── StaleArtefactError    (RuntimeError)       an artefact was made from something else
    ├── LockedError           (RuntimeError)       another process is writing the same artefact
    ├── WeightsError          (RuntimeError)       released weights cannot be had or are not genuine
    ├── TrainingError         (RuntimeError)       a training cannot go on
    ├── StudyError            (RuntimeError)       a shared study is out of reach
    └── SubmissionError       (ValueError)         a zip the competition would refuse

A message states the rule, the values that break it, and the remedy. The command line prints that
text alone and exits with status 2.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Sequence


class EnsembleError(Exception):
    """Root of every error the toolkit raises on purpose."""


class ArrayError(EnsembleError, ValueError):
    """An array has the wrong shape, dtype or range."""


class ConfigError(EnsembleError, ValueError):
    """`ens.toml` or a command-line flag breaks a rule."""


class DataError(EnsembleError, ValueError):
    """A file of the competition's data is not as due; the message names the file."""


class MissingFileError(DataError, FileNotFoundError):
    """A file of the competition's data is not there; the message names the file."""


class ScoreError(EnsembleError, ValueError):
    """The competition's score is undefined for this picture; the message names the picture."""


class MissingArtefactError(EnsembleError, FileNotFoundError):
    """A command needs an artefact that an earlier command writes."""


class StaleArtefactError(EnsembleError, RuntimeError):
    """An artefact was made from other data, folds, settings or weights than the present ones."""


class LockedError(EnsembleError, RuntimeError):
    """Another process is writing the same artefact."""


class WeightsError(EnsembleError, RuntimeError):
    """Released weights cannot be had, or are not the genuine file."""


class TrainingError(EnsembleError, RuntimeError):
    """A training cannot go on; the last good checkpoint is intact."""


class StudyError(EnsembleError, RuntimeError):
    """The database of a study is out of reach; its finished trials are kept."""


class SubmissionError(EnsembleError, ValueError):
    """A submission the competition would refuse."""


def nearest_first(name: str, valid: Iterable[str]) -> list[str]:
    """Every valid name, the most similar to `name` first, equals in alphabetic order.

    Similarity is difflib's ratio, blind to case and to what separates words.

    >>> nearest_first("unet_b1", ["fpn-resnet50", "unet-b0", "unet-b1"])
    ['unet-b1', 'unet-b0', 'fpn-resnet50']
    """
    wanted = _simplify(name)

    def distance(candidate: str) -> tuple[float, str]:
        return -difflib.SequenceMatcher(None, wanted, _simplify(candidate)).ratio(), candidate

    return sorted(valid, key=distance)


def unknown_name(what: str, name: str, valid: Iterable[str], *, at_most: int | None = None) -> str:
    """Text of an error: the name is no `what`, as "member of restoration"; valid are these.

    The nearest come first, `at_most` so many of a long list.
    """
    ranked = [f"`{candidate}`" for candidate in nearest_first(name, valid)]
    return f"`{name}` is no {what}; valid, nearest first: {list_some(ranked, at_most)}"


def list_some(words: Sequence[str], at_most: int | None) -> str:
    """Words with commas, the first of many; None lists all.

    >>> list_some(["a", "b", "c"], 2), list_some(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    shown = words[:at_most]
    rest = len(words) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def explain_os_error(error: OSError) -> str:
    """Text of an error of the operating system: the file, the reason, and the remedy.

    >>> explain_os_error(OSError(errno.ENOSPC, "No space left on device", "oof/recipe.json"))
    '`oof/recipe.json`: no space left on device; free some space, then run this again'
    """
    reason = error.strerror or str(error) or type(error).__name__
    files = [f"`{os.fsdecode(name)}`" for name in (error.filename, error.filename2) if name]
    where = f"{' to '.join(files)}: " if files else ""
    remedy = _REMEDIES.get(error.errno or 0, "")
    return f"{where}{reason[:1].lower()}{reason[1:]}" + (f"; {remedy}" if remedy else "")


_REMEDIES = {
    errno.ENOSPC: "free some space, then run this again",
    errno.EDQUOT: "free some space, then run this again",
    errno.EACCES: "change its permissions, or work in another folder with --root",
    errno.EPERM: "change its permissions, or work in another folder with --root",
    errno.EROFS: "work in another folder with --root",
    errno.EISDIR: "a file is due there: move the folder away",
    errno.ENOTDIR: "a folder is due there: move the file away",
    errno.EEXIST: "a folder is due there: move the file away",
    errno.ELOOP: "a link there leads to itself: remove it",
    errno.EMFILE: "allow more open files with `ulimit -n`, then run this again",
}


def printable(text: str) -> str:
    r"""The text with every control character, the end of a line too, shown by its escape.

    Names of files may hold them: a terminal would obey, and another line would look like ours.

    >>> printable("a\x1b[2Jb\nnext: c")
    'a\\x1b[2Jb\\nnext: c'
    """
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def _simplify(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")
