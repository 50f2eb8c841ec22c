from __future__ import annotations

import errno
import multiprocessing
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.storages.journal import _file
from optuna.trial import create_trial

from ensemble.blending import search as searching
from ensemble.blending.samplers import SAMPLERS, make_sampler
from ensemble.blending.search import name_study, open_storage, open_study, search
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics.sampling import Plan
from ensemble.errors import ConfigError, StaleArtefactError

VIEWS = ("identity", "hflip", "vflip", "hvflip")
SPACE = SearchSpace(views=dict.fromkeys("abc", VIEWS), chroma=("mean", "median"), hue=("none",))
BEST = {"a": 0.6, "b": 0.1, "c": 0.3}


def value(candidate):
    """Highest at `BEST` with two views and the median; smooth in the weights."""
    weights = candidate.recipe.weights
    distance = sum((weights.get(member, 0) - due) ** 2 for member, due in BEST.items())
    views = abs(len(next(iter(candidate.recipe.views.values()))) - 2)
    return -distance - 0.05 * views - 0.05 * (candidate.composition.chroma != "median")


def run(study, sampler="tpe", trials=60, **options):
    return search(study, SPACE, value, sampler=sampler, trials=trials, seed=0, **options)


class SamplerContract:
    """What every sampler must guarantee; a subclass names its sampler."""

    name: str
    close = 0.12

    def test_it_comes_close_to_the_best(self):
        found = run(open_study(None, "s"), self.name, trials=150)
        assert found.ranked[0][1] > -self.close

    def test_it_is_never_worse_than_the_baselines(self):
        found = run(open_study(None, "s"), self.name, trials=30)
        assert found.ranked[0][1] >= max(value(baseline) for baseline in SPACE.baselines())

    def test_the_same_seed_finds_the_same(self):
        first, second = (run(open_study(None, "s"), self.name, trials=40) for _ in range(2))
        assert [v for _, v in first.ranked] == [v for _, v in second.ranked]
        assert first.ranked[0][0].key == second.ranked[0][0].key

    def test_a_continued_search_is_the_uninterrupted_one(self, tmp_path):
        storage = open_storage(tmp_path / "study.log")
        run(open_study(storage, "s"), self.name, trials=20)
        continued = run(open_study(storage, "s"), self.name, trials=35)
        assert continued.done == 35
        once = run(open_study(None, "s"), self.name, trials=35)
        assert [v for _, v in continued.ranked] == [v for _, v in once.ranked]

    def test_every_proposal_lies_in_the_space(self):
        study = open_study(None, "s")
        study.sampler = make_sampler(self.name, SPACE, 3)
        for _ in range(30):
            trial = study.ask(SPACE.distributions)
            assert trial.params.keys() == SPACE.distributions.keys()
            for name, distribution in SPACE.distributions.items():
                assert distribution._contains(distribution.to_internal_repr(trial.params[name]))
            study.tell(trial, value(SPACE.decode(trial.params)))

    def test_trials_do_not_repeat_one_another(self):
        study = open_study(None, "s")
        run(study, self.name, trials=40)
        drawn = {tuple(sorted(trial.params.items())) for trial in study.trials}
        assert len(drawn) > 32


class TestTpe(SamplerContract):
    name = "tpe"


class TestGreedy(SamplerContract):
    name = "greedy"
    close = 0.02


def test_every_sampler_has_its_contract_test():
    tested = {contract.name for contract in SamplerContract.__subclasses__()}
    assert tested == set(SAMPLERS)


def test_an_unknown_sampler_is_refused():
    with pytest.raises(ConfigError, match="`Greedy` is no sampler; valid, nearest first: `greedy`"):
        make_sampler("Greedy", SPACE, 0)


def test_enough_trials_are_not_added_to():
    study = open_study(None, "s")
    run(study, trials=20)
    assert run(study, trials=20).done == 20


def test_no_trials_still_give_the_baselines():
    found = run(open_study(None, "s"), trials=0)
    assert found.done == len(SPACE.baselines())


def test_an_interruption_keeps_what_is_finished():
    study = open_study(None, "s")
    calls = []

    def interrupted(candidate):
        if len(calls) == 15:
            raise KeyboardInterrupt
        calls.append(candidate)
        return value(candidate)

    found = search(study, SPACE, interrupted, sampler="tpe", trials=40, seed=0)
    assert (found.done, found.missing) == (15, 25)
    assert run(study, trials=40).missing == 0
    once = open_study(None, "s")
    run(once, trials=40)
    assert [(one.params, one.value) for one in study.trials] == [
        (one.params, one.value) for one in once.trials
    ]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_was_killed_ends_as_one_that_was_not(tmp_path, monkeypatch, sampler):
    """Killed before each line of its journal in turn, at a stride."""
    monkeypatch.setattr(searching, "_ASK_SECONDS", 0.0)
    honest, left = searching._Journal.append_logs, [10**9]

    def append_logs(self, logs):
        left[0] -= 1
        if left[0] < 0:
            raise SystemExit
        honest(self, logs)

    monkeypatch.setattr(searching._Journal, "append_logs", append_logs)

    def run_journal(name):
        study = open_study(open_storage(tmp_path / name), "s")
        run(study, sampler, trials=18)
        return [(one.number, one.state, one.params, one.value) for one in study.trials]

    once, lines = run_journal("once"), len((tmp_path / "once").read_text().splitlines())
    for kept in range(0, lines, 19):
        left[0] = kept
        with pytest.raises(SystemExit):
            run_journal(f"{kept}")
        left[0] = 10**9
        assert run_journal(f"{kept}") == once


def test_a_trial_that_another_process_finished_meanwhile_counts_once():
    study = open_study(None, "s")
    raced = []

    def value_meanwhile(candidate):
        if not raced:
            raced.append(candidate)
            assert run(study, trials=12).done == 12
        return value(candidate)

    found = search(study, SPACE, value_meanwhile, sampler="tpe", trials=14, seed=0)
    assert (found.done, len(study.trials)) == (14, 14)


def test_a_trial_of_another_space_is_refused():
    study = open_study(None, "s")
    distributions = {**SPACE.distributions, "chroma": CategoricalDistribution(("mean", "evil"))}
    params = {**SPACE.encode(SPACE.plain_mean()), "chroma": "evil"}
    study.add_trial(create_trial(params=params, distributions=distributions, value=1.0))
    with pytest.raises(StaleArtefactError, match="trial 0 is not one of this search"):
        run(study)


@pytest.mark.parametrize("directions", ["[]", "[1]", "[2, 2]"])
def test_a_study_of_other_directions_is_refused(tmp_path, directions):
    """Without a direction every trial fails, and the search would have no end."""
    path = tmp_path / "study.log"
    open_study(open_storage(path), "s")
    text = path.read_text()
    assert '"directions":[2]' in text
    path.write_text(text.replace('"directions":[2]', f'"directions":{directions}'))
    with pytest.raises(StaleArtefactError, match="is damaged .*one direction, maximize"):
        open_study(open_storage(path), "s")


def test_threads_share_a_study():
    found = run(open_study(None, "s"), trials=40, jobs=3)
    assert found.done >= 40


def _worker(storage, barrier):
    study = open_study(open_storage(storage), "shared")
    barrier.wait()
    run(study, trials=40)


def finished(study):
    return [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]


def test_two_processes_share_trials_and_lose_none(tmp_path):
    storage = str(tmp_path / "study.log")
    open_study(open_storage(storage), "shared")
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [context.Process(target=_worker, args=(storage, barrier)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    study = open_study(open_storage(storage), "shared")
    assert 40 <= len(finished(study)) <= 41
    assert [trial.number for trial in study.trials] == list(range(len(study.trials)))
    drawn = {tuple(trial.params.items()) for trial in finished(study)}
    assert len(drawn) >= 40 - len(SPACE.baselines())


@pytest.mark.parametrize("lost", [1, 17])
def test_a_journal_survives_a_writer_that_was_killed_within_a_line(tmp_path, lost):
    journal = tmp_path / "study.log"
    run(open_study(open_storage(journal), "s"), trials=12)
    whole = journal.read_bytes()
    *_, last = whole.splitlines(keepends=True)
    assert len(last) > lost
    journal.write_bytes(whole[:-lost])
    study = open_study(open_storage(journal), "s")
    assert len(finished(study)) == 11
    run(study, trials=20)
    assert len(finished(open_study(open_storage(journal), "s"))) == 20


def test_a_line_that_is_cut_while_others_work_is_repaired_by_the_next_writer(tmp_path):
    journal = tmp_path / "study.log"
    study = open_study(open_storage(journal), "s")
    run(study, trials=12)
    with journal.open("ab") as file:
        file.write(b'{"op_code":6,"worker_id":"killed"')
    run(study, trials=20)
    assert len(finished(study)) == 20
    assert len(finished(open_study(open_storage(journal), "s"))) == 20


def test_a_journal_needs_no_link_where_links_need_rights(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "symlink", Mock(side_effect=OSError("a privilege is not held")))
    study = open_study(open_storage(tmp_path / "study.log"), "any")
    run(study, trials=6)
    found = {path.name for path in tmp_path.iterdir()}
    assert found - {".study.log.lock"} == {"study.log"}  # some versions of filelock remove theirs


def test_a_full_disk_is_told_of_the_journal(tmp_path, monkeypatch):
    honest, path = Path.open, tmp_path / "study.log"

    def refuse(self, mode="r", **options):
        if mode == "ab":
            raise OSError(errno.ENOSPC, "No space left on device")
        return honest(self, mode, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OSError, match="No space left on device: .*study.log"):
        open_study(open_storage(path), "any")


def test_a_full_disk_is_not_blamed_on_the_name_of_a_new_journal(tmp_path, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "study.log"))
    monkeypatch.setattr(_file, "open", Mock(side_effect=full), raising=False)
    with pytest.raises(OSError, match="No space left on device: .*study.log"):
        open_storage(tmp_path / "study.log")


def test_a_journal_is_a_journal_whichever_way_it_is_written(tmp_path):
    run(open_study(open_storage(f"journal:///{tmp_path}/one.log"), "s"), trials=12)
    again = open_study(open_storage(tmp_path / "one.log"), "s")
    assert len(again.trials) >= 12


@pytest.mark.parametrize("text", ["notes", '{"version": 1}', "1,2\n3,4\n"])
def test_another_file_is_no_journal_and_stays_as_it_is(tmp_path, text):
    file = tmp_path / "notes.txt"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"a journal file of Optuna or a new file, but `{file}`"):
        open_storage(file)
    assert file.read_text() == text


def test_a_journal_that_was_killed_in_its_first_line_begins_anew(tmp_path):
    journal = tmp_path / "study.log"
    journal.write_bytes(b'{"op_co')
    assert run(open_study(open_storage(journal), "s"), trials=12).done == 12


def test_a_database_is_opened_by_its_url(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    assert run(open_study(open_storage(url), "s"), trials=14).done == 14
    assert run(open_study(open_storage(url), "s"), trials=16).done == 16


def test_an_sqlite_study_is_no_journal_and_its_url_is_given(tmp_path):
    open_study(open_storage(f"sqlite:///{tmp_path}/study.db"), "s")
    with pytest.raises(ConfigError, match=f"SQLite study; give .* --storage sqlite:///{tmp_path}"):
        open_storage(tmp_path / "study.db")


@pytest.mark.parametrize("where", ["postgresql://127.0.0.1:1/none", "sqlite:////no/such/folder/x"])
def test_a_storage_that_cannot_be_opened_is_refused(where):
    with pytest.raises(ConfigError, match=f"or a database URL that Optuna can open, but `{where}`"):
        open_storage(where)


@pytest.mark.parametrize(
    "url", ["mssql+pyodbc://?odbc_connect=DRIVER=/tmp/evil.so", "mysql+pyodbc://h", "redis://h"]
)
def test_a_driver_that_the_url_may_choose_is_refused(url):
    kind = url.partition(":")[0]
    with pytest.raises(ConfigError, match=re.escape(f"`{kind}` is no database for `--storage`")):
        open_storage(url)


def test_a_database_of_others_stays_as_it_is(tmp_path):
    path = tmp_path / "places.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table places (url text)")
        database.commit()
    before = path.read_bytes()
    message = f"a database of Optuna or a new file, but `{path}` has other tables, `places` among"
    with pytest.raises(ConfigError, match=message):
        open_storage(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_journal_is_not_made_through_a_link(tmp_path):
    (tmp_path / "study.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is a link to `.*elsewhere`, which is not there"):
        open_storage(tmp_path / "study.log")
    assert not (tmp_path / "elsewhere").exists()


def test_a_study_is_named_after_all_that_its_trials_depend_on():
    name = name_study("colorization", evidence="e", space=SPACE, plan=Plan())
    other_space = SearchSpace(views=dict.fromkeys("abc", VIEWS))
    others = {
        name_study("restoration", evidence="e", space=SPACE, plan=Plan()),
        name_study("colorization", evidence="f", space=SPACE, plan=Plan()),
        name_study("colorization", evidence="e", space=other_space, plan=Plan()),
        name_study("colorization", evidence="e", space=SPACE, plan=Plan(seed=1)),
    }
    assert name not in others
    assert len(others) == 4
    assert name == name_study("colorization", evidence="e", space=SPACE, plan=Plan())
