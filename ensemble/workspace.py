"""Where artefacts live: the only module that spells an artefact's path."""

from __future__ import annotations

import re
from pathlib import Path

from ensemble.errors import ConfigError
from ensemble.files import refuse_links
from ensemble.vocabulary import FULL, Fold

_NAME = re.compile(r"[^\W_][\w.-]{0,63}")
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever ending the name has."""
_PATH_MARKS = frozenset("\\/:")


def stays_in_folder(name: str) -> bool:
    r"""Whether no platform takes a name for anything but a file in the folder it is put in.

    So it is never empty, `.`, `..` or a path of Linux or Windows, has no control characters, does
    not end in a dot or blank, which Windows leaves out, and is none of its devices.

    >>> [stays_in_folder(name) for name in ("a b.png", "a\\b.png", "C:a.png", "con.png", "a.")]
    [True, False, False, False, False]
    """
    plain = name.isprintable() and not _PATH_MARKS & set(name)
    return plain and name.rstrip(". ") == name != "" and not _DEVICE.fullmatch(name)


def check_name(what: str, name: str) -> str:
    """Return `name` if it may name a file or folder on any platform.

    It has at most 64 letters, digits, `-`, `_` or `.`, the first a letter or digit, and
    `stays_in_folder`.

    Raises:
        ConfigError: It may not; `what` is named, as in "a member".
    """
    if not (_NAME.fullmatch(name) and stays_in_folder(name)):
        raise ConfigError(
            f"the name of {what} must be 1 to 64 letters, digits, `-`, `_` or `.`, beginning with "
            "a letter or digit and not ending in `.`, and no device of Windows as `con` is, "
            f"because files are named after it, but got {name!r}; choose another"
        )
    return name


class Workspace:
    """The folder a user works in, and the paths of everything in it.

    Any of `data`, `cache`, `checkpoints`, `oof` and `submissions` may be a link to a larger disk.
    What is written in place lies below no other link.
    """

    def __init__(self, root: Path) -> None:
        # the folder given by `--root` or `ENS_ROOT`; the current folder by default
        self.root = root
        self.config_file = root / "ens.toml"  # the settings
        self.folds_file = root / "folds.csv"  # which fold validates which photograph
        self.data = root / "data"  # the competition's data, as downloaded
        # what was read of the training photographs, and their pixels unless `cache = false`
        self.cache = root / "cache"
        self.checkpoints = root / "checkpoints"  # every trained network
        self.oof = root / "oof"  # every cached out-of-fold prediction, the recipe and the studies
        self.submissions = root / "submissions"  # every zip that was built, with its manifest
        self.recipe_file = self.oof / "recipe.json"  # what `ens blend` decides
        # the hue priors, of each fold and of all photographs, which the recipe counts on
        self.priors_file = self.oof / "priors.safetensors"
        # the exact scores behind the recipe, for `ens report`
        self.table_file = self.oof / "scores.json"
        # the journal of the Optuna studies, readable by optuna-dashboard
        self.study_file = self.oof / "study.log"
        # the scores that the board gave to submissions, as `ens history` notes them
        self.public_file = root / "public-scores.json"

    def checkpoint_dir(self, stage: str, member: str, fold: Fold) -> Path:
        """The folder of one training job."""
        part = FULL if fold == FULL else f"fold-{fold}"
        return _own_folder(self.checkpoints, stage, member) / part

    def oof_dir(self, stage: str, member: str, fold: int) -> Path:
        """The archive of one member's predictions for one fold's photographs."""
        return _own_folder(self.oof, stage, member) / f"fold-{fold}"

    def restored_dir(self, fold: int) -> Path:
        """The archive of the restored gray that stage 2 starts from in one fold."""
        return self.oof / "restored" / f"fold-{fold}"

    def external_test_dir(self, stage: str, member: str) -> Path:
        """The archive of an external member's predictions for the test photographs."""
        return _own_folder(self.oof, stage, member) / "test"

    def submission_file(self, name: str) -> Path:
        """The zip called `name`; its manifest has the same name and ends in `.json`."""
        return self.submissions / f"{check_name('a submission', name)}.zip"


def _own_folder(folder: Path, stage: str, member: str) -> Path:
    found = folder / stage / check_name("a member", member)
    refuse_links(found.parent, found)
    return found
