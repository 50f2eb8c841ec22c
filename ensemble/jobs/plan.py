"""Which jobs there are, which must wait for which, and how far each is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from ensemble.errors import ConfigError
from ensemble.networks.catalogue import check_member
from ensemble.project import Project
from ensemble.training.job import Job
from ensemble.vocabulary import FULL, Fold

MOST_ATTEMPTS = 2
BLOCKED = "a job it needs has failed"

State = Literal["waiting", "running", "done", "failed", "skipped"]


def plan(
    project: Project, folds: Sequence[Fold], *, stage: str | None = None, member: str | None = None
) -> tuple[Job, ...]:
    """List the jobs of some folds, in an order in which each finds what it needs.

    Fold by fold, restoration before colorization; only of one stage, or of the members of one
    name, if given. Fixed members are among them: they are not trained, but their predictions are
    collected. External members are not. For FULL nothing is collected, and only trained members
    have a job.

    Raises:
        ConfigError: There is no such member, or smp or timm have no such network for one of
            your own.
    """
    members = project.select_members(stage, member)
    own = {(table.stage, table.name) for table in project.config.member}
    for one in members:
        if (one.stage, one.name) in own:
            check_member(one)
    jobs = tuple(
        Job(one.stage, one.name, fold)
        for fold in folds
        for one in members
        if one.kind == "trained" or fold != FULL
    )
    if not jobs:
        names = ", ".join(f"`{one.name}`" for one in members)
        raise ConfigError(f"`--fold {FULL}` trains networks, but {names} cannot be trained")
    return jobs


def blockers(job: Job, jobs: Collection[Job]) -> frozenset[Job]:
    """The jobs that must have ended before `job` may begin."""
    if job.stage == "restoration" or job.fold == FULL:  # without validation, clean gray is enough
        return frozenset()
    return frozenset(j for j in jobs if j.stage == "restoration" and j.fold == job.fold)


@dataclass
class Entry:
    """A job and how far it is.

    `skipped` is a job that needs one that has failed. It runs on the GPU or worker `where`; the
    reason is why it failed, the end of its log.
    """

    job: Job
    state: State = "waiting"
    attempts: int = 0
    where: str = ""
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "skipped")

    def begin(self, where: str = "") -> None:
        """Note that an attempt begins."""
        self.state, self.where = "running", where
        self.attempts += 1

    def end(self, failure: str = "", *, refused: bool = False) -> None:
        """Judge an attempt that has ended; a failed job is tried once more, a refused one is not.

        Without `failure`, the reason, it is done.
        """
        again = not refused and self.attempts < MOST_ATTEMPTS
        self.state = "done" if not failure else "waiting" if again else "failed"
        self.where, self.reason = "", failure

    def skip(self) -> None:
        """Give the job up: one that it needs has failed."""
        self.state, self.where, self.reason = "skipped", "", BLOCKED


def may_begin(entry: Entry, entries: Sequence[Entry]) -> bool:
    """Whether all jobs that an entry needs are done; it is skipped once one of them has failed."""
    needed = blockers(entry.job, [other.job for other in entries])
    states = {other.state for other in entries if other.job in needed}
    if states & {"failed", "skipped"}:
        entry.skip()
    return states <= {"done"}
