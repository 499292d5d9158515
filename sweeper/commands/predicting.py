"""`predict`: what a sweep over small models says of a large one; `plan --for`: the sweep to ask."""

import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from ruamel.yaml import YAML

from sweeper.analysis.reading.loading import load
from sweeper.analysis.scaling.predicting import Prediction, Target
from sweeper.analysis.scaling.predicting import predict as predict_from
from sweeper.analysis.scaling.proposing import (
    TOKENS_PER_PARAMETER,
    Proposal,
    propose,
    propose_within,
    tokens_of,
)
from sweeper.analysis.scaling.sizes import learning_rates
from sweeper.commands.arguments import Json, Name, Runs, parse_count, parse_duration, print_json
from sweeper.errors import PredictionError
from sweeper.plan.cost.preview import planned, preview
from sweeper.record.run_folder import RUNS
from sweeper.record.runs.finding import find_run_folder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import flops_per_step, ours
from sweeper.views.console import make_console
from sweeper.views.format import count, duration
from sweeper.views.format import flops as flops_text
from sweeper.views.prediction import (
    SIZE_HEADINGS,
    answers,
    held_out_text,
    law_text,
    prediction_json,
    proposal_json,
    proposal_space,
    size_row,
    size_text,
)
from sweeper.views.terminal.columns import Column, table
from trainable.model.model_size import flops_per_token, matrix_params

DROP = {"batch": 0, "its law": 1, "95 %": 2, "law": 3}  # where there is no room, the lowest first
SCALES = (0.001, 1_000_000)


def predict(
    name: Name,
    scale: Annotated[
        str | None,
        typer.Option(metavar="10x", help="So many times the largest size, and its tokens."),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(metavar="124M", help="Parameters of the matrices and the head."),
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="2.5B", help="That it is to be trained on.")
    ] = None,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    target = _target(scale, params, tokens)
    found = predict_from(load(find_run_folder(runs, name)), target)
    if json:
        print_json(prediction_json(found))
    else:
        print_prediction(make_console(), found)


def _target(scale: str | None, params: str | None, tokens: str | None) -> Target:
    if scale is not None and params is None and tokens is None:
        return Target(scale=_parse_scale(scale))
    if scale is None and params is not None and tokens is not None:
        return Target(
            params=parse_count("--params", params), tokens=parse_count("--tokens", tokens)
        )
    raise typer.BadParameter(
        "say which size, as --scale 10x (ten times the largest, and ten times its tokens) or as "
        "--params 124M --tokens 2.5B"
    )


def _parse_scale(stated: str) -> float:
    try:
        scale = float(stated.removesuffix("x"))
    except ValueError:
        scale = math.nan
    if not SCALES[0] <= scale <= SCALES[1]:
        text = f"must be from {SCALES[0]:g} to {SCALES[1]:,}, as 10x, got {stated!r}"
        raise typer.BadParameter(text, param_hint="--scale")
    return scale


def print_prediction(console: Console, found: Prediction) -> None:
    at = found.at
    for text in found.missing:
        console.print(text, style="yellow")
    counted = "parameters are those of the matrices and the head"
    console.print(f"{found.sweep}: each size read by itself; {counted}")
    console.print()
    rows = [size_row(*each) for each in zip(found.sizes, found.fitted, strict=True)]
    made = [
        Column(heading, cells, heading != "95 %", DROP.get(heading))
        for heading, cells in zip(SIZE_HEADINGS, zip(*rows, strict=True), strict=True)
    ]
    console.print(table(made, console.width, ascii=console.options.ascii_only))
    console.print()
    for left in found.left_out:
        console.print(
            f"Left out: {count(left.params)} parameters, {count(left.tokens)} tokens: {left.why}. "
            f"To mend it: {left.remedy}",
            style="yellow",
        )
    console.print(f"{size_text(at)}:", style="bold")
    for text in answers(found):
        console.print(f"  {text}")
    console.print(held_out_text(found.held_out))
    console.print(law_text(found))


@dataclass(frozen=True)
class LargeModel:
    """The model that sizes are asked for, and what their sweep may cost, as they are typed."""

    params: str
    tokens: str | None
    flops: float | None
    time: str | None


def plan_for(
    file: Path, overrides: Sequence[str], large: LargeModel, *, json: bool, yaml: bool
) -> None:
    """Propose the sizes to sweep, from the model and the learning rates of a search space."""
    params = parse_count("--for", large.params)
    tokens = TOKENS_PER_PARAMETER * params
    if large.tokens is not None:
        tokens = parse_count("--tokens", large.tokens)
    budget = None if large.time is None else parse_duration("--time", large.time)
    spec, _ = load_spec(file, overrides)
    if not spec.is_ours:
        raise PredictionError(
            f"{file}: trainer: its model's sizes are not known, so none can be proposed (--for)"
        )
    plan = planned(file, overrides)
    base = ours(plan.trials[0].config)
    num_rates = len(learning_rates(spec)) * len(spec.seeds or [0])

    def offer(flops: float) -> Proposal:
        return propose(base, params, tokens, num_rates=num_rates, flops=flops)

    seconds = None
    if budget is not None:
        proposal, seconds = propose_within(offer, partial(_seconds, spec), budget)
    elif large.flops is not None:
        proposal = offer(large.flops)
    else:
        trials = [trial.config for trial in plan.trials]
        proposal = offer(sum(float(flops_per_step(c) or 0) * c.max_steps for c in trials))
    if json:
        print_json(proposal_json(proposal) | {"seconds": seconds})
    elif yaml:
        YAML().dump(proposal_space(spec, proposal), sys.stdout)
    else:
        print_proposal(make_console(), proposal, seconds)


def _seconds(spec: SweepSpec, proposal: Proposal) -> float:
    """How long its sweep takes at the speed of this machine."""
    with tempfile.TemporaryDirectory(prefix="sweeper-") as folder:
        file = Path(folder) / "sizes.yaml"
        with file.open("w", encoding="utf-8") as stream:
            YAML().dump(proposal_space(spec, proposal), stream)
        taken = preview(file).whole.wall_seconds
    if taken is None:
        raise PredictionError(
            "plan --for: --time: how fast this machine trains these sizes could not be measured; "
            "say --flops in its place"
        )
    return taken


def print_proposal(console: Console, proposal: Proposal, seconds: float | None) -> None:
    configs = proposal.configs
    columns: dict[str, list[str]] = {
        "d_model": [str(c.d_model) for c in configs],
        "layers": [str(c.num_layers) for c in configs],
        "d_ff": [str(c.d_ff) for c in configs],
        "params": [count(matrix_params(c)) for c in configs],
        "tokens": [count(tokens_of(c)) for c in configs],
        "batch": [str(c.batch_size) for c in configs],
        "steps": [str(c.max_steps) for c in configs],
        "FLOPs": [flops_text(tokens_of(c) * flops_per_token(c)) for c in configs],
    }
    made = [Column(heading, cells) for heading, cells in columns.items()]
    console.print(table(made, console.width, ascii=console.options.ascii_only))
    large = f"{count(proposal.params)} parameters after {count(proposal.tokens)} tokens"
    flops = flops_text(proposal.flops)
    here = "" if seconds is None else f", about {duration(seconds)} on this machine"
    console.print(
        f"With {proposal.num_rates} runs of each, {flops} FLOPs in all{here}, the best learning "
        f"rate of {large} would be known to {proposal.octaves:.1f} octaves (80 %)."
    )
    console.print("As a search space: the same with --yaml > sizes.yaml")
