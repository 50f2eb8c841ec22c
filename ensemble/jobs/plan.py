"""Which jobs there are, and which must wait for which."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ensemble.errors import ConfigError
from ensemble.networks.catalogue import check_member
from ensemble.project import Project
from ensemble.training.job import Job
from ensemble.vocabulary import STAGES


def plan(
    project: Project, folds: Sequence[int], *, stage: str | None = None, member: str | None = None
) -> tuple[Job, ...]:
    """The jobs of some folds, in an order in which each finds what it needs.

    Fold by fold, restoration before colorization. Fixed members are among them: they are not
    trained, but their predictions are collected. External members are not.

    Args:
        project: Names the members.
        folds: Which folds.
        stage: Only this stage.
        member: Only the member of this name.

    Raises:
        ConfigError: No member fits, or smp or timm do not know one of your own.
    """
    members = [
        one
        for name in STAGES
        if stage in (None, name)
        for one in project.members(name)
        if member in (None, one.name) and one.kind != "external"
    ]
    if not members:
        known = [one.name for name in STAGES for one in project.members(name)]
        raise ConfigError(
            f"no member of ens.toml fits (stage={stage or 'any'}, member={member or 'any'}); "
            f"its members are {', '.join(known)}"
        )
    own = {(table.stage, table.name) for table in project.config.member}
    for one in members:
        if (one.stage, one.name) in own:
            check_member(one)
    return tuple(Job(one.stage, one.name, fold) for fold in folds for one in members)


def blockers(job: Job, jobs: Collection[Job]) -> frozenset[Job]:
    """The jobs that must have ended before `job` may begin."""
    if job.stage == "restoration":
        return frozenset()
    return frozenset(j for j in jobs if j.stage == "restoration" and j.fold == job.fold)
