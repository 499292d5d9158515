"""Sweeps side by side, against values set by hand."""

import json
import shlex
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from sweeper.analysis.comparison.comparison import (
    Comparison,
    Contender,
    Difference,
    best_optima,
    best_responses,
    compare,
    measured_alike,
)
from sweeper.analysis.reading.parameters import joined
from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.remarks.comparisons import comparable_offers
from sweeper.record.state.arrivals import Arrival
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status
from sweeper.views.report.figures.figure import Figure
from sweeper.views.report.figures.learning.curves import compared_curves_figure
from sweeper.views.report.figures.response.curves import compared_response_figure
from sweeper.views.terminal.comparison_tables import (
    outcome_table,
    setting_text,
    value_tables,
    verdict_text,
)
from tests.sweeper.analysis.comparison.contenders import GRID, at_rate, contender
from tests.sweeper.analysis.summary.sweeps import LEARNING_RATE, seeded, sweep_of, trial
from tests.sweeper.views.report.test_figures import coloured

STOPPED = Arrival(rung=4, trial_id="0001", step=4, value=3.5, kept=False)


@pytest.fixture
def two(tiny_plan: Any) -> list[Contender]:
    """In the first the higher rate was stopped at the rung of step 4."""
    narrow = [
        at_rate("0000", 1e-3, 3.0, 2.5, 2.2, 2.0),
        at_rate("0001", 1e-2, 3.5, status=Status.STOPPED),
    ]
    wide = [at_rate("0000", 1e-3, 2.8, 2.5, 2.0, 1.75), at_rate("0001", 1e-2, 2.9, 2.8, 2.6, 2.5)]
    other = {"train": {"d_model": 32}, "description": "ignored"}
    return [
        contender("narrow", tiny_plan(space=GRID).spec, narrow, arrivals=(STOPPED,)),
        contender("wide", tiny_plan(space=GRID, **other).spec, wide),
    ]


def test_who_is_ahead_and_by_how_much(two: list[Contender]) -> None:
    comparison = compare(two)
    assert (comparison.best, comparison.margin) == ("wide", 0.25)
    assert verdict_text(comparison) == (
        "wide is ahead by 0.2500 (val_loss); whether that is more than noise is not known."
    )
    narrow, wide = comparison.outcomes
    assert (narrow.num_completed, wide.num_completed) == (1, 2)
    assert (narrow.tokens, wide.tokens) == (200, 320)
    assert (narrow.flops, narrow.train_seconds) == (2000, 20.0)
    assert narrow.best_values == {"learning_rate": 1e-3}
    assert (narrow.best_step, narrow.val_perplexity) == (16, None)


def test_the_losses_on_validation_sets_with_names_are_rows_of_their_own(
    two: list[Contender],
) -> None:
    narrow, wide = two
    best, other = wide.sweep.trials
    told = replace(best, set_losses={"val_loss_news": 3.0, "val_loss_code": 1.25})
    sweep = replace(wide.sweep, trials=(told, replace(other, set_losses={"val_loss_code": 9.0})))
    rows = outcome_table(compare([narrow, replace(wide, sweep=sweep)]))
    after = [label for label, _ in rows].index("bits per byte") + 1
    assert rows[after : after + 2] == [
        ("validation loss on code", ["-", "1.2500"]),
        ("validation loss on news", ["-", "3.0000"]),
    ]


def test_settings_that_differ_and_no_others(two: list[Contender]) -> None:
    assert compare(two).differences == (Difference("train.d_model", (16, 32)),)


def test_a_domain_is_one_value(tiny_plan: Any) -> None:
    specs = [
        tiny_plan(space={"learning_rate": {"grid": grid}}).spec for grid in ([1e-3], [1e-3, 2e-3])
    ]
    (difference,) = compare([contender(f"{i}", s, []) for i, s in enumerate(specs)]).differences
    assert difference.setting == "space.learning_rate"
    assert setting_text(difference.values[1]) == "{grid: [0.001, 0.002]}"


def test_by_value_the_trials_that_came_furthest_count(two: list[Contender]) -> None:
    rows = compare(two).by_value["learning_rate"]
    assert [(row.value, row.objectives) for row in rows] == [
        (1e-3, (2.0, 1.75)),
        (1e-2, (3.5, 2.5)),
    ]


def test_what_was_tried_without_a_number_is_in_the_table(two: list[Contender]) -> None:
    diverged = at_rate("0002", 1e-1, None, status=Status.DIVERGED)
    more = replace(two[1].sweep, trials=(*two[1].sweep.trials, diverged))
    comparison = compare([two[0], replace(two[1], sweep=more)])
    assert value_tables(comparison)["learning_rate"][-1] == ("0.1", ["-", "-"])


def test_repeated_seeds_count_by_their_mean_and_not_by_the_luckiest(tiny_plan: Any) -> None:
    spec = tiny_plan(space=GRID, seeds=[0, 1]).spec
    lucky = contender("lucky", spec, seeded({1e-2: [1.0, 3.0], 1e-3: [1.75, 1.75]}))
    even = contender("even", spec, seeded({1e-3: [1.5, 1.6], 1e-2: [2.5, 2.5]}))
    comparison = compare([lucky, even])
    assert [outcome.best_objective for outcome in comparison.outcomes] == [1.75, 1.55]
    assert [outcome.best_trial for outcome in comparison.outcomes] == ["0.001-0", "0.001-0"]
    assert comparison.best == "even"
    assert comparison.margin == pytest.approx(0.2)
    assert dict(outcome_table(comparison))["mean (seeds)"] == ["1.7500 (2)", "1.5500 (2)"]
    assert "seed" not in comparison.by_value, "a seed is no setting to compare by"
    assert [row.objectives for row in comparison.by_value["learning_rate"]] == [
        (1.75, 1.55),
        (2.0, 2.5),
    ]


def test_what_is_not_the_same_is_said(tiny_plan: Any, two: list[Contender]) -> None:
    plan = tiny_plan(space=GRID, train={"max_steps": 8}, objective={"metric": "train_loss"})
    other = plan.spec.model_copy(update={"data": "elsewhere"})
    ended = at_rate("0000", 1e-3, 1.5, 1.0)
    by_training = replace(
        ended, evaluations=tuple(replace(e, value=e.loss and e.loss / 2) for e in ended.evaluations)
    )
    short = contender(
        "short", other, [by_training], metric="train_loss", state="interrupted", notes=("Odd.",)
    )
    comparison = compare([two[0], short])
    assert comparison.metric == "val_loss"
    assert comparison.outcomes[1].best_objective == 1.0, "its validation loss"
    assert [caveat.split(":")[0] for caveat in comparison.caveats] == [
        "short",
        "Their objectives differ",
        "Not finished",
    ]
    data, tokens = comparison.unlike
    assert data == "They trained on different data: the losses do not compare."
    assert tokens.startswith("Their winners were trained on different numbers of tokens.")


def test_between_600_and_300_steps_no_winner_is_named(tiny_plan: Any) -> None:
    spec = tiny_plan(space=GRID).spec
    long = contender("long", spec, [at_rate("0000", 1e-3, 3.0, 2.6, 2.2, 2.0)])
    short = contender("short", spec, [at_rate("0000", 1e-3, 2.9, 2.4)])
    comparison = compare([long, short])
    assert (comparison.best, comparison.margin) == (None, None)
    assert comparison.unlike == (
        "Their winners were trained on different numbers of tokens. After 80 they had: long "
        "2.6000, short 2.4000; but there long had not come to the end of the schedule.",
    )
    assert verdict_text(comparison) == "Which of them is better cannot be said:"
    (offer,) = comparable_offers([long, short], comparison)
    assert offer.command.endswith("--set train.max_steps=16")
    assert compare([long, replace(long, name="again")]).unlike == ()


def ended(one: TrialData, step: int) -> TrialData:
    return replace(one, evaluations=tuple(replace(e, step=step) for e in one.evaluations))


def offered(of: Contender, command: str) -> Contender:
    """What the command trains, as if it came to the same losses."""
    words = shlex.split(command)
    sets = (word.split("=", 1) for before, word in pairwise(words) if before == "--set")
    changes = {key: json.loads(value) for key, value in sets}
    train = {key.removeprefix("train."): v for key, v in changes.items() if key != "data"}
    trials = []
    for one in of.sweep.trials:
        config = {**one.config, **train}
        longer = config.get("context_length", 1) / one.config.get("context_length", 1)
        per_step = round((one.tokens_per_step or 0) * longer)
        again = ended(one, config.pop("max_steps", one.step))
        trials.append(replace(again, config=config, tokens_per_step=per_step))
    spec = of.spec.model_copy(update={"data": changes.get("data", of.spec.data)})
    return replace(of, sweep=replace(of.sweep, trials=tuple(trials)), spec=spec)


def planted(rng: np.random.Generator, spec: SweepSpec, unlike: str | None) -> list[Contender]:
    """Two sweeps of a few rates and seeds, of which the second is better, and unlike in one way."""
    seeds = int(rng.integers(1, 4))
    pair = []
    for number, name in enumerate(("first", "second")):
        of_rate = {10.0**-k: rng.normal(3 - number, 0.1, seeds).tolist() for k in (1, 2, 3)}
        its: dict[str, Any] = {"context_length": 64, "eval_windows": 128, "vocab_size": 512}
        per_step = 960
        if number and unlike in its:
            its[unlike] *= int(rng.integers(2, 5))
        if number and unlike == "tokens":
            per_step += 96 * int(rng.integers(1, 30))
        trials = [
            ended(replace(t, config=its, tokens_per_step=per_step), 1000) for t in seeded(of_rate)
        ]
        data = f"data/{name if unlike == 'data' else 'same'}"
        of = spec.model_copy(update={"data": data if number or unlike != "null" else None})
        pair.append(Contender(name=name, sweep=sweep_of(trials), spec=of))
    return pair if rng.integers(2) else pair[::-1]


def test_of_planted_pairs_that_are_not_alike_none_is_named_and_a_remedy_is(tiny_plan: Any) -> None:
    spec = tiny_plan(space=GRID).spec
    told = {
        "data": "--set 'data=",
        "null": "data=",  # the one of most tokens has none, or the other
        "tokens": "--set train.max_steps=",
        "context_length": "--set train.context_length=",
        "eval_windows": "--set train.eval_windows=",
        "vocab_size": None,  # which other data have, and they are named
    }
    for unlike, change in told.items():
        for number in range(20):
            pair = planted(np.random.default_rng(number), spec, unlike)
            comparison = compare(pair)
            assert len(comparison.unlike) == 1, unlike
            assert (comparison.best, comparison.margin, comparison.chance) == (None, None, None)
            offers = comparable_offers(pair, comparison)
            assert [change in offer.command for offer in offers] == [True] * (change is not None)
            for offer in offers:
                whose = offer.purpose.split()[1]
                pair = [offered(c, offer.command) if c.name == whose else c for c in pair]
                assert compare(pair).unlike == ()
    for number in range(20):
        comparison = compare(planted(np.random.default_rng(number), spec, None))
        assert (comparison.unlike, comparison.best) == ((), "second")


def test_where_the_lengths_follow_from_the_space_no_one_length_is_offered(tiny_plan: Any) -> None:
    pair = planted(np.random.default_rng(0), tiny_plan(space=GRID).spec, "tokens")
    assert comparable_offers(pair, compare(pair)) != ()
    stray = at_rate("stray", 1.0, 9.0, seed=0, max_steps=8)
    varied = [replace(c, sweep=replace(c.sweep, trials=(*c.sweep.trials, stray))) for c in pair]
    assert comparable_offers(varied, compare(varied)) == ()


@pytest.mark.parametrize("setting", ["vocab_size", "context_length", "eval_windows"])
def test_losses_of_other_tokens_or_windows_do_not_compare(tiny_plan: Any, setting: str) -> None:
    spec = tiny_plan(space=GRID).spec
    few, many = (
        contender(f"{n}", spec, [replace(at_rate("0000", 1e-3, 2.0 + n), config={setting: n})])
        for n in (1, 2)
    )
    comparison = compare([few, many])
    assert len(comparison.unlike) == 1
    assert comparison.best is None


def figures(contenders: list[Contender], *names: str) -> list[Figure]:
    alike = measured_alike(contenders)
    sweeps = {c.name: sweep for c, sweep in zip(contenders, alike, strict=True)}
    responses = {name: best_responses(sweep) for name, sweep in sweeps.items()}
    made = [compared_curves_figure(sweeps)]
    for swept in names:
        of = {name: each[swept] for name, each in responses.items() if swept in each}
        optima = {name: best_optima(sweep) for name, sweep in sweeps.items()}
        made.append(compared_response_figure(sweeps, of, optima))
    drawn = [figure for figure in made if figure is not None]
    for figure in drawn:
        go.Figure(coloured({"data": figure["data"], "layout": figure["layout"]}))
    return drawn


def named(figure: Figure, name: str) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace["name"].startswith(name)]


def test_the_figures_have_every_trial(two: list[Contender]) -> None:
    curves, rates = figures(two, "learning_rate")
    bold = [trace for trace in curves["data"] if "trial 0000" in trace["name"]]
    assert [trace["y"][:-1] for trace in bold] == [[3.0, 2.5, 2.2, 2.0], [2.8, 2.5, 2.0, 1.75]]
    assert [trace["line"]["color"] for trace in bold] == ["@blue", "@orange"]
    tokens = curves["axes"]["tokens"]["x"][curves["data"].index(bold[0])]
    assert tokens == [40, 80, 120, 160, None]
    faint = [trace for trace in curves["data"] if trace["name"] == "narrow"]
    assert [trace["y"] for trace in faint] == [[3.5, None]]
    for sweep, symbols in (("narrow", {1e-3: "circle", 1e-2: "circle-open"}), ("wide", {})):
        dots = [t for t in named(rates, sweep) if t["mode"] == "markers"]
        assert sorted(x for trace in dots for x in trace["x"]) == [1e-3, 1e-2]
        assert {trace["marker"]["color"] for trace in dots} == (
            {"@blue"} if sweep == "narrow" else {"@orange"}
        )
        for trace in dots:
            for x in trace["x"]:
                assert trace["marker"]["symbol"] == symbols.get(x, "circle")
    assert rates["layout"]["xaxis"]["type"] == "log"


def test_words_are_categories_and_no_name_is_read_as_markup(tiny_plan: Any) -> None:
    sizes = {"<b>": {"num_layers": 1}, "large": {"num_layers": 2}}
    spec = tiny_plan(space={"size": {"grid": sizes}}).spec
    size = Parameter(name="size", scale="category", options=("<b>", "large"))
    trials = [trial(f"{i:04}", {"size": name}, 1.0) for i, name in enumerate(sizes)]
    a = Contender(name="<i>a", sweep=sweep_of(trials, [size]), spec=spec)
    curves, by_size = figures([a], "size")
    assert by_size["layout"]["xaxis"]["type"] == "category"
    assert sorted(by_size["data"][0]["x"]) == ["&lt;b>", "large"]
    names = {trace["name"] for figure in (curves, by_size) for trace in figure["data"]}
    assert not any("<" in name for name in names)


def test_nothing_evaluated_is_nothing_drawn(tiny_plan: Any) -> None:
    empty = contender("empty", tiny_plan(space=GRID).spec, [])
    assert figures([empty], "learning_rate") == []


def test_a_name_is_drawn_over_all_that_any_sweep_has_swept() -> None:
    drawn = Parameter(name="learning_rate", scale="log", low=1e-3, high=1.0)
    assert joined([LEARNING_RATE, drawn]) == replace(drawn, low=1e-4, high=1.0)
    listed = replace(LEARNING_RATE, options=(1e-1, 1e0), low=1e-1, high=1e0)
    both = joined([LEARNING_RATE, listed])
    assert (both.options, both.scale) == ((1e-4, 1e-3, 1e-2, 1e-1, 1e0), "log")
    from_zero = Parameter(name="learning_rate", scale="linear", low=0.0, high=1.0)
    assert joined([drawn, from_zero]).scale == "linear"


def test_a_comparison_is_a_value(two: list[Contender]) -> None:
    first: Comparison = compare(two)
    assert first == compare(two)
    assert isinstance(two[0].sweep, SweepData)
