"""How far each member is with each fold, for `ens status`."""

from __future__ import annotations

from typing import Literal

from ensemble.errors import EnsembleError, MissingArtefactError, StaleArtefactError
from ensemble.manifest import differing
from ensemble.members import Member
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.provenance import archive_digests, read_checkpoint, restoration_for

State = Literal["-", "started", "trained", "cached", "stale"]


def member_state(project: Project, member: Member, fold: int) -> State:
    """How far a member is with a fold.

    Returns:
        `-` nothing is there; `started`, a training can be resumed; `trained`, its predictions are
        still to be collected; `cached`, ready for `ens blend`; `stale`, made from something else
        than the present data, folds, settings or weights.
    """
    if member.kind == "trained":
        folder = project.folder(member, fold)
        try:
            read_checkpoint(project, member, fold)
        except MissingArtefactError:
            return "started" if folder.exists() and any(folder.iterdir()) else "-"
        except StaleArtefactError:
            return "stale"
    return _archive_state(project, member, fold)


def _archive_state(project: Project, member: Member, fold: int) -> State:
    path = project.archive_folder(member, fold)
    waiting: State = "trained" if member.kind == "trained" else "-"
    try:
        archive = Archive(path)
        restoration = restoration_for(project, member, fold)
        expected = archive_digests(project, member, fold, restoration)
    except MissingArtefactError:
        return waiting
    except EnsembleError:
        return "stale"
    if differing(archive.manifest.made_from, expected):
        return "stale"
    return "cached" if archive.complete else waiting
