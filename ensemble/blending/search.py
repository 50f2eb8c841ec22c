"""The search: trials on the fast objective until there are enough, alone or in company."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import joblib
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from ensemble.blending.candidate import Candidate
from ensemble.blending.own_strategies import strategy
from ensemble.blending.space import SearchSpace
from ensemble.parallel import count_cores

Value = Callable[[Candidate], float]


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        ranked: Distinct candidates with their estimates, best first.
        done: Finished trials of the study, whoever ran them.
        wanted: Trials that were asked for.
    """

    ranked: tuple[tuple[Candidate, float], ...]
    done: int
    wanted: int

    @property
    def missing(self) -> int:
        """Trials that an interruption left undone."""
        return max(0, self.wanted - self.done)


def search(
    study: optuna.Study,
    space: SearchSpace,
    value: Value,
    *,
    sampler: str,
    trials: int,
    seed: int,
    jobs: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Found:
    """Run trials until the study has `trials` finished ones.

    The baselines come first. A study that has trials already is continued; other processes may
    work on it at the same time, and every trial counts, whoever ran it. Ctrl-C ends the search
    and keeps what is finished.

    Args:
        study: From `open_study`.
        space: Where to look.
        value: The objective, to be maximised.
        sampler: One of `STRATEGIES`.
        trials: Finished trials wanted in the study, baselines included.
        seed: Seed of what is drawn; with one job and one process, the result depends on nothing
            else.
        jobs: Threads that run trials, by joblib; -1 for all cores.
        advance: Told 1 for each trial that finished here.

    Returns:
        What the study holds at the end: at least the baselines, unless interrupted before.

    Raises:
        ConfigError: There is no such sampler.
    """
    study.sampler = strategy(sampler).sampler(space, seed)
    _enqueue(study, space)
    wanted = max(trials, len(space.baselines()))
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set() and _done(study) < wanted:
            _run_trial(study, space, value)
            advance(1)

    try:
        count = jobs if jobs > 0 else count_cores()
        if count == 1:
            work()
        else:
            joblib.Parallel(n_jobs=count, backend="threading")(
                joblib.delayed(work)() for _ in range(count)
            )
    except KeyboardInterrupt:
        stop.set()
    return Found(_ranked(_first(study, wanted), space), _done(study), wanted)


def _enqueue(study: optuna.Study, space: SearchSpace) -> None:
    """Ask for the baselines first, unless the study has them or is about to."""
    for baseline in space.baselines():
        study.enqueue_trial(space.params(baseline), skip_if_exists=True)


def _run_trial(study: optuna.Study, space: SearchSpace, value: Value) -> None:
    trial: Trial = study.ask(space.distributions)
    try:
        study.tell(trial, value(space.candidate(trial.params)))
    except BaseException:
        # An interruption, too, must not leave the trial running for ever.
        study.tell(trial, state=TrialState.FAIL)
        raise


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _done(study: optuna.Study) -> int:
    return len(_finished(study))


def _first(study: optuna.Study, wanted: int) -> list[FrozenTrial]:
    """The trials that were finished first, so that all processes of a study end with the same."""
    order = sorted(_finished(study), key=lambda trial: (str(trial.datetime_complete), trial.number))
    return order[:wanted]


def _ranked(trials: list[FrozenTrial], space: SearchSpace) -> tuple[tuple[Candidate, float], ...]:
    best: dict[str, tuple[Candidate, float]] = {}
    for trial in sorted(trials, key=lambda trial: (-(trial.value or 0.0), trial.number)):
        candidate = space.candidate(trial.params)
        best.setdefault(candidate.key, (candidate, float(trial.value or 0.0)))
    return tuple(best.values())
