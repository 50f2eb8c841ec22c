"""Search: trials of one Optuna study, by one process or several that share it."""

from __future__ import annotations

import json
import math
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from ensemble.blending.candidate import Candidate
from ensemble.blending.samplers import make_sampler
from ensemble.blending.space import SearchSpace
from ensemble.blending.statistics.moments import VERSION
from ensemble.blending.statistics.sampling import Plan
from ensemble.errors import ConfigError, EnsembleError, StaleArtefactError
from ensemble.files import acquire, make_lock, name_in_errors
from ensemble.manifest import digest_json
from ensemble.parallel import Advance, Say
from ensemble.reading import file_status, refuse_link_to_nothing, shorten

JOURNAL = "journal:///"
_POLL_SECONDS = 0.01
_ASK_SECONDS = 1.0
"""In which a process that lives has drawn every parameter of a trial that it has begun."""

JOURNAL_HEAD, SQLITE_HEAD = b'{"op_code":', b"SQLite format 3\0"

Value = Callable[[Candidate], float]


@dataclass(frozen=True)
class SearchResult:
    """The distinct candidates with their estimates, best first, and the trials of all processes."""

    ranked: tuple[tuple[Candidate, float], ...]
    done: int
    wanted: int

    @property
    def missing(self) -> int:
        """Trials that an interruption left undone."""
        return max(0, self.wanted - self.done)


class _Journal(JournalFileBackend):
    """Optuna's journal; its lines are not forced to the disk one by one, and errors name the file.

    Forcing took most of a trial's time. A process that is killed loses none; a power failure may
    lose the last trials. The lock is that of the workspace: Optuna's are files, which a killed
    process leaves behind and others wait for.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._held = make_lock(path, wait=True, poll_seconds=_POLL_SECONDS)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append a line a log, after a line that a killed writer left unfinished was removed.

        Else it would be appended to that line, and Optuna would refuse the whole journal.
        """
        lines = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs)
        with name_in_errors(self._path):
            acquire(self._held)
            try:
                _cut_unfinished_line(self._path)
                with self._path.open("ab") as file:
                    file.write(lines.encode())
            finally:
                self._held.release()


def open_storage(where: str | Path, say: Say = lambda _: None) -> BaseStorage:
    """Open or make a storage of studies; several processes may share it.

    `where` is a path, or `journal:///PATH`, of a journal file, which may lie on a network file
    system; or a database URL of Optuna. `say` is called when a database is out of reach for a
    while.

    Raises:
        ConfigError: There is no such storage and none can be made.
        OSError: The disk is full, or fails.
    """
    text = str(where)
    if text.startswith(JOURNAL) or "://" not in text:
        path = Path(text.removeprefix(JOURNAL))
        with name_damage(f"the study file `{path}`"):
            return _open_journal(path)
    from ensemble.blending.database import open_database  # SQLAlchemy takes a while to import

    return open_database(text, say)


def name_study(stage: str, *, evidence: str, space: SearchSpace, plan: Plan) -> str:
    """Name a study after everything that its trials depend on.

    `evidence` is the `Evidence.digest` and what was sampled of it; `plan`, how much of each
    photograph is read.
    """
    coding = {name: str(value) for name, value in space.distributions.items()}
    views = {member: list(views) for member, views in space.views.items()}
    parts = [VERSION, evidence, coding, views, sorted(space.histogram_members)]
    parts += [space.fixed.model_dump(mode="json"), str(plan)]
    return f"{stage}-{digest_json(parts)[:16]}"


def open_study(storage: BaseStorage | None, name: str) -> optuna.Study:
    """Open or make a study; None keeps it in memory."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)  # of `multivariate`, before 5
    with name_damage(name_kept(name)):
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", load_if_exists=True
        )
        if study.directions != [StudyDirection.MAXIMIZE]:  # no trial of it would ever finish
            raise ValueError(f"it is to have one direction, maximize, not {study.directions}")
        return study


@contextmanager
def name_damage(what: str) -> Iterator[None]:
    """Turn whatever a damaged storage makes Optuna raise into an error with a remedy."""
    try:
        yield
    except (OSError, EnsembleError):
        raise
    except Exception as error:
        reason = shorten(f"{type(error).__name__}: {error}")
        raise StaleArtefactError(
            f"{what} is damaged ({reason}); move it away, or give another --storage"
        ) from None


def name_kept(study_name: str) -> str:
    """A study, and where it is kept, at the head of a sentence."""
    return f"the study `{study_name}`, kept in oof/study.log unless --storage names another file,"


def _require_whole(study: optuna.Study, space: SearchSpace) -> None:
    """Refuse trials that the search cannot have made."""
    with name_damage(name_kept(study.study_name)):
        for trial in study.get_trials(deepcopy=False):
            foreign = trial.state == TrialState.COMPLETE and (
                trial.params.keys() != space.distributions.keys()
                or trial.value is None
                or not math.isfinite(trial.value)
            )
            if foreign or not all(_draws(space, *one) for one in trial.params.items()):
                raise ValueError(f"trial {trial.number} is not one of this search")


def _draws(space: SearchSpace, name: str, value: Any) -> bool:
    distribution: Any = space.distributions[name]
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return bool(distribution.low <= value <= distribution.high)


def search(
    study: optuna.Study,  # from `open_study`
    space: SearchSpace,  # the candidates
    value: Value,  # the objective, to be maximized
    *,
    sampler: str,  # one of `SAMPLERS`
    trials: int,  # finished trials wanted in the study
    seed: int,  # of what is drawn; with one job and one process, the result depends on nothing else
    jobs: int = 1,  # threads that run trials, by joblib
    advance: Advance = lambda _: None,  # called with 1 for each trial that finished here
) -> SearchResult:
    """Run trials until the study has `trials` finished ones, baselines included.

    The baselines come first. A study that has trials is continued, those first that an earlier
    process began and did not finish: their numbers are drawn again, so a search that was killed
    ends as one that was not. Several processes may run trials of a study at once, and all of them
    count; a trial that another is running may then be run twice, and counts once. Ctrl-C ends the
    search and keeps finished trials.
    """
    study.sampler = make_sampler(sampler, space, seed)
    _require_whole(study, space)
    for baseline in space.baselines():
        study.enqueue_trial(space.encode(baseline), skip_if_exists=True)
    wanted = max(trials, len(space.baselines()))
    stop, begun = threading.Event(), iter(_list_begun(study, space))

    def work() -> None:
        while not stop.is_set() and len(_list_finished(study)) < wanted:
            _run_trial(study, next(begun, None) or study.ask(), space, value)
            advance(1)

    try:
        parallel = joblib.Parallel(n_jobs=jobs, backend="threading")
        parallel(joblib.delayed(work)() for _ in range(jobs))
    except KeyboardInterrupt:
        stop.set()
    # The earliest, so that all processes of a study end with the same trials.
    finished = _list_finished(study)
    finished.sort(key=lambda trial: (str(trial.datetime_complete), trial.number))
    return SearchResult(_rank(finished[:wanted], space), len(finished), wanted)


def _open_journal(path: Path) -> JournalStorage:
    refuse_link_to_nothing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = b""
    if path.exists():
        file_status(path)
        with path.open("rb") as file:
            head = file.read(len(SQLITE_HEAD))
    if head.startswith(SQLITE_HEAD):
        raise ConfigError(
            f"`--storage` must be a journal file or a URL, but `{path}` is an SQLite study; give "
            f"another file, or go on with this one by --storage sqlite:///{path}"
        )
    if head[: len(JOURNAL_HEAD)] != JOURNAL_HEAD[: len(head)]:
        # Checked before any writing: `append_logs` would cut another file's last line.
        raise ConfigError(
            f"`--storage` must be a journal file of Optuna or a new file, but `{path}` is another "
            "file; give another name"
        )
    return JournalStorage(_Journal(path))


def _cut_unfinished_line(path: Path) -> None:
    """Cut a file after its last newline. Only the holder of the lock may write to it."""
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        if end == 0:
            return
        file.seek(end - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def _list_begun(study: optuna.Study, space: SearchSpace) -> list[Trial]:
    """Trials that were begun and not finished, oldest first: by a process that has died, or lives.

    One that lives must not draw parameters of the same trial meanwhile.
    """

    def find() -> list[FrozenTrial]:
        return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    if any(trial.params.keys() != space.distributions.keys() for trial in find()):
        time.sleep(_ASK_SECONDS)
    return [Trial(study, trial._trial_id) for trial in find()]


def _run_trial(study: optuna.Study, trial: Trial, space: SearchSpace, value: Value) -> None:
    """Draw what is not drawn yet, and finish the trial, unless another process does it first.

    An interrupted trial stays begun: the next search finishes it.
    """
    with suppress(UpdateFinishedTrialError):
        for name, distribution in space.distributions.items():
            trial._suggest(name, distribution)
        study.tell(trial, value(space.decode(trial.params)), skip_if_finished=True)


def _list_finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _rank(trials: list[FrozenTrial], space: SearchSpace) -> tuple[tuple[Candidate, float], ...]:
    best: dict[str, tuple[Candidate, float]] = {}
    for trial in sorted(trials, key=lambda trial: (-(trial.value or 0.0), trial.number)):
        candidate = space.decode(trial.params)
        best.setdefault(candidate.key, (candidate, float(trial.value or 0.0)))
    return tuple(best.values())
