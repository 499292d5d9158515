"""Search spaces, damaged in every way: each is planned, or told to be wrong in a message with file
and place; never a traceback."""

import copy
import io
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from sweeper.errors import ResourceError, SpecError
from sweeper.plan.cost.forecast import forecast
from sweeper.plan.cost.shapes import Machine
from sweeper.plan.placement import Node, place
from sweeper.plan.plan import Plan, make_plan
from sweeper.record.run_folder import create_run_folder
from sweeper.spec.reading import search_problems
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.reading.yaml_source import KeyPath
from sweeper.spec.scheduler_spec import SCHEDULERS
from sweeper.spec.space import DOMAINS
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.settings import OURS
from sweeper.strategy import simulation

Tries = Callable[[int], Iterator[random.Random]]

MAX_TRIALS = 300  # of a sweep here: larger ones are planned alike, but longer
SHIPPED = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))
# Between them every section, domain, search and scheduler.
SPACES: list[dict[str, Any]] = [
    {
        "train": {"max_steps": 64, "d_model": 16, "num_heads": 2, "grad_clip": None},
        "space": {
            "learning_rate": {"loguniform": [1e-4, 1e-2], "step": 1e-4},
            "weight_decay": {"uniform": [0, 0.3], "step": 0.1, "when": {"size": ["s", "m"]}},
            "beta2": {"normal": [0.95, 0.01]},
            "warmup_steps": {"randint": [0, 8], "step": 2},
            "batch_size": {"lograndint": [1, 64]},
            "size": {"choice": {"s": {"d_ff": 32}, "m": {"d_ff": 64}, "l": {"d_ff": 128}}},
        },
        "constraints": [{"at_most": ["warmup_steps", 6]}, {"divides": [2, "batch_size"]}],
        "seeds": [0, 1],
        "search": {"algorithm": "random", "num_trials": 8, "seed": 3},
        "scheduler": {"type": "hyperband", "clock": "tokens", "grace_tokens": 10_000},
        "resources": {"cpu": 1, "cases": [{"when": {"size": "l"}, "cpu": 2}]},
        "checkpoints": {"keep": 3, "budget": "1.5GB"},
    },
    {
        "train": {
            "max_steps": 64,
            "warmup_steps": {"times": 0.1, "of": "max_steps"},
            "min_learning_rate": {"times": 0.1, "of": "learning_rate"},
        },
        "space": {
            "learning_rate": {"grid": [1e-4, 1e-3, 1e-2]},
            "d_model": {"grid": [16, 32]},
            "num_heads": {"grid": [1, 2, 4]},
        },
        "constraints": [{"divides": ["num_heads", "d_model"]}],
        "objective": {"metric": "val_bits_per_byte", "mode": "min"},
        "search": {"initial": [{"learning_rate": 1e-3, "d_model": 16, "num_heads": 2}]},
        "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 8, "brackets": 2},
        "max_concurrent": 2,
        "max_retries": 0,
        "trial_timeout_s": 60,
    },
    {
        "train": {"max_steps": 40, "checkpoint_every_steps": 4, "eval_every_steps": 4},
        "space": {"learning_rate": {"uniform": [1e-3, 1e-1]}, "beta1": {"choice": [0.8, 0.9]}},
        "search": {"algorithm": "random", "num_trials": 4},
        "scheduler": {"type": "pbt", "interval_steps": 8, "quantile": 0.5},
    },
    {
        "train": {"max_steps": 40, "init_from": None},
        "space": {"learning_rate": {"loguniform": [1e-3, 1e-1]}, "d_ff": {"choice": [8, 16]}},
        "search": {"algorithm": "tpe", "num_trials": 5, "from": "earlier"},
        "scheduler": {"type": "median", "grace_steps": 10, "min_trials": 2},
        "trial_timeout_s": None,
    },
    {
        "train": {"max_steps": 40},
        "space": {"learning_rate": {"loguniform": [1e-3, 1e-1]}, "seed": {"randint": [0, 9]}},
        "search": {"algorithm": "sobol", "num_trials": 4},
        "scheduler": {"type": "asha", "clock": "flops", "grace_flops": 1e9},
    },
]
KEYS = [*OURS.types, *SweepSpec.model_fields, *DOMAINS, "step", "when", "type", "times", "of"]
KEYS += ["lr", "bs", "wd", "dropout", "optimizer", "size", "s", "", "1", "é", "a.b", "values"]
WORDS = [*SCHEDULERS, "bohb", "val_los", "random", "auto", "~/data", "learning_rate", "2GB", "x"]
ODD: list[Any] = [
    *(float("inf"), float("-inf"), float("nan"), None, True, False, "", [], {}, [[]], {"": None}),
    *(0, -1, 1, 2, 3, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 10**400),
    *(-0.0, "1e-3", "0.1", "1", "\uff11", " 1", "1_0", "nan", "true", "null", "[/]", "\x1b[2J"),
    *("x" * 5000, [0] * 3000, 2.0, 1e3, 1e15 + 0.5, [-0.0, 0.0], [True, 1], [1, 1.0], [1, "1"]),
    *(0.1, -0.5, 1.5, 1e-300, 1e300, 1.7e308, 1e19, 1e20, 5e-324),
    *([1], [1, 2], [1, 2, 3], ["a"], [None], [[1]], [{}], [0.1, 0.1], [float("inf"), 1]),
    *({"grid": [1, 2]}, {"times": 2, "of": "d_model"}, {"times": float("inf"), "of": "x"}),
    *({"type": "asha"}, {"less": [1, "lr"]}, {"when": {"size": 1}}, {"grid": {"a": {"b": 1}}}),
]  # fmt: skip
TEXT = ["\n", "  ", "- ", ": ", "{", "}", "[", "]", "#", "&a ", "*a", "<<: ", "!!str ", "!x ", "'"]
TEXT += ['"\\ud83d"', '"', "|", "\t", "\0", "\u2028", ".inf", ".nan", "1e999", "0x10", "1_000", "~"]
TEXT += [
    "---",
    "\n---\n",
    "...",
    "%",
    "%YAML 1.1\n",
    "\ufeff",
    "\r",
    "\r\n",
    "\x85",
    "\x7f",
    "\x1b",
]
TEXT += ["? ", "? [a]\n: ", "!!binary ", "!!set ", "!!python/name:os.system ", "!!int ", "!!float "]
TEXT += [
    "0o17",
    "1:30",
    "2001-01-01",
    "-0.0",
    "1e-3",
    "+.inf",
    "yes",
    "off",
    "\u0661",
    "\uff11",
    "@",
    "`",
]


def odd_value(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice([rng.choice(ODD), rng.choice(WORDS), rng.choice(KEYS)]))


def places(node: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    """Where something stands in a document, at any depth."""
    if not isinstance(node, dict | list):
        return
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*at, key)
        yield from places(value, (*at, key))


def at(document: Any, place: KeyPath) -> Any:
    for key in place:
        document = document[key]
    return document


def mutate(rng: random.Random, document: Any) -> None:
    """One change: a value replaced, wrapped, unwrapped, moved, removed, or a key renamed."""
    every = list(places(document))
    if not every:
        return
    *outer, key = rng.choice(every)
    parent = at(document, tuple(outer))
    value = parent[key]
    match rng.randrange(10):
        case 0 | 1 | 2:
            parent[key] = odd_value(rng)
        case 3:
            parent[key] = [value] if rng.random() < 0.5 else {rng.choice(KEYS): value}
        case 4:
            parent[key] = copy.deepcopy(at(document, rng.choice(every)))
        case 5:
            del parent[key]
        case 6 if isinstance(parent, dict):
            parent[rng.choice([rng.choice(KEYS), misspelt(rng, key)])] = parent.pop(key)
        case 7 if isinstance(parent, dict):
            parent[rng.choice(KEYS)] = odd_value(rng)
        case 8 if isinstance(value, list):
            value.insert(rng.randrange(len(value) + 1), odd_value(rng))
        case 8 if isinstance(value, int | float) and not isinstance(value, bool):
            number = min(value, 10**300)  # which a float can hold
            parent[key] = number * rng.choice([-1, 0, 0.1, 3, 10, 1e6, 1e-6, 1e18])
        case _:
            there = at(document, rng.choice(every))
            if isinstance(there, dict):
                there[key if isinstance(key, str) else "x"] = copy.deepcopy(value)
            elif isinstance(there, list):
                there.append(copy.deepcopy(value))


def misspelt(rng: random.Random, text: str) -> str:
    position = rng.randrange(len(text) + 1)
    return text[:position] + rng.choice(["", "x", "_"]) + text[position + rng.randrange(2) :]


def damaged(rng: random.Random, text: str) -> str:
    for _ in range(rng.choice([0] * 8 + [1, 2])):
        start = rng.randrange(len(text) + 1)
        end = start + rng.choice([0, 0, 1, 5, 30])
        text = text[:start] + rng.choice(["", text[start:end] * 2, *TEXT]) + text[end:]
    return text


def any_space(rng: random.Random) -> str:
    """The text of a search space, mutated."""
    document = copy.deepcopy(rng.choice(good_spaces()))
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3, 8])):
        mutate(rng, document)
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, text)
    return damaged(rng, text.getvalue())


@cache
def good_spaces() -> list[dict[str, Any]]:
    return [*SPACES, *(YAML(typ="safe", pure=True).load(path) for path in SHIPPED)]


def any_overrides(rng: random.Random) -> list[str]:
    if rng.random() < 0.8:
        return []
    key = ".".join(rng.choices(KEYS, k=rng.choice([1, 2, 2, 3])))
    return [f"{key}={rng.choice(['1', '.inf', '[', '{grid: [1, 2]}', 'null', '1e20', 'x'])}"]


def planned(path: Path, overrides: list[str], data: Path) -> Plan:
    spec, source = load_spec(path, overrides)
    plan = make_plan(spec, data, source)
    placement = place(plan, [Node(8, 1)], source)
    forecast(plan, Machine(slots=placement.slots, free_memory=2**34), {})
    return plan


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("train", "val"):
        np.save(folder / f"{name}.npy", np.zeros(10, dtype=np.uint8))
    (folder / "meta.json").write_text('{"vocab_size": 64, "bytes_per_token": 1.0}')
    return folder


def test_the_spaces_are_good(tmp_path: Path, data: Path) -> None:
    """What is changed below is right before."""
    path = tmp_path / "space.yaml"
    for document in good_spaces():
        with path.open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(document, file)
        assert planned(path, [], data).trials


def test_a_damaged_search_space_is_planned_or_told_to_be_wrong(
    tries: Tries, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_problems, "MAX_TRIALS", MAX_TRIALS)
    monkeypatch.setattr(simulation, "MAX_ORDERS", 6)  # that a forecast is taken over
    path = tmp_path / "space.yaml"
    well = 0
    for rng in tries(400):
        text, overrides = any_space(rng), any_overrides(rng)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            plan = planned(path, overrides, data)
        except SpecError as error:
            assert error.problems
            for problem in error.problems:
                require_place(problem, path)
        except ResourceError as error:
            require_place(str(error), path)
        else:
            well += 1
            require_read_back(plan, tmp_path / "runs", data)
    assert well, "some of what is changed is right"


def require_place(problem: str, path: Path) -> None:
    """It names the file, or what of the command line is wrong, and speaks of no Python type."""
    assert problem.startswith((f"{path}:", "--set ", "… and ")), problem
    assert not re.search(r"[Ii]nput should|validation|discriminator|Tag\(|\x00|Traceback", problem)


def require_read_back(plan: Plan, runs: Path, data: Path) -> None:
    """What is written of it into a run folder leads to the same trials."""
    folder = create_run_folder(runs, plan.spec, None, "space.yaml")
    spec, source = load_spec(folder.spec)
    assert spec == plan.spec
    assert make_plan(spec, data, source).trials == plan.trials
