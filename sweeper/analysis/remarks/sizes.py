"""Remarks on what was compared that is not alike: sizes at different tokens a parameter."""

from collections.abc import Iterator, Sequence

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.remarks.next_sweeps import run_command
from sweeper.analysis.remarks.remark import Offer, Remark
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.points import swept_text
from sweeper.status import Status

ALIKE = 1.25  # so far apart tokens a parameter may be and still be called the same


def size_remarks(summary: Summary) -> Iterator[Remark]:
    """Sizes are compared, by their completed trials, at different tokens a parameter."""
    trials: dict[int, TrialData] = {}
    for trial in summary.sweep.trials:  # best first
        measured = trial.status is Status.COMPLETED and trial.tokens_per_step
        if measured and trial.num_params:
            trials.setdefault(trial.num_params, trial)
    names = [p.name for p in summary.sweep.parameters if p.changes_size]
    ratios = {size: _tokens_per_parameter(trial) for size, trial in trials.items()}
    if not names or len(ratios) < 2 or max(ratios.values()) <= ALIKE * min(ratios.values()):
        return
    low, high = (swept_text(float(f"{f(ratios.values()):.2g}")) for f in (min, max))
    text = (
        f"The sizes were trained to {low} to {high} tokens a parameter. The fewer they are, the "
        "further a size is from what it can come to: this says which is best at so many steps, "
        "not which is better."
    )
    yield Remark(
        kind="sizes", text=text, offer=_alike(summary.sweep, names, trials, max(ratios.values()))
    )


def _tokens_per_parameter(trial: TrialData) -> float:
    assert trial.tokens_per_step and trial.num_params
    return trial.step * trial.tokens_per_step / trial.num_params


def _alike(
    sweep: SweepData, names: Sequence[str], trials: dict[int, TrialData], ratio: float
) -> Offer | None:
    """Each size for as many steps as make up this many tokens a parameter."""
    spec = sweep.spec
    if spec is None or len(names) > 1 or any(d.when for d in spec.space.values()):
        return None
    (name,) = names
    if len({trial.max_steps for trial in sweep.trials}) > 1:
        return None  # their lengths are its own choice
    bundles = {
        swept_text(trial.point[name]): {
            **spec.space[name].meaning(name, trial.point[name]),
            "max_steps": round(ratio * size / (trial.tokens_per_step or 1)),
        }
        for size, trial in sorted(trials.items())
    }
    space = {key: d for key, d in spec.model_dump()["space"].items() if key != name}
    space["size" if "size" not in space else f"{name}_"] = {"grid": bundles}
    return Offer(
        purpose="Train each size for as many tokens a parameter",
        command=run_command(sweep, {"space": space}),
    )
