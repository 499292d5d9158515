"""Names that people know from elsewhere, and what they are called here: `lr`, `bohb`, `val_los`."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches

from pydantic import BaseModel

from sweeper.spec.scheduler_spec import SCHEDULERS
from sweeper.spec.space import DOMAINS
from sweeper.spec.sweep_spec import (
    CheckpointsSpec,
    FinalsSpec,
    Objective,
    Resources,
    Search,
    SweepSpec,
)
from sweeper.spec.trainer.settings import OURS, KnownSettings
from trainable.settings import OTHER_NAMES, nearest

SECTIONS: dict[str | int, type[BaseModel]] = {
    "objective": Objective,
    "search": Search,
    "finals": FinalsSpec,
    "resources": Resources,
    "checkpoints": CheckpointsSpec,
}
Synonyms = Mapping[str, str]  # what there is -> what else people call it
# What other training programs have, with what is to be known of it here.
_NOT_OFFERED: Synonyms = {
    "the model has none": "dropout",
    "the length of a run is max_steps": "epochs num_epochs num_train_epochs",
    "it is SwiGLU": "activation",
    "the loss is plain cross-entropy": "label_smoothing",
    "a step is one batch of batch_size": "gradient_accumulation_steps grad_accum",
}
_SCHEDULERS: Synonyms = {
    "hyperband, with search: {algorithm: tpe}": "bohb hyperbandforbohb",
    "hyperband": "hyperbandscheduler hyperbandpruner",
    "asha": "sha successive_halving async_hyperband asyncsuccessivehalving ashascheduler "
    "asynchyperband asynchyperbandscheduler successivehalvingpruner",
    "fifo": "none fifoscheduler noppruner",
    "median": "median_stopping medianstopping medianstoppingrule medianpruner",
    "pbt": "population_based_training populationbasedtraining pb2",
}
_BOUNDS = "min max low high lower upper type distribution float suggest_float"
_DOMAINS: Synonyms = {
    "grid": "values list grid_search ordinal",
    "grid, or `train:` for one value alone": "value const constant fixed",
    "choice": "categorical options",
    "randint": "int",
    "normal": "gaussian randn",
    "loguniform": "log_uniform_values",
    "uniform, as {uniform: [low, high]}": _BOUNDS,
    "uniform, with a step": "quniform",
    "randint, with a step": "qrandint",
    "loguniform, with a step": "qloguniform",
}
_LOG_DOMAINS: Synonyms = {"loguniform, as {loguniform: [low, high]}": _BOUNDS}
# What other programs call a key that is here.
_KEYS: Synonyms = {
    "space": "parameters params param_space config_space search_space hyperparameters",
    "search.algorithm": "method sampler algo search_alg tuner",
    "search.num_trials": "num_samples n_trials max_trials max_evals run_cap",
    "objective.mode": "direction goal",
    "scheduler": "pruner early_terminate early_stopping",
    "scheduler.grace_steps": "grace_period min_iter min_resource",
    "scheduler.reduction_factor": "eta",
    "train.max_steps": "max_t max_iter",
    "max_concurrent": "max_concurrent_trials n_jobs",
    "max_retries": "max_failures",
    "resources": "resources_per_trial",
    "max_spend": "time_budget_s",
}
# Of keys that have one of several words, by the last part of their names.
_WORDS: Mapping[str | int, Synonyms] = {
    "algorithm": {
        "tpe, with scheduler: {type: hyperband, …}": "bohb",
        "tpe": "optuna hyperopt",
        "gp": "bo bayes bayesian",
        "sobol": "qmc",
        "random": "uniform",
    },
    "metric": {
        "val_loss": "loss validation_loss eval_loss",
        "val_perplexity": "ppl perplexity",
        "val_bits_per_byte": "bpb bits_per_byte",
    },
    "mode": {"min": "minimize minimise", "max": "maximize maximise"},
}


def setting_hint(name: str, known: KnownSettings = OURS) -> str:
    """What may be meant by the name of a training setting that there is not."""
    if known is not OURS:
        return _meant(name, known.types, known.synonyms) or f"; there are: {', '.join(known.types)}"
    if (reason := _known_as(name, _NOT_OFFERED)) is not None:
        return f"; {name} is not offered: {reason}"
    elsewhere = [home for home in _homes(name) if not home.startswith("train.")]
    hint = f"; did you mean '{elsewhere[0]}'?" if elsewhere else ""
    return _meant(name, OURS.types, OTHER_NAMES) or hint


def swept_hint(name: str, swept: Collection[str]) -> str:
    """What may be meant by a name that is not swept."""
    called = {known: others for known, others in OTHER_NAMES.items() if known in swept}
    return _meant(name, swept, called)


def domain_hint(kind: str, stated: object = None) -> str:
    """
    Args:
        stated: What is said of the domain: whether its bounds are of a logarithm, perhaps.
    """
    return _meant(kind, DOMAINS, {**(_LOG_DOMAINS if _says_log(stated) else {}), **_DOMAINS})


def _says_log(stated: object) -> bool:
    if not isinstance(stated, Mapping):
        return isinstance(stated, str) and "log" in stated.lower()
    return any(
        _says_log(value) or (value is True and _says_log(key)) for key, value in stated.items()
    )


def scheduler_hint(kind: str) -> str:
    return _meant(kind, SCHEDULERS, _SCHEDULERS)


def word_hint(key: str | int, word: str, known: Collection[str]) -> str:
    """Of a key that has one of these words."""
    return _meant(word, known, _WORDS.get(key, {}))


def key_hint(key: str, section: str, known: list[str]) -> str:
    """What may be meant by a key that a section has not: one that it has, or one of another."""
    if (home := _known_as(key, _KEYS)) is not None:
        inner, _, own = home.rpartition(".")
        if inner != section:
            return f"; did you mean '{home}'?"
        if own in known:
            return f"; did you mean '{own}'?"
    if hint := nearest(key, known):
        return hint
    homes = {*_homes(key)}  # also in this section, which then is of another type
    elsewhere = len(homes) == 1 and f"{section}.{key}" not in homes
    return f"; did you mean '{homes.pop()}'?" if elsewhere else ""


def top_key_hint(key: str) -> str:
    """What may be meant by a key that stands at the top of a file, where there is none such."""
    if home := next(iter(_homes(key)), None) or _known_as(key, _KEYS):
        return f"; did you mean '{home}'?"
    if _known_as(key, _NOT_OFFERED) is not None:
        return setting_hint(key)
    known = {name: f"train.{name}" for name in OURS.types} | {
        key: key for key in keys_of(SweepSpec)
    }
    close = get_close_matches(key, known, n=1)
    return f"; did you mean '{known[close[0]]}'?" if close else ""


def _homes(key: str) -> list[str]:
    """Where a key stands that is no key of the section in which it was found."""
    setting = key if key in OURS else _known_as(key, OTHER_NAMES)
    sections = [*SECTIONS.items(), *(("scheduler", model) for model in SCHEDULERS.values())]
    others = [f"{name}.{key}" for name, model in sections if key in keys_of(model)]
    return [*([] if setting is None else [f"train.{setting}"]), *others]


def keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _meant(name: str, known: Collection[str], synonyms: Synonyms) -> str:
    """`; did you mean 'learning_rate'?` where that is likely, else nothing."""
    if (other := _known_as(name, synonyms)) is not None:
        word, comma, rest = other.partition(",")
        return f"; did you mean '{word}'{comma}{rest}?"
    return nearest(name, list(known)) or nearest(_plain(name), list(known))


def _known_as(name: str, synonyms: Synonyms) -> str | None:
    return next(
        (known for known, others in synonyms.items() if _plain(name) in others.split()), None
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
