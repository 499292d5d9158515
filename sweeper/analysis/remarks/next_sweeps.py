"""Commands that run a sweep's file again with another space: a range extended, a grid refined, some
points with more seeds. What has come to its end is not trained again."""

import json
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from sweeper.analysis.reading.sweep_data import Parameter, SweepData
from sweeper.analysis.remarks.remark import Offer
from sweeper.record.run_folder import RunFolder
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from trainable.errors import ConfigError

# What follows from other settings where a file does not state it.
UNLIKE_DEFAULTS = ("warmup_steps", "eval_every_steps")
FURTHER = 2  # values beyond the edge of a grid
RANGE_FACTOR = 4.0  # by which a range on a log scale goes on beyond its edge
RANGE_SHARE = 0.5  # of itself, by which one on a linear scale does


def run_command(sweep: SweepData, changes: Mapping[str, object]) -> str:
    """`python -m sweeper run FOLDER/sweep.yaml --set KEY=VALUE …`."""
    sets = [f"--set {shlex.quote(f'{key}={json.dumps(v)}')}" for key, v in changes.items()]
    return " ".join(["python -m sweeper run", shlex.quote(f"{sweep.folder}/sweep.yaml"), *sets])


def resume_command(sweep: SweepData, *options: str) -> str:
    return " ".join(["python -m sweeper resume", _called(sweep), *options])


def predict_command(sweep: SweepData, scale: int) -> str:
    return f"python -m sweeper predict {_called(sweep)} --scale {scale}x"


def sizes_command(sweep: SweepData, params: int, flops: float) -> str:
    """Which sizes to sweep, of the models in a sweep's file, for one of so many parameters."""
    file = shlex.quote(f"{sweep.folder}/sweep.yaml")
    return f"python -m sweeper plan {file} --for {params} --flops {flops:.0f}"


def _called(sweep: SweepData) -> str:
    return RunFolder(Path(sweep.folder)).called


def reusing(sweep: SweepData, spec: SweepSpec) -> dict[str, object]:
    """The search that goes on from what this sweep has found, and trains nothing again. The points
    of a grid come again; draws from another range do not, so that the model tries those."""
    if spec.search.algorithm == "grid" and spec.scheduler.type != "pbt":
        return {"search.from": sweep.folder}
    algorithm = spec.search.algorithm if spec.search.learns else "model"
    listed = algorithm == "model" and all(parameter.options for parameter in sweep.parameters)
    search: dict[str, object] = {"algorithm": algorithm, "from": sweep.folder}
    search["seed"] = spec.search.seed
    if not listed and spec.search.num_trials is not None:
        search["num_trials"] = spec.search.num_trials
    return {"search": search}


def extended(sweep: SweepData, edges: Iterable[tuple[Parameter, str]], best: Point) -> Offer | None:
    """The same sweep with values beyond these edges, each a setting and its side; None where no run
    can go on beyond any."""
    wider: dict[str, Parameter] = {}
    purposes = []
    for parameter, side in edges:
        if (spec := _spec(sweep, parameter)) is None:
            continue
        further = _further(spec, wider.get(parameter.name, parameter), side, best)
        if further is not None:
            wider[parameter.name] = further
            purposes.append(f"{parameter.name} {'below' if side == 'low' else 'above'}")
    if sweep.spec is None or not wider:
        return None
    changes = {_key(sweep.spec, p): list(p.options) or [p.low, p.high] for p in wider.values()}
    purpose = f"Extend {' and '.join(purposes)}"
    command = run_command(sweep, {**changes, **reusing(sweep, sweep.spec)})
    return Offer(purpose=purpose, command=command)


def _further(spec: SweepSpec, parameter: Parameter, side: str, best: Point) -> Parameter | None:
    """A setting with values beyond an edge; None where no run accepts them."""
    if parameter.options:
        values = _numbers(parameter)
        beyond = _beyond(parameter, values, side)
        more = [x for x in beyond if _is_possible(spec, best, parameter.name, x)]
        return replace(parameter, options=tuple(sorted([*values, *more]))) if more else None
    low, high = _wider(parameter, side)
    if not all(_is_possible(spec, best, parameter.name, x) for x in (low, high)):
        return None
    return replace(parameter, low=low, high=high)


def refined(sweep: SweepData, parameter: Parameter, around: Sequence[float]) -> Offer | None:
    """The same sweep with the setting's values around its best: those given, and one between each
    two of them."""
    if (spec := _spec(sweep, parameter)) is None or len(around) < 2:
        return None
    if parameter.options:
        between = [_middle(parameter, a, b) for a, b in pairwise(around)]
        change = sorted({*around, *between})
    else:
        change = [around[0], around[-1]]
    purpose = f"Look closer at {parameter.name} around the best"
    key = _key(spec, parameter)
    return Offer(purpose=purpose, command=run_command(sweep, {key: change, **reusing(sweep, spec)}))


def narrowed(
    sweep: SweepData, parameter: Parameter, values: Sequence[float], purpose: str
) -> Offer | None:
    """The same sweep with these values of a setting alone, or with a range from the least of them
    to the largest; None where they are fewer than two."""
    spec = _spec(sweep, parameter)
    if spec is None or len(values) < 2:
        return None
    ends = [parameter.low or 0.0, parameter.high or 0.0]
    change = (
        list(values) if parameter.options else [_like(ends, x) for x in (values[0], values[-1])]
    )
    return Offer(purpose=purpose, command=run_command(sweep, {_key(spec, parameter): change}))


def listed_only(
    sweep: SweepData, name: str, values: Sequence[Scalar], purpose: str
) -> Offer | None:
    """The same sweep with these values of a setting alone."""
    if sweep.spec is None or not values:
        return None
    domain: dict[str, object] = {"grid": list(values)}
    if (condition := sweep.spec.space[name].when) is not None:
        domain["when"] = condition
    return Offer(purpose=purpose, command=run_command(sweep, {f"space.{name}": domain}))


def seeded(
    sweep: SweepData, points: Iterable[Point], more: int, what: str | None = None
) -> Offer | None:
    """These points alone with so many more seeds, all of them to their ends. None where the space
    decides the seed, and for pbt, whose points change as they train."""
    spec = sweep.spec
    if spec is None or spec.scheduler.type == "pbt":
        return None
    if any("seed" in domain.sets(name) for name, domain in spec.space.items()):
        return None
    initial, used = list(points), list(spec.seeds or [spec.first_seed])
    fresh = [seed for seed in range(max(used) + 1 + more) if seed not in used][:more]
    search = {"algorithm": "random", "num_trials": len(initial), "initial": initial}
    changes = {"seeds": [*used, *fresh], "search": search, "scheduler": {"type": "fifo"}}
    if spec.seeds is None:  # a sweep's file states its one seed among all settings
        changes["train"] = {
            key: value
            for key, value in spec.model_dump(mode="json")["train"].items()
            if key != "seed" and (key in UNLIKE_DEFAULTS or value != spec.known.defaults[key])
        }
    what = what or ("them" if len(initial) > 1 else "it")
    return Offer(
        purpose=f"Run {what} with {len(used) + len(fresh)} seeds, to their ends",
        command=run_command(sweep, changes),
    )


def _spec(sweep: SweepData, parameter: Parameter) -> SweepSpec | None:
    """The file's, where the parameter is a name in it that has values of its own."""
    spec = sweep.spec
    return spec if spec is not None and parameter.name in spec.space else None


def _key(spec: SweepSpec, parameter: Parameter) -> str:
    """Where the file states the values: `space.learning_rate.grid`."""
    (kind,) = type(spec.space[parameter.name]).model_fields.keys() - {"when", "step"}
    return f"space.{parameter.name}.{kind}"


def _numbers(parameter: Parameter) -> list[float]:
    return sorted(value for value in parameter.options if isinstance(value, int | float))


def _beyond(parameter: Parameter, values: Sequence[float], side: str) -> list[float]:
    edge, next_to = (values[0], values[1]) if side == "low" else (values[-1], values[-2])
    if parameter.scale == "log":
        further = [edge * (edge / next_to) ** k for k in range(1, FURTHER + 1)]
    else:
        further = [edge + k * (edge - next_to) for k in range(1, FURTHER + 1)]
    if parameter.least is not None:
        further = [max(x, parameter.least) for x in further]
    return sorted({_like(values, x) for x in further} - set(values))


def _wider(parameter: Parameter, side: str) -> list[float]:
    assert parameter.low is not None and parameter.high is not None, "a range has ends"
    low, high = parameter.low, parameter.high
    if parameter.scale == "log":
        low, high = (low / RANGE_FACTOR, high) if side == "low" else (low, high * RANGE_FACTOR)
    else:
        share = RANGE_SHARE * (high - low)
        low, high = (low - share, high) if side == "low" else (low, high + share)
    if parameter.least is not None:
        low = max(low, parameter.least)
    return [_like([parameter.low, parameter.high], x) for x in (low, high)]


def _middle(parameter: Parameter, a: float, b: float) -> float:
    between = math.sqrt(a * b) if parameter.scale == "log" else (a + b) / 2
    return _like([a, b], between)


def _like(values: Sequence[float], x: float) -> float:
    """A number as they are written: whole where all of them are, otherwise of three digits."""
    if all(float(value).is_integer() for value in values) and (x == 0 or abs(x) >= 1):
        return round(x)
    return float(f"{x:.3g}")


def _is_possible(spec: SweepSpec, best: Point, name: str, value: float) -> bool:
    """Whether a run accepts this value, all else being as at the best point."""
    try:
        config = spec.known.config(spec.settings({**best, name: value}))
    except ConfigError:
        return False
    return config is not None
