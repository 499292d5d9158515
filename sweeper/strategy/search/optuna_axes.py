"""The swept names in Optuna's terms: what stands for each of their values, and Sobol's points.

Imported only for a sweep that searches with one of Optuna's samplers.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import QMCSampler
from optuna.trial import TrialState, create_trial

from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.ranges import LogRandInt, LogUniform, RandInt, Uniform
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point, swept
from sweeper.spec.space import AnyDomain
from sweeper.spec.trainer.settings import KnownSettings

optuna.logging.set_verbosity(optuna.logging.ERROR)

QUANTILES = (0.001, 0.999)  # of a normal, between which Optuna searches


class SearchAxis:
    """One swept name as Optuna knows it.

    Listed values have no order. Of values in steps, Optuna has the number of the step; but it knows
    no steps on a log scale, so there a real number stands for the value below it. A normal is
    searched by its quantiles.
    """

    def __init__(self, key: str, domain: AnyDomain, known: KnownSettings) -> None:
        self.key = key
        self.domain = domain
        self.distribution = _distribution(key, domain, known)

    def suggest(self, trial: optuna.Trial) -> Scalar:
        """Ask Optuna's trial for a value of this name."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return self.value(trial.suggest_categorical(self.key, choices))
            case FloatDistribution(low=low, high=high, log=log):
                return self.value(trial.suggest_float(self.key, low, high, log=log))
            case IntDistribution(low=low, high=high, log=log):
                return self.value(trial.suggest_int(self.key, low, high, log=log))
        raise AssertionError(self.distribution)

    def value(self, param: Any) -> Scalar:
        """The value of the domain that Optuna's parameter stands for."""
        match self.domain:
            case Grid() | Choice():
                return self.domain.values()[int(param)]
            case Normal():
                return float(NormalDist(*self.domain.normal).inv_cdf(param))
            case LogUniform(step=float(step)):
                return float(self.domain.step_below(param, step))
            case LogRandInt(step=int(step)):
                return int(self.domain.step_below(param, step))
            case Uniform(step=float(step)):
                return float(self.domain.at(param, step))
            case RandInt(step=int(step)):
                return int(self.domain.at(param, step))
        as_it_is: Scalar = param
        return as_it_is

    def param(self, value: Any) -> Any:
        """Optuna's parameter for a value of the domain."""
        match self.domain, self.distribution:
            case Grid() | Choice(), _:
                listed = [(type(option), option) for option in self.domain.values()]
                return listed.index((type(value), value))
            case Normal(), FloatDistribution(low=low, high=high):
                return min(high, max(low, NormalDist(*self.domain.normal).cdf(value)))
            case LogUniform(step=float(step)) | LogRandInt(step=int(step)), _:
                return math.sqrt(value * (value + step))  # in the middle of those that stand for it
            case Uniform(step=float(step)) | RandInt(step=int(step)), _:
                return self.domain.index_of(value, step)
        return value


def _distribution(key: str, domain: AnyDomain, known: KnownSettings) -> BaseDistribution:
    match domain:
        case Grid() | Choice():
            return CategoricalDistribution(range(len(domain.values())))
        case Normal():
            low, high = map(NormalDist(*domain.normal).cdf, known.bounds(key))
            lowest, highest = QUANTILES
            return FloatDistribution(max(lowest, low + 1e-6), min(highest, high - 1e-6))
        case LogUniform(step=float(step)) | LogRandInt(step=int(step)):
            return FloatDistribution(domain.bounds()[0], domain.end_of_steps(step), log=True)
        case Uniform(step=float(step)) | RandInt(step=int(step)):
            return IntDistribution(0, domain.num_steps(step))
        case Uniform() | LogUniform():
            low, high = domain.bounds()
            return FloatDistribution(low, high, log=isinstance(domain, LogUniform))
        case RandInt(randint=[low, high]):
            return IntDistribution(low, high)
        case LogRandInt(lograndint=[low, high]):
            return IntDistribution(low, high, log=True)
    raise AssertionError(domain)


def sobol_points(
    space: Mapping[str, AnyDomain], seed: int, known: KnownSettings
) -> Iterator[Point]:
    """A scrambled Sobol sequence over the space. Names that are not swept at a point are left
    out."""
    axes = {key: SearchAxis(key, domain, known) for key, domain in space.items()}
    distributions = {key: axis.distribution for key, axis in axes.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = QMCSampler(seed=sampler_seed(seed), scramble=True)
    study = optuna.create_study()
    asking = create_trial(state=TrialState.RUNNING)
    while True:
        params = sampler.sample_relative(study, asking, distributions)
        yield swept(space, {key: axis.value(params[key]) for key, axis in axes.items()})


def sampler_seed(*numbers: int) -> int:
    """A seed of 32 bits, as Optuna takes it, made from these numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
