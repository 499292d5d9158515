"""What a sweep says of a larger size, in words and for scripts."""

from collections.abc import Sequence
from dataclasses import asdict

from sweeper.analysis.remarks.remark import Offer, Remark
from sweeper.analysis.remarks.remarking import offers_of
from sweeper.analysis.scaling.laws import HeldOut, Predicted
from sweeper.analysis.scaling.predicting import Prediction
from sweeper.analysis.scaling.proposing import Proposal, offer_of, tokens_of
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.views.format import count, number, rounded, title_of
from trainable.config import TrainConfig
from trainable.model.model_size import matrix_params

# What a size decides, or follows from how long it is trained.
OF_A_SIZE = {
    "d_model",
    "num_heads",
    "num_kv_heads",
    "d_ff",
    "batch_size",
    "max_steps",
    "warmup_steps",
    "decay_steps",
    "eval_every_steps",
    "checkpoint_every_steps",
}


LOSSES = ("loss", "loss_80", "loss_95")
SIZE_HEADINGS = (
    "params",
    "tokens",
    "batch",
    "best learning_rate",
    "95 %",
    "law",
    "loss",
    "its law",
)


def next_sweeps(summary: Summary, remarks: Sequence[Remark]) -> tuple[Offer, ...]:
    """The commands to type next: what mends the answer, then what leads to a larger model."""
    larger = offer_of(summary.sweep)
    return (*offers_of(summary, remarks), *([] if larger is None else [larger]))


def size_row(size: SizeOptimum, law: Predicted) -> tuple[str, ...]:
    """What was measured of a size, and what the laws have there."""
    return (
        count(size.params),
        count(size.tokens),
        f"{size.batch_tokens:,}",
        rounded(size.optimum.taken),
        _rates((size.optimum.low, size.optimum.high)),
        rounded(law.learning_rate),
        number(size.loss, 3),
        number(law.loss, 3),
    )


def size_text(at: Predicted) -> str:
    """As `3.6M parameters, 18.0M tokens, in batches of 2,048 tokens`."""
    return (
        f"{count(at.params)} parameters, {count(at.tokens)} tokens, in batches of "
        f"{at.batch_tokens:,} tokens"
    )


def answers(found: Prediction) -> tuple[str, ...]:
    """The learning rate, and the loss where its law holds."""
    loss = [loss_text(found.at, found.metric)] if found.held_out.loss_holds else []
    return (rate_text(found.at), *loss)


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
        f"learning_rate goes with parameters^{params:.2f} and tokens^{tokens:.2f}, by the sweep's "
        f"own sizes and what others have found: {prior.params:.2f} and {prior.tokens:.2f} "
        f"({prior.source})."
    )


def prediction_json(prediction: Prediction) -> dict[str, object]:
    untold = {} if prediction.held_out.loss_holds else dict.fromkeys(LOSSES)
    return {
        "sweep": prediction.sweep,
        "metric": prediction.metric,
        "prediction": asdict(prediction.at) | untold,
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


def proposal_json(proposal: Proposal) -> dict[str, object]:
    return {
        "params": proposal.params,
        "tokens": proposal.tokens,
        "octaves": proposal.octaves,
        "flops": proposal.flops,
        "sizes": [
            {"params": matrix_params(config), "tokens": tokens_of(config), **_bundle(config)}
            for config in proposal.configs
        ],
    }


def proposal_space(spec: SweepSpec, proposal: Proposal) -> dict[str, object]:
    """A search-space file of the proposed sizes; all else is as the spec has it."""
    stated = spec.model_dump(exclude_none=True)
    base = proposal.configs[0]
    bundles: dict[str, dict[str, object]] = {}
    for config in proposal.configs:
        name = count(matrix_params(config))
        bundles[f"{name}-long" if name in bundles else name] = _bundle(config)
    train = {name: value for name, value in stated["train"].items() if name not in OF_A_SIZE}
    train |= {"num_layers": base.num_layers, "warmup_steps": {"times": 0.05, "of": "max_steps"}}
    return {
        "name": "transfer",
        **({"data": spec.data} if spec.data else {}),
        "train": train,
        "space": {
            "size": {"grid": bundles},
            "learning_rate": stated["space"]["learning_rate"],
        },
        **({"seeds": spec.seeds} if spec.seeds else {}),
        "search": {"algorithm": "grid"},
        "scheduler": {"type": "fifo"},
    }


def _bundle(config: TrainConfig) -> dict[str, object]:
    names = ("d_model", "num_heads", "d_ff", "batch_size", "max_steps")
    return {name: getattr(config, name) for name in names}


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
