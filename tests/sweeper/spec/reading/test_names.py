"""What people call things elsewhere leads to what they are called here."""

import re
from typing import Any, get_args

import pytest

from sweeper.spec.reading import names
from sweeper.spec.reading.names import (
    domain_hint,
    key_hint,
    keys_of,
    scheduler_hint,
    setting_hint,
    top_key_hint,
    word_hint,
)
from sweeper.spec.scheduler_spec import SCHEDULERS
from sweeper.spec.space import DOMAINS
from sweeper.spec.sweep_spec import OUR_METRICS, Search
from sweeper.spec.trainer.settings import OURS


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lr", "; did you mean 'learning_rate'?"),
        ("LR", "; did you mean 'learning_rate'?"),
        ("learningRate", "; did you mean 'learning_rate'?"),
        ("learning-rate", "; did you mean 'learning_rate'?"),
        ("bs", "; did you mean 'batch_size'?"),
        ("wd", "; did you mean 'weight_decay'?"),
        ("n_layer", "; did you mean 'num_layers'?"),
        ("seq-len", "; did you mean 'context_length'?"),
        ("dropout", "; dropout is not offered: the model has none"),
        ("optim", "; did you mean 'optimizer'?"),
        ("budget", "; did you mean 'checkpoints.budget'?"),
        ("foo", ""),
    ],
)
def test_of_settings(name: str, hint: str) -> None:
    assert setting_hint(name) == hint


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("max_steps", "; did you mean 'train.max_steps'?"),
        ("max_stps", "; did you mean 'train.max_steps'?"),
        ("lr", "; did you mean 'train.learning_rate'?"),
        ("num_trials", "; did you mean 'search.num_trials'?"),
        ("metric", "; did you mean 'objective.metric'?"),
        ("grace_steps", "; did you mean 'scheduler.grace_steps'?"),
        ("from", "; did you mean 'search.from'?"),
        ("cpu", "; did you mean 'resources.cpu'?"),
        ("spaces", "; did you mean 'space'?"),
        ("max_retry", "; did you mean 'max_retries'?"),
        ("dropout", "; dropout is not offered: the model has none"),
        ("num_samples", "; did you mean 'search.num_trials'?"),  # Ray Tune
        ("param_space", "; did you mean 'space'?"),
        ("parameters", "; did you mean 'space'?"),  # W&B
        ("method", "; did you mean 'search.algorithm'?"),
        ("early_terminate", "; did you mean 'scheduler'?"),
        ("direction", "; did you mean 'objective.mode'?"),  # Optuna
        ("pruner", "; did you mean 'scheduler'?"),
        ("foo", ""),
    ],
)
def test_of_keys_at_the_top(key: str, hint: str) -> None:
    assert top_key_hint(key) == hint


@pytest.mark.parametrize(
    ("section", "model", "key", "hint"),
    [
        ("search", Search, "trials", "; did you mean 'num_trials'?"),
        ("search", Search, "metric", "; did you mean 'objective.metric'?"),
        ("search", Search, "max_steps", "; did you mean 'train.max_steps'?"),
        ("search", Search, "sampler", "; did you mean 'algorithm'?"),
        ("search", Search, "direction", "; did you mean 'objective.mode'?"),
        ("scheduler", SCHEDULERS["asha"], "grace_period", "; did you mean 'grace_steps'?"),
        ("scheduler", SCHEDULERS["asha"], "max_t", "; did you mean 'train.max_steps'?"),
        ("scheduler", SCHEDULERS["pbt"], "min_iter", ""),
        ("scheduler", SCHEDULERS["pbt"], "grace_steps", ""),  # of another type of the section
        ("scheduler", SCHEDULERS["pbt"], "mode", ""),  # of two sections, so it is not known which
    ],
)
def test_of_keys_in_a_section(section: str, model: Any, key: str, hint: str) -> None:
    assert key_hint(key, section, keys_of(model)) == hint


def test_of_words() -> None:
    assert scheduler_hint("bohb") == "; did you mean 'hyperband', with search: {algorithm: tpe}?"
    assert scheduler_hint("ashaa") == "; did you mean 'asha'?"
    assert domain_hint("values") == "; did you mean 'grid'?"
    assert domain_hint("log_uniform") == "; did you mean 'loguniform'?"
    assert domain_hint("min") == "; did you mean 'uniform', as {uniform: [low, high]}?"
    assert domain_hint("distribution", {"distribution": "log_uniform_values", "min": 1}) == (
        "; did you mean 'loguniform', as {loguniform: [low, high]}?"
    )
    assert domain_hint("suggest_float", {"suggest_float": {"low": 1, "log": True}}) == (
        "; did you mean 'loguniform', as {loguniform: [low, high]}?"
    )
    assert domain_hint("low", {"low": 1, "high": 2, "log": False}) == domain_hint("min")
    assert domain_hint("value") == "; did you mean 'grid', or `train:` for one value alone?"
    assert domain_hint("randn") == "; did you mean 'normal'?"
    assert scheduler_hint("AsyncHyperBandScheduler") == "; did you mean 'asha'?"
    assert word_hint("metric", "val_los", OUR_METRICS) == "; did you mean 'val_loss'?"
    assert word_hint("metric", "ppl", OUR_METRICS) == "; did you mean 'val_perplexity'?"
    assert word_hint("mode", "minimize", ("min", "max")) == "; did you mean 'min'?"
    assert word_hint("anything", "x", ("min", "max")) == ""


@pytest.mark.parametrize(
    ("synonyms", "known"),
    [
        (names.OTHER_NAMES, OURS.types),
        (names._SCHEDULERS, SCHEDULERS),
        (names._DOMAINS, DOMAINS),
        (names._WORDS["algorithm"], get_args(Search.model_fields["algorithm"].annotation)),
        (names._WORDS["metric"], OUR_METRICS),
        (names._WORDS["mode"], ("min", "max")),
    ],
    ids=["settings", "schedulers", "domains", "algorithms", "metrics", "modes"],
)
def test_every_synonym_is_of_something_that_there_is_and_of_one_thing(
    synonyms: Any, known: Any
) -> None:
    assert {name.partition(",")[0] for name in synonyms} <= {*known}
    others = [other for words in synonyms.values() for other in words.split()]
    assert len(others) == len(set(others))
    assert not {*others} & {*known}
    assert all(re.fullmatch(r"[a-z0-9_]+", other) for other in others)
