"""Everything `ens doctor` looks at, one finding after the other."""

from __future__ import annotations

from collections.abc import Iterator

from ensemble.config import Config
from ensemble.data.competition import Competition
from ensemble.data.photographs import Photographs
from ensemble.doctor import Finding
from ensemble.doctor.cost import Hours, check_disk, check_memory, disk_bytes
from ensemble.doctor.data import check_copies, check_data
from ensemble.doctor.machine import check_machine, check_onnx_files
from ensemble.doctor.timing import time_decoding, time_network
from ensemble.files import free_bytes
from ensemble.members import Member, configured_members
from ensemble.parallel import Progress
from ensemble.project import open_photographs
from ensemble.vocabulary import STAGES
from ensemble.workspace import Workspace

_TIMED = 16
"""Photographs that networks are timed on."""


def examine(
    workspace: Workspace, config: Config, *, sample: int, quick: bool, progress: Progress
) -> Iterator[Finding]:
    """Look at the machine, at the data, and unless `quick` at what everything will cost.

    At most `sample` photographs of each kind are looked at.

    Raises:
        EnsembleError: The data cannot be loaded, or a member cannot be built.
    """
    members = [member for stage in STAGES for member in configured_members(config, stage)]
    yield from check_machine(config, members)
    yield from check_onnx_files(workspace.root, members)
    kept = open_photographs(workspace, config)
    competition = kept.competition
    yield from check_data(competition, sample=sample, seed=config.seed, progress=progress)
    yield check_copies(kept, progress)
    if not quick:
        yield from _count_costs(workspace, config, members, competition, progress)


def _count_costs(
    workspace: Workspace,
    config: Config,
    members: list[Member],
    competition: Competition,
    progress: Progress,
) -> Iterator[Finding]:
    trained = [member for member in members if member.kind == "trained"]
    photographs, ids = Photographs(competition), competition.train_ids
    hours = Hours(config, time_decoding(competition, ids), len(ids))
    costs = []
    with progress("timing networks", len(trained)) as advance:
        for member in trained:
            costs.append(time_network(member, config, photographs, ids[:_TIMED]))
            advance(1)
    yield from hours.check_reading(costs)
    yield from hours.check(costs)
    yield from check_memory(costs, config)
    needed = disk_bytes(members, costs, config, len(ids))
    yield check_disk(needed, free_bytes(workspace.root), config)
