"""What a sweep says of a larger size, in words and for scripts."""

from dataclasses import asdict

from sweeper.analysis.scaling.laws import HeldOut, Predicted
from sweeper.analysis.scaling.predicting import Prediction
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.views.format import count, number, rounded, title_of


def size_text(at: Predicted) -> str:
    """As `3.6M parameters, 18.0M tokens, in batches of 2,048 tokens`."""
    return (
        f"{count(at.params)} parameters, {count(at.tokens)} tokens, in batches of "
        f"{at.batch_tokens:,} tokens"
    )


def rate_text(at: Predicted) -> str:
    return (
        f"Take learning_rate {rounded(at.learning_rate)}: the best lies in "
        f"{_rates(at.learning_rate_80)} (80 %; 95 %: {_rates(at.learning_rate_95)}), and not to "
        f"know it better costs {number(at.regret)} on average."
    )


def loss_text(at: Predicted, metric: str) -> str:
    return (
        f"Its {title_of(metric)} will be about {number(at.loss, 3)}: in {_losses(at.loss_80)} "
        f"(80 %; 95 %: {_losses(at.loss_95)})."
    )


def held_out_text(missed: HeldOut) -> str:
    """How the law did on the largest size."""
    octaves, share = abs(missed.octaves), 100 * abs(missed.loss_share)
    return (
        f"From the others alone, the law missed your largest size ({count(missed.params)} "
        f"parameters, {count(missed.tokens)} tokens) by {octaves:.2g} octaves and {share:.2g} % in "
        "loss."
    )


def law_text(prediction: Prediction) -> str:
    """The law itself, and how much of it is the prior."""
    params, tokens = prediction.exponents
    prior = prediction.prior
    return (
        f"learning_rate goes with parameters^{params:.2f} and tokens^{tokens:.2f}; "
        f"{prior.source} has {prior.params:.2f} and {prior.tokens:.2f}, which the sweep's own "
        "sizes have corrected."
    )


def prediction_json(prediction: Prediction) -> dict[str, object]:
    return {
        "sweep": prediction.sweep,
        "metric": prediction.metric,
        "prediction": asdict(prediction.at),
        "held_out": {**asdict(prediction.held_out), "holds": prediction.held_out.holds},
        "exponents": dict(zip(("params", "tokens"), prediction.exponents, strict=True)),
        "prior": asdict(prediction.prior),
        "sizes": [
            {"measured": _size_json(size), "law": asdict(fitted)}
            for size, fitted in zip(prediction.sizes, prediction.fitted, strict=True)
        ],
        "left_out": [asdict(size) for size in prediction.left_out],
        "missing": list(prediction.missing),
    }


def _size_json(size: SizeOptimum) -> dict[str, object]:
    return {
        "params": size.params,
        "tokens": size.tokens,
        "batch_tokens": size.batch_tokens,
        "learning_rate": size.optimum.taken,
        "learning_rate_95": (size.optimum.low, size.optimum.high),
        "loss": size.loss,
    }


def _rates(interval: tuple[float, float]) -> str:
    return f"{rounded(interval[0])} to {rounded(interval[1])}"


def _losses(interval: tuple[float, float]) -> str:
    return f"{number(interval[0], 3)} to {number(interval[1], 3)}"
