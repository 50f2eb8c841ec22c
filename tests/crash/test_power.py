"""A power failure keeps what was flushed: the order of writes, flushes and renames."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.crash.disturb import ARROW, name_site
from tests.crash.verbs import STEPS, Prepared

NAMES = [step.name for step in STEPS]
WRITES = ("open", "write", "save", "serialize_file", "sendfile", "truncate")
IN_PLACE = {
    r"(.*/)?\.[^/]*\.lock": "locks are empty",
    r"oof/.*/views\.zarr/.*": "chunks have checksums, and are predicted again",
    r"cache/\.photographs-unfinished/.*": "read again; flushed before a row counts as read",
    r"oof/study\.log": "trials are drawn again",
    r"checkpoints/.*/tensorboard/.*": "for a person to look at",
}
"""What is not written beside and renamed, and why it need not be."""


@pytest.mark.parametrize("name", NAMES)
def test_what_is_renamed_was_flushed_and_the_rename_is(
    name: str, prepared: dict[str, Prepared]
) -> None:
    points, checked = prepared[name].points, 0
    dirty: set[str] = set()
    for number, (what, path) in enumerate(points):
        source, _, target = path.partition(ARROW)
        if what in WRITES:
            dirty.add(path)
        elif what in ("fsync", "remove"):
            dirty.discard(path)
        elif what == "rename":
            moved = {one for one in dirty if f"{one}/".startswith(f"{source}/")}
            dirty = (dirty - moved) | {target + one.removeprefix(source) for one in moved}
            if ".part/" in source and ".part/" not in target:
                assert not moved, f"{target} is renamed before it is flushed"
                parent = str(Path(target).parent).removeprefix(".")
                assert ("fsync", parent) in points[number:], f"{target}: its rename is not flushed"
                checked += 1
    assert checked


@pytest.mark.parametrize("name", NAMES)
def test_new_folders_are_flushed_too(name: str, prepared: dict[str, Prepared]) -> None:
    points, before = prepared[name].points, prepared[name].before
    made = [path for what, path in points if what == "mkdir" and not (before / path).exists()]
    for path in dict.fromkeys(made):
        if not re.search(r"\.part|tensorboard|cache/|oof/.*/fold-\d", path):  # see IN_PLACE
            parent = str(Path(path).parent).removeprefix(".")
            later = points[points.index(("mkdir", path)) :]
            assert ("fsync", parent) in later, f"{path} is not flushed"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_else_is_written_in_place(name: str, prepared: dict[str, Prepared]) -> None:
    in_place = {
        name_site(path)
        for what, path in prepared[name].points
        if what in WRITES and ".part/" not in path
    }
    unknown = [path for path in in_place if not any(re.fullmatch(p, path) for p in IN_PLACE)]
    assert not unknown
