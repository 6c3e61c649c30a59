"""Optuna proposes the next trial, from nothing but the list of the trials so far.

A study is built anew for each proposal, and its sampler's random numbers follow from the trial's number. So there is no
state beside the journal: a search that was killed proposes what it would have proposed, given the same trials.
"""

import importlib
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from cohort.errors import missing_package
from cohort.sweep.journal import Trial
from cohort.sweep.search.parameters import Choice, Grid, Interval, LogWhole, Parameter

REQUIREMENTS = "requirements/search.txt"


def import_optuna() -> ModuleType:
    """Raises `UserError` where it is not installed."""
    try:
        optuna = importlib.import_module("optuna")
    except ImportError as error:
        raise missing_package("--search", error, REQUIREMENTS) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def propose(
    sampler: str, parameters: Sequence[Parameter], trials: Sequence[Trial], minimise: bool
) -> dict[str, str]:
    """The values of the trial after `trials`: parameter -> the text that would be typed."""
    optuna = import_optuna()
    study = optuna.create_study(
        sampler=_sampler(optuna, sampler, int(np.random.SeedSequence(len(trials)).generate_state(1)[0])),
        direction="minimize" if minimise else "maximize",
    )
    distributions = {one.key: _distribution(optuna, one) for one in parameters}
    for trial in trials:
        study.add_trial(_told(optuna, trial, parameters, distributions))
    asked = study.ask(distributions).params
    return {one.key: _text(one, asked[one.key]) for one in parameters}


def _sampler(optuna: Any, name: str, seed: int) -> Any:
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # trials that are going count as bad ones, so that those at the same time are not all alike
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _told(optuna: Any, trial: Trial, parameters: Sequence[Parameter], distributions: dict[str, Any]) -> Any:
    """A trial as Optuna knows it.

    A diverged one is told as pruned before it had a value, which TPE takes for worse than any value: it stays away from
    there. A failed one, as after a crash, is told as failed, and says nothing about its values.
    """
    states = optuna.trial.TrialState
    state = {
        "completed": states.COMPLETE,
        "diverged": states.PRUNED,
        "failed": states.FAIL,
        None: states.RUNNING,
    }[trial.outcome and trial.outcome.state]
    return optuna.trial.create_trial(
        state=state,
        params={one.key: _number(one, trial.values[one.key]) for one in parameters},
        distributions=distributions,
        value=trial.outcome.value if state == states.COMPLETE else None,
    )


def _distribution(optuna: Any, parameter: Parameter) -> Any:
    kinds = optuna.distributions
    match parameter:
        case Choice():
            return kinds.CategoricalDistribution(parameter.values)
        case Grid():
            return kinds.IntDistribution(0, parameter.count - 1)
        case LogWhole():
            return kinds.IntDistribution(parameter.low, parameter.high, log=True)
        case Interval():
            return kinds.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    raise TypeError(parameter)


def _text(parameter: Parameter, number: Any) -> str:
    return parameter.text(number) if isinstance(parameter, Grid | Interval) else str(number)


def _number(parameter: Parameter, text: str) -> Any:
    """The inverse of `_text`."""
    match parameter:
        case Grid():
            return parameter.place(text)
        case LogWhole():
            return int(text)
        case Interval():
            return float(text)
    return text
