"""Which members and folds a blend is made of: every member has finished every fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from ensemble.errors import MissingArtefactError
from ensemble.members import Member
from ensemble.project import Project
from ensemble.provenance import finished_folds
from ensemble.vocabulary import STAGES, Stage

Done = Mapping[Member, frozenset[int]]
"""The folds that each member has finished."""


@dataclass(frozen=True)
class Lineup:
    """The members and folds of a blend, and why others are not in it.

    Attributes:
        members: The members of each stage.
        folds: The folds, in order; every member has finished each of them.
        left_out: One sentence for each member or fold that is not used.
    """

    members: Mapping[Stage, tuple[Member, ...]]
    folds: tuple[int, ...]
    left_out: tuple[str, ...]


def choose_lineup(project: Project, folds: Sequence[int]) -> Lineup:
    """Choose the folds by the members that are not fixed; fixed members follow them.

    A fixed member is finished on every fold for nothing, so it must not decide: of the sets of
    folds that trained and external members have in common, the one with the most finished
    trainings is taken, then the one with the most members. A blend of fixed members alone is made
    only where no other has finished a fold.

    Args:
        project: Whose trainings.
        folds: Folds that may be used.

    Raises:
        MissingArtefactError: No fold is finished in both stages.
    """
    done = {
        member: frozenset(finished_folds(project, member)) & frozenset(folds)
        for member in project.all_members()
    }
    made = {member: found for member, found in done.items() if member.kind != "fixed" and found}
    leaders = made or done
    usable = [chosen for chosen in _common_folds(leaders) if _both_stages(done, chosen)]
    if not usable:
        raise MissingArtefactError(
            "a blend needs one fold at least that a member of each stage has finished, but there "
            f"is none among the folds {', '.join(map(str, folds))}; run `ens train --fold "
            f"{folds[0]}`"
        )

    def size(chosen: frozenset[int]) -> tuple[int, int, tuple[int, ...]]:
        count = len(_members_of(leaders, chosen))
        return count * len(chosen), count, tuple(-fold for fold in sorted(chosen))

    best = max(usable, key=size)
    members = _members_of(done, best)
    return Lineup(
        {stage: tuple(m for m in members if m.stage == stage) for stage in STAGES},
        tuple(sorted(best)),
        _reasons(done, members, best, folds),
    )


def _common_folds(done: Done) -> set[frozenset[int]]:
    """What one member, or two of them, have finished; quadratic in the distinct sets."""
    each = set(done.values())
    return {found for found in each | {a & b for a, b in combinations(each, 2)} if found}


def _members_of(done: Done, folds: frozenset[int]) -> list[Member]:
    return [member for member, finished in done.items() if finished >= folds]


def _both_stages(done: Done, folds: frozenset[int]) -> bool:
    """Whether each stage has a member that makes pictures; a histogram alone is none."""
    outputs = {member.output for member in _members_of(done, folds)}
    return {"gray", "rgb"} <= outputs


def _reasons(
    done: Done, members: Sequence[Member], chosen: frozenset[int], folds: Sequence[int]
) -> tuple[str, ...]:
    without = [
        f"left out: {member.stage} `{member.name}`, which has not finished fold "
        f"{', '.join(map(str, sorted(chosen - finished)))}"
        for member, finished in done.items()
        if member not in members
    ]
    for fold in sorted(set(folds) - chosen):
        waiting = [f"{m.stage} `{m.name}`" for m in members if fold not in done[m]]
        without.append(f"left out: fold {fold}, which {', '.join(waiting)} has not finished")
    return tuple(without)
