"""Remarks on what was compared that is not alike: sizes at different tokens a parameter, warmups
and cooldowns of too few steps."""

from collections.abc import Iterator, Sequence

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.remarks.next_sweeps import listed_only, reusing, run_command
from sweeper.analysis.remarks.remark import Offer, Remark
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.points import swept_text
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status

ALIKE = 1.25  # so far apart tokens a parameter may be and still be called the same
SHORTEST_COOLDOWN = 0.1  # of a run; a fifth is known to do (Hägele et al. 2024, arXiv 2405.18392)


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
    if _sets(spec, "max_steps"):
        return None
    bundles = {
        swept_text(trial.point[name]): {
            **spec.space[name].meaning(name, trial.point[name]),
            "max_steps": round(ratio * size / (trial.tokens_per_step or 1)),
        }
        for size, trial in trials.items()
    }
    space = {key: d for key, d in spec.model_dump()["space"].items() if key != name}
    space["size" if "size" not in space else f"{name}_"] = {"grid": bundles}
    return Offer(
        purpose="Train each size for as many tokens a parameter",
        command=run_command(sweep, {"space": space}),
    )


def schedule_remarks(summary: Summary) -> Iterator[Remark]:
    sweep = summary.sweep
    trials = [t for t in sweep.trials if {"warmup_steps", "max_steps", "beta1"} <= t.config.keys()]
    warming = [
        t for t in trials if t.status is Status.STOPPED and t.step < _number(t, "warmup_steps")
    ]
    if warming:
        text = (
            f"{len(warming)} of {len(sweep.trials)} trials were stopped while they warmed up "
            f"(warmup_steps {_range(warming)}), before they could show anything."
        )
        yield Remark(kind="schedule", text=text, offer=_to_their_ends(sweep))
    swept = len({t.config["warmup_steps"] for t in trials}) > 1
    short = [t for t in trials if 0 < _number(t, "warmup_steps") < _memory(t)]
    if swept and short:
        text = (
            f"A warmup of {_range(short)} steps is too short to judge: AdamW's mean of the "
            f"gradients goes over {_memory(short[0]):.0f} steps, so it is hardly other than none."
        )
        yield Remark(kind="schedule", text=text, offer=_other_warmups(sweep, trials, short))
    hurried = [t for t in trials if _cooldown(t) < SHORTEST_COOLDOWN]
    if hurried:
        text = (
            f"With warmup_steps {_range(hurried)} less than a tenth of the steps is left for the "
            "learning rate to come down: a cooldown too short to judge them by their last loss."
        )
        yield Remark(kind="schedule", text=text, offer=_other_warmups(sweep, trials, hurried))


def _number(trial: TrialData, name: str) -> float:
    value = trial.config[name]
    assert isinstance(value, int | float)
    return value


def _memory(trial: TrialData) -> float:
    """The steps that AdamW's first moment goes over."""
    return round(1 / (1 - _number(trial, "beta1")), 6)


def _cooldown(trial: TrialData) -> float:
    """The share of the run in which the learning rate comes down."""
    return 1 - _number(trial, "warmup_steps") / _number(trial, "max_steps")


def _range(trials: Sequence[TrialData]) -> str:
    values = sorted({_number(trial, "warmup_steps") for trial in trials})
    ends = [swept_text(int(value)) for value in (values[0], values[-1])]
    return ends[0] if len(values) == 1 else " to ".join(ends)


def _to_their_ends(sweep: SweepData) -> Offer | None:
    if sweep.spec is None:
        return None
    changes = {"scheduler": {"type": "fifo"}, **reusing(sweep, sweep.spec)}
    return Offer(purpose="Run all of them to their ends", command=run_command(sweep, changes))


def _other_warmups(
    sweep: SweepData, trials: Sequence[TrialData], poor: Sequence[TrialData]
) -> Offer | None:
    """Those that can be judged; where they are too few, a run twice as long."""
    if sweep.spec is None:
        return None
    left = {_number(trial, "warmup_steps") for trial in trials if trial not in poor}
    if "warmup_steps" in sweep.spec.space and len(left) > 1:
        steps = sorted(int(value) for value in left)
        return listed_only(sweep, "warmup_steps", steps, "Compare those that can be judged")
    if _sets(sweep.spec, "max_steps"):
        return None
    longest = max(_number(trial, "max_steps") for trial in trials)
    command = run_command(sweep, {"train.max_steps": 2 * int(longest)})
    return Offer(purpose="Train for twice as long", command=command)


def _sets(spec: SweepSpec, setting: str) -> bool:
    return any(setting in domain.sets(name) for name, domain in spec.space.items())
