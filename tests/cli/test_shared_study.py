"""A study that processes share in a database: real servers, real faults."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.pool import NullPool

from ensemble.config_text import config_text
from ensemble.workspace import Workspace
from tests.conftest import UNTRAINED
from tests.reference.postgres import Server, serve

TRIALS = 30
RESTARTS = (10, 40)
"""After how many finished trials: in the search of restoration, and in that of colorization."""

Trials = dict[tuple[str, int], tuple[object, ...]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def machines(make_workspace: Callable[..., object], ens, tmp_path: Path) -> list[Path]:
    """Five workspaces with the same data and predictions, as on machines that share nothing."""
    workspace, config = make_workspace(n_train=8, **UNTRAINED)
    workspace.config_file.write_text(config_text(config))
    assert ens(workspace.root, "blend --trials 0").status == 0
    workspace.recipe_file.unlink()
    workspace.study_file.unlink()
    roots = [tmp_path / f"machine-{number}" for number in range(5)]
    for root in roots:
        shutil.copytree(workspace.root, root)
    return roots


def test_a_server_that_is_restarted_loses_no_trial_of_four_processes(
    server: Server, machines: Sequence[Path]
) -> None:
    *shared, alone = machines
    running = [start_blend(root, server.url) for root in shared]
    url = server.url.replace("postgresql:", "postgresql+psycopg:")
    # A pool would keep connections that a test has to close.
    watched, seen = RDBStorage(url, {"poolclass": NullPool}), {}
    for due in RESTARTS:
        while len(seen) < due and any(process.poll() is None for process in running):
            time.sleep(0.05)
            seen = finished(watched)
        server.control("restart", "-m", "immediate")
    said = [end_blend(process) for process in running]
    assert any("cannot be reached" in text for _, text in said)
    for root, (status, text) in zip(shared, said, strict=True):
        if status:  # it was about to open the database
            assert status == 2, text
            assert end_blend(start_blend(root, server.url))[0] == 0

    trials = finished(watched)
    assert seen.items() <= trials.items()
    assert all(TRIALS <= count <= TRIALS + 3 for count in count_by_study(trials))
    # One process makes of these trials what the four have made.
    assert end_blend(start_blend(alone, server.url))[0] == 0
    assert finished(watched) == trials
    recipes = {Workspace(root).recipe_file.read_bytes() for root in machines}
    assert len(recipes) == 1


def test_processes_of_one_machine_share_a_file(machines: Sequence[Path], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    for process in [start_blend(root, url) for root in machines[:2]]:
        assert end_blend(process)[0] == 0
    trials = finished(RDBStorage(url, {"poolclass": NullPool}))
    assert all(TRIALS <= count <= TRIALS + 1 for count in count_by_study(trials))
    assert len({Workspace(root).recipe_file.read_bytes() for root in machines[:2]}) == 1


def start_blend(root: Path, storage: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ensemble.cli.app", "--root", root, "blend"]
    return subprocess.Popen(
        [*command, "--trials", str(TRIALS), "--storage", storage],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end_blend(process: subprocess.Popen[str]) -> tuple[int, str]:
    said = process.communicate()[0]
    assert "Traceback" not in said, said
    return process.returncode, said


def finished(storage: BaseStorage) -> Trials:
    """Parameters and value of every finished trial, by its study and number."""
    return {
        (summary.study_name, trial.number): (tuple(sorted(trial.params.items())), trial.value)
        for summary in storage.get_all_studies()
        for trial in storage.get_all_trials(summary._study_id)
        if trial.state == optuna.trial.TrialState.COMPLETE
    }


def count_by_study(trials: Trials) -> list[int]:
    studies = [study for study, _ in trials]
    return [studies.count(study) for study in set(studies)]
