"""Every verb killed, or told that the disk is full, at some points; `benchmarks/kills.py` at all.

Which points changes nothing but how long it takes: each step is disturbed at another place.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.disturb import FREEING, KILL, find_sites
from tests.crash.forks import Forks
from tests.crash.ordeal import try_point
from tests.crash.verbs import STEPS, Prepared

KILLS = int(os.environ.get("ENS_KILLS", "1"))
"""Kills of each step; the faults of the machine are of every other step."""
NUMBERS = {step.name: number for number, step in enumerate(STEPS)}


def spread(points: list[int], count: int, number: int) -> list[int]:
    """`count` points at equal distances; `number` shifts them."""
    stride = max(1, len(points) // count)
    return points[(7 * number) % stride :: stride][:count]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_killed_command_that_runs_again_leaves_what_one_run_leaves(
    name: str, prepared: dict[str, Prepared], forks: Forks, folder: Path
) -> None:
    one = prepared[name]
    for at in spread(find_sites(one.points), KILLS, NUMBERS[name]):
        outcome = try_point(forks, one, folder / "chain/work", KILL, at)
        assert not outcome.fault, f"killed at {at}, {one.points[at]}: {outcome.fault}"
        assert outcome.ended == "killed"


@pytest.mark.parametrize("name", list(NUMBERS)[::2])
def test_a_full_disk_is_told_in_a_line_and_nothing_is_lost(
    name: str, prepared: dict[str, Prepared], forks: Forks, folder: Path
) -> None:
    one, fault = prepared[name], ("ENOSPC", "EIO", "EDQUOT")[NUMBERS[name] // 2 % 3]
    sites = [at for at in find_sites(one.points) if one.points[at][0] not in FREEING]
    for at in spread(sites, KILLS, NUMBERS[name]):
        outcome = try_point(forks, one, folder / "chain/work", fault, at)
        assert not outcome.fault, f"{fault} at {at}, {one.points[at]}: {outcome.fault}"
