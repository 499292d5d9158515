import json
import math
from typing import Any

import pytest

from trainable.loop.metrics import Metrics, bits_per_byte, perplexity


def test_metrics_are_json_with_null_for_what_is_not_finite() -> None:
    metrics = Metrics(
        step=1,
        tokens=2,
        train_loss=math.nan,
        val_loss=None,
        val_perplexity=math.inf,
        val_bits_per_byte=None,
        learning_rate=0.1,
        grad_norm=-math.inf,
        tokens_per_second=3.0,
        train_seconds=4.0,
        skipped_steps=0,
        diverged=True,
    )
    values = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    assert values["train_loss"] is values["val_perplexity"] is values["grad_norm"] is None
    assert values["learning_rate"] == 0.1 and values["diverged"] is True
    assert Metrics.from_mapping(values) == metrics, "what is read is what was written"


def test_what_another_training_loop_does_not_say_is_none() -> None:
    said = {"step": 3, "train_loss": math.inf, "its_own": object(), "diverged": None}
    assert Metrics.from_mapping(said) == Metrics(step=3)


@pytest.mark.parametrize("said", [{}, {"step": None}, {"step": "3"}, {"step": 3, "tokens": "few"}])
def test_metrics_without_a_step_or_with_words_for_numbers_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"step|must be a number"):
        Metrics.from_mapping(said)


def test_a_uniform_guess_over_bytes_is_8_bits_a_byte() -> None:
    assert bits_per_byte(math.log(256), 1.0) == 8.0
    assert bits_per_byte(math.log(256), 4.0) == 2.0
    assert math.isclose(perplexity(math.log(256)), 256)
    assert perplexity(1e4) == math.inf
