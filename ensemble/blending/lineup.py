"""Choose the members and folds of a blend: every member has finished every fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from ensemble.checkpoint import finished_folds
from ensemble.errors import ConfigError, MissingArtefactError, unknown_name
from ensemble.members import Member
from ensemble.project import Project
from ensemble.vocabulary import STAGES, Stage

Finished = Mapping[Member, frozenset[int]]
"""The folds that each member has finished."""


@dataclass(frozen=True)
class Lineup:
    """The members and folds of a blend."""

    members: Mapping[Stage, tuple[Member, ...]]  # the members of each stage
    folds: tuple[int, ...]  # the folds, in order; every member has finished each of them
    left_out: tuple[str, ...]  # one sentence for each member or fold that is not used


def choose_lineup(project: Project, folds: Sequence[int], names: Sequence[str] = ()) -> Lineup:
    """Choose among some folds by the members that are not fixed; fixed members follow them.

    A fixed member is finished on every fold without training, so it must not decide: of the sets of
    folds that trained and external members have in common, the one with the most finished trainings
    is taken, then the one with the most members. Fixed members alone are blended only where no
    other member has finished a fold. A stage of which `names` has no member may use all of its
    members.

    Raises:
        ConfigError: There is no member of such a name.
        MissingArtefactError: No fold is finished in both stages.
    """
    chosen_members = _choose_members(project, names)
    finished = {
        member: frozenset(finished_folds(project, member)) & frozenset(folds)
        for member in chosen_members
    }
    trained = {member: done for member, done in finished.items() if member.kind != "fixed" and done}
    leaders = trained or finished
    usable = [
        chosen
        for chosen in _list_common(leaders)
        if {"gray", "rgb"} <= {member.output for member in _members_of(finished, chosen)}
    ]
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
    members = _members_of(finished, best)
    unnamed = [
        f"left out: {one.stage} `{one.name}`, which --member does not name"
        for one in project.all_members()
        if one not in chosen_members
    ]
    return Lineup(
        {stage: tuple(m for m in members if m.stage == stage) for stage in STAGES},
        tuple(sorted(best)),
        (*_explain(finished, members, best, folds), *unnamed),
    )


def _choose_members(project: Project, names: Sequence[str]) -> list[Member]:
    every = project.all_members()
    for name in names:
        if all(member.name != name for member in every):
            known = [member.name for member in every]
            raise ConfigError(unknown_name("member to blend", name, known))
    narrowed = {member.stage for member in every if member.name in names}
    return [m for m in every if m.stage not in narrowed or m.name in names]


def _list_common(finished: Finished) -> set[frozenset[int]]:
    """Folds that one member, or two of them, have finished; quadratic in the distinct sets."""
    each = set(finished.values())
    return {found for found in each | {a & b for a, b in combinations(each, 2)} if found}


def _members_of(finished: Finished, folds: frozenset[int]) -> list[Member]:
    return [member for member, done in finished.items() if done >= folds]


def _explain(
    finished: Finished, members: Sequence[Member], chosen: frozenset[int], folds: Sequence[int]
) -> tuple[str, ...]:
    left_out = [
        f"left out: {member.stage} `{member.name}`, which has not finished fold "
        f"{', '.join(map(str, sorted(chosen - done)))}"
        for member, done in finished.items()
        if member not in members
    ]
    for fold in sorted(set(folds) - chosen):
        waiting = [f"{m.stage} `{m.name}`" for m in members if fold not in finished[m]]
        left_out.append(f"left out: fold {fold}, which {', '.join(waiting)} has not finished")
    return tuple(left_out)
