"""Sweeps side by side, against values set by hand."""

from dataclasses import replace
from typing import Any

import pytest

from sweeper.analysis.comparison import Comparison, Contender, Difference, compare
from sweeper.record.state.sweep_state import SweepState
from sweeper.status import Status
from sweeper.views.report.comparison_page import curves_figure, parameter_figure
from sweeper.views.terminal.comparison_tables import outcome_table, setting_text, verdict_text
from tests.sweeper.record.test_tables import state_with

GRID = {"learning_rate": {"grid": [1e-3, 1e-2]}}


def contender(name: str, state: SweepState) -> Contender:
    for trial in state.trials.values():
        trial.evaluations = [
            replace(seen, tokens=100 * seen.step, train_loss=seen.val_loss)
            for seen in trial.evaluations
        ]
    return Contender(name, "finished", len(state.trials), state)


def of(plan: Any, losses: dict[float, list[tuple[int, float | None]]], **status: Status) -> Any:
    """A sweep's state with these losses by learning rate; completed where step 16 was reached."""
    order = [planned.values["learning_rate"] for planned in plan.trials]
    return state_with(
        plan,
        *[
            (
                Status.COMPLETED if losses[rate][-1][0] == 16 else Status.STOPPED,
                losses[rate],
            )
            for rate in order
        ],
    )


@pytest.fixture
def two(tiny_plan: Any) -> list[Contender]:
    narrow = of(tiny_plan(space=GRID), {1e-3: [(4, 3.0), (16, 2.0)], 1e-2: [(4, 3.5)]})
    wide = of(
        tiny_plan(space=GRID, train={"d_model": 32}, description="ignored"),
        {1e-3: [(4, 2.8), (16, 1.75)], 1e-2: [(4, 2.9), (16, 2.5)]},
    )
    return [contender("narrow", narrow), contender("wide", wide)]


def test_who_is_ahead_and_by_how_much(two: list[Contender]) -> None:
    comparison = compare(two)
    assert (comparison.best, comparison.margin) == ("wide", 0.25)
    assert verdict_text(comparison) == "wide is ahead by 0.2500 (val_loss)."
    narrow, wide = comparison.outcomes
    assert (narrow.num_completed, wide.num_completed) == (1, 2)
    assert (narrow.tokens, wide.tokens) == (2000, 3200)
    assert narrow.best_values == {"learning_rate": 1e-3}
    assert (narrow.best_step, narrow.val_perplexity) == (16, None)


def test_settings_that_differ_and_no_others(two: list[Contender]) -> None:
    assert compare(two).differences == (Difference("train.d_model", (16, 32)),)


def test_a_domain_is_one_value(tiny_plan: Any) -> None:
    states = [
        SweepState(tiny_plan(space={"learning_rate": {"grid": grid}}).spec)
        for grid in ([1e-3], [1e-3, 2e-3])
    ]
    (difference,) = compare([contender(f"{i}", s) for i, s in enumerate(states)]).differences
    assert difference.setting == "space.learning_rate"
    assert setting_text(difference.values[1]) == "{grid: [0.001, 0.002]}"


def test_by_value_the_trials_that_came_furthest_count(two: list[Contender]) -> None:
    rows = compare(two).by_value["learning_rate"]
    assert [(row.value, row.objectives) for row in rows] == [
        (1e-3, (2.0, 1.75)),
        (1e-2, (3.5, 2.5)),
    ]


def test_repeated_seeds_are_the_best_of_them(tiny_plan: Any) -> None:
    plan = tiny_plan(space={"learning_rate": {"grid": [1e-3]}}, seeds=[0, 1, 2])
    ends = [(Status.STOPPED, [(4, 1.0)]), *[(Status.COMPLETED, [(16, v)]) for v in (2.0, 1.5)]]
    one = contender("one", state_with(plan, *ends))
    comparison = compare([one, contender("two", state_with(plan, *ends))])
    assert "learning_rate" not in comparison.by_value, "a single value is no table"
    assert [row.objectives for row in comparison.by_value["seed"]] == [
        (1.0, 1.0), (2.0, 2.0), (1.5, 1.5),
    ]  # fmt: skip
    assert comparison.best is None
    assert verdict_text(comparison) == "The best of them are tied."


def test_without_a_winner_nobody_is_ahead(tiny_plan: Any) -> None:
    plan = tiny_plan(space=GRID)
    none = contender("none", SweepState(plan.spec))
    diverged = contender("bad", state_with(plan, *[(Status.DIVERGED, [(4, None)])] * 2))
    comparison = compare([none, diverged])
    assert (comparison.best, comparison.margin, verdict_text(comparison)) == (None, None, None)
    cells = dict(outcome_table(comparison))
    assert cells["validation loss"] == ["-", "-"]
    assert cells["trials ended"] == ["0/0", "2/2"]


def test_what_is_not_the_same_is_said(tiny_plan: Any, two: list[Contender]) -> None:
    plan = tiny_plan(space=GRID, train={"max_steps": 8}, objective={"metric": "train_loss"})
    other = plan.spec.model_copy(update={"data": "elsewhere"})
    state = state_with(plan, (Status.COMPLETED, [(8, 1.0)]))
    state.spec = other
    short = Contender("short", "interrupted", 2, contender("short", state).state)
    comparison = compare([two[0], short])
    assert comparison.metric == "val_loss"
    assert [caveat.split(":")[0] for caveat in comparison.caveats] == [
        "They trained on different data",
        "Their objectives differ",
        "Their winners were trained for different numbers of steps.",
        "Not finished",
    ]


def figures(contenders: list[Contender]) -> tuple[Any, Any]:
    comparison: Comparison = compare(contenders)
    return (
        curves_figure(contenders, comparison.metric),
        parameter_figure(contenders, "learning_rate", comparison.metric),
    )


def test_the_figures_have_every_trial(two: list[Contender]) -> None:
    curves, rates = figures(two)
    bold = [trace for trace in curves["data"] if trace["showlegend"]]
    assert [trace["y"] for trace in bold] == [[3.0, 2.0], [2.8, 1.75]]
    assert bold[0]["x"] == [400, 1600]
    assert [sorted(trace["x"]) for trace in rates["data"]] == [[1e-3, 1e-2]] * 2
    assert rates["layout"]["xaxis"]["type"] == "log"
    by_rate = dict(zip(rates["data"][0]["x"], rates["data"][0]["marker"]["symbol"], strict=True))
    assert by_rate == {1e-3: "circle", 1e-2: "circle-open"}


def test_words_are_categories(tiny_plan: Any) -> None:
    sizes = {"<b>": {"num_layers": 1}, "large": {"num_layers": 2}}
    plan = tiny_plan(space={"size": {"grid": sizes}})
    state = state_with(plan, *[(Status.COMPLETED, [(16, 1.0)])] * 2)
    figure = parameter_figure([contender("a", state)], "size", "val_loss")
    assert figure["layout"]["xaxis"]["type"] == "category"
    assert sorted(figure["data"][0]["x"]) == ["&lt;b>", "large"]
