"""Which trials share a trunk, what that spares, and why others do not."""

from typing import Any

import pytest

from sweeper.plan.branching import Branching, fork_step
from sweeper.plan.cost.forecast import forecast
from sweeper.plan.cost.shapes import Machine, Speed, shapes
from sweeper.plan.plan import Plan
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from trainable.config import TrainConfig

FIFO = {"type": "fifo"}
LENGTHS = {"max_steps": {"grid": [20, 40, 60, 80]}}
TOKENS_PER_STEP = 4 * 16


def plan_of(tiny_plan: Any, **sections: Any) -> Plan:
    space = sections.pop("space", LENGTHS)
    train = {"schedule": "wsd", "warmup_steps": 2} | sections.pop("train", {})
    train = {name: value for name, value in train.items() if name not in space}
    return tiny_plan(**{"scheduler": FIFO, **sections}, train=train, space=space)


@pytest.mark.parametrize(
    "settings, step",
    [
        ({"schedule": "wsd"}, 80),
        ({"schedule": "wsd", "decay_steps": 7}, 93),
        ({"schedule": "wsd", "decay_fraction": 1.0, "warmup_steps": 0}, 0),
        ({"schedule": "constant"}, 99),
        ({"schedule": "cosine"}, 0),
        ({"schedule": "linear"}, 0),
    ],
)
def test_the_step_up_to_which_a_run_knows_no_end(settings: dict[str, Any], step: int) -> None:
    assert fork_step(TrainConfig.from_mapping({"max_steps": 100, **settings})) == step


def test_the_longest_is_the_trunk(tiny_plan: Any) -> None:
    plan = plan_of(tiny_plan)
    length = {trial.trial_id: trial.config.max_steps for trial in plan.trials}
    ((trunk, forks),) = Branching(plan).trunks.items()
    assert length[trunk] == 80
    assert {length[fork]: step for fork, step in forks.items()} == {20: 16, 40: 32, 60: 48}
    assert Branching(plan).apart is None


def test_those_that_need_not_run_are_no_trunk(tiny_plan: Any) -> None:
    plan = plan_of(tiny_plan)
    (longest,) = [t.trial_id for t in plan.trials if t.config.max_steps == 80]
    ((trunk, forks),) = Branching(plan, without=[longest]).trunks.items()
    assert plan.trials[int(trunk)].config.max_steps == 60
    assert len(forks) == 2


@pytest.mark.parametrize(
    "sections, why",
    [
        ({"train": {"schedule": "cosine"}}, None),
        ({"space": {"learning_rate": {"grid": [1e-3, 1e-2]}}}, None),
        ({"train": {"warmup_steps": {"times": 0.1, "of": "max_steps"}}}, "warmup_steps"),
        ({"train": {"eval_every_steps": {"times": 0.5, "of": "max_steps"}}},
         "checkpoint_every_steps, eval_every_steps"),
        ({"train": {"ema_fraction": 0.1}}, "ema_steps"),
        ({"scheduler": {"type": "asha", "grace_steps": 8}}, "scheduler asha"),
        ({"scheduler": {"type": "median", "grace_steps": 8}}, "scheduler median"),
        ({"search": {"algorithm": "tpe", "num_trials": 8}}, "search tpe"),
        ({"search": {"algorithm": "model"}}, "search model"),
    ],
)  # fmt: skip
def test_why_they_share_none(tiny_plan: Any, sections: dict[str, Any], why: str | None) -> None:
    branching = Branching(plan_of(tiny_plan, **sections))
    assert not branching
    assert branching.trunks == {}
    if why is None:
        assert branching.apart is None
    else:
        assert branching.apart is not None and why in branching.apart


def test_an_average_that_is_stated_in_steps_is_shared(tiny_plan: Any) -> None:
    assert Branching(plan_of(tiny_plan, train={"ema_steps": 5}))
    some = plan_of(
        tiny_plan,
        space={**LENGTHS, "ema_fraction": {"grid": [0.25, 0.5]}},
    )  # 20 steps of 40 and of 80 are the same average
    assert [len(forks) for forks in Branching(some).trunks.values()] == [1, 1]


@pytest.mark.parametrize("lengths", [{"grid": [80, 20, 40]}, {"choice": [40, 20]}])
@pytest.mark.parametrize("schedule", ["wsd", "constant"])
def test_the_shortest_run_states_the_warmup_of_all(
    schedule: str, lengths: dict[str, list[int]]
) -> None:
    document = {"name": "warm", "train": {"schedule": schedule}, "space": {"max_steps": lengths}}
    spec = SweepSpec.model_validate(document)
    assert spec.settings({"max_steps": 40})["warmup_steps"] == 2


@pytest.mark.parametrize(
    "sections",
    [
        {"space": {"max_steps": {"grid": [20, 40]}}},
        {"train": {"schedule": "wsd"}, "space": {"max_steps": {"randint": [20, 40]}}},
        {"train": {"schedule": "wsd"}, "space": {"size": {"grid": {"a": {"max_steps": 40}}}}},
    ],
)
def test_elsewhere_a_run_has_a_warmup_of_its_own(sections: dict[str, Any]) -> None:
    spec = SweepSpec.model_validate({"name": "warm", **sections})
    point: Point = {"size": "a"} if "size" in spec.space else {"max_steps": 40}
    assert spec.settings(point)["warmup_steps"] == 4


def test_the_forecast_counts_each_step_once(tiny_plan: Any) -> None:
    found = forecast(plan_of(tiny_plan), Machine(slots=1, free_memory=None), {})
    steps = 64 + 4 + 8 + 12 + 16
    assert found.whole.tokens == found.expected.tokens == steps * TOKENS_PER_STEP
    branches = found.branches
    assert branches is not None
    assert branches.alone.tokens == 200 * TOKENS_PER_STEP
    assert (branches.num_trunks, branches.num_forks) == (1, 3)
    assert branches.share == pytest.approx(steps / 200)
    assert branches.least_share == pytest.approx(80 / 200)
    assert [rung.at for rung in found.rungs] == [20, 40, 60, 80], "a fork is no rung"
    finals = forecast(
        plan_of(tiny_plan, finals={"top": 2, "seeds": 1}), Machine(slots=1, free_memory=None), {}
    ).finals
    assert finals is not None
    assert finals.cost.tokens == 2 * 80 * TOKENS_PER_STEP, "they run by themselves"


@pytest.mark.parametrize("slots, seconds", [(1, 104), (2, 80), (4, 80)])
def test_the_forecast_waits_as_a_fork_does(tiny_plan: Any, slots: int, seconds: float) -> None:
    """A step a second: with two slots every decay runs beside the trunk."""
    plan = plan_of(tiny_plan)
    speed = Speed(tokens_per_second=TOKENS_PER_STEP, evaluation_seconds=0.0)
    machine = Machine(slots=slots, free_memory=None)
    found = forecast(plan, machine, dict.fromkeys(shapes(plan), speed))
    assert found.whole.wall_seconds == pytest.approx(seconds)


def test_nothing_is_said_where_there_is_nothing_to_say(tiny_plan: Any) -> None:
    machine = Machine(slots=1, free_memory=None)
    assert forecast(tiny_plan(), machine, {}).branches is None
    one = plan_of(tiny_plan, space={"learning_rate": {"grid": [1e-3, 1e-2]}})
    assert forecast(one, machine, {}).branches is None
