import json
import math

from trainable.loop.report import Report, bits_per_byte, perplexity


def test_a_report_is_json_with_null_for_what_is_not_finite() -> None:
    report = Report(
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
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["train_loss"] is values["val_perplexity"] is values["grad_norm"] is None
    assert values["learning_rate"] == 0.1 and values["diverged"] is True


def test_a_uniform_guess_over_bytes_is_8_bits_a_byte() -> None:
    assert bits_per_byte(math.log(256), 1.0) == 8.0
    assert bits_per_byte(math.log(256), 4.0) == 2.0
    assert math.isclose(perplexity(math.log(256)), 256)
    assert perplexity(1e4) == math.inf
