"""What a replay is worth: against arithmetic on paper, and where the truth is known."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.backtest.backtesting import backtest, draws
from sweeper.analysis.backtest.judging import Judged, Truth, judge, summed_up
from sweeper.analysis.backtest.reading import read_table
from sweeper.analysis.backtest.recording import Curve, Field, Recording
from sweeper.analysis.backtest.replay import Outcome
from sweeper.analysis.backtest.strategies import baselines, random_part, scheduled, top_k
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status
from sweeper.strategy.schedulers.scheduler import Fifo
from tests.sweeper.analysis.backtest.quadratic import write_table
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics

ENDS = {1e-3: (3.0, 3.4), 2e-3: (3.1, 3.1), 4e-3: (5.0, None)}  # of two seeds


def curve(learning_rate: float, ends: float | None, mode: str) -> Curve:
    """It is evaluated at step 5 and, a tenth better, at step 10."""
    config = TrainConfig(
        learning_rate=learning_rate, max_steps=10, warmup_steps=0, batch_size=2, context_length=4
    )
    halfway = 9.0 if ends is None else ends + (0.1 if mode == "min" else -0.1)
    last = Metrics(step=10, val_loss=ends, diverged=ends is None)
    return Curve(
        point={"learning_rate": learning_rate},
        config=config,
        evaluations=(Metrics(step=5, val_loss=halfway), last),
        flops_per_token=6,
        seconds=(5.0, 10.0),
    )


def recording(ends: dict[float, tuple[float | None, ...]], mode: str = "min") -> Recording:
    space = {"learning_rate": {"grid": list(ends)}}
    document = {"name": "small", "space": space, "objective": {"mode": mode}}
    spec = SweepSpec.model_validate(document)
    seeds = range(len(next(iter(ends.values()))))
    return Recording(
        name="small",
        spec=spec,
        seeds=tuple(seeds),
        fields=tuple(
            Field(spec, [curve(rate, of[s], mode) for rate, of in ends.items()]) for s in seeds
        ),
        timed=True,
        clocks=("step",),
    )


def test_the_best_is_best_over_all_seeds() -> None:
    truth = Truth(recording(ENDS))
    assert truth.best == 1, "not the first, whose one seed is the best run of all"
    assert truth.means == pytest.approx([3.2, 3.1, 5.0]), "who diverged is as bad as the worst"
    variances = 0.08, 0.0, 0.0
    assert truth.deviation == pytest.approx(math.sqrt(sum(variances) / 3))
    assert truth.good == [1, 0]
    assert truth.regret(0) == pytest.approx(0.1)
    assert truth.regret(None) == pytest.approx(5.0 - 3.1)


def test_more_is_better_where_that_is_asked() -> None:
    truth = Truth(recording({1e-3: (0.5, 0.7), 2e-3: (0.8, 0.6)}, mode="max"))
    assert (truth.best, truth.value) == (1, pytest.approx(0.7))
    assert truth.regret(0) == pytest.approx(0.1)


def test_what_a_seed_does_to_all_settings_alike_is_no_noise_of_theirs() -> None:
    """A shift of 1 for a seed; what is left is ±0.1, on (2 - 1) x (2 - 1) degrees of freedom."""
    shifted = Truth(recording({1e-3: (3.1, 4.0), 2e-3: (3.2, 4.3)}))
    assert shifted.deviation == pytest.approx(math.sqrt((0.81 / 2 + 1.21 / 2) / 2))
    assert shifted.own_deviation == pytest.approx(math.sqrt(4 * 0.05**2))


def test_with_one_seed_the_deviation_is_not_known() -> None:
    one = recording({1e-3: (3.0,), 2e-3: (3.1,)})
    truth = Truth(one)
    assert (truth.deviation, truth.own_deviation) == (None, None)
    found = judge(truth, one.fields[0], outcome(named=1), whole_seconds=20)
    assert (found.false_winner, found.own_false_winner, found.good_lost) == (None, None, None)
    row = summed_up(truth, "any", None, 1, [found])
    assert (row.false_winners, row.regret_deviations, row.good_lost) == (None, None, None)
    assert row.regret_percent == pytest.approx(100 * 0.1 / 3.0)


def outcome(*, named: int | None, **changed: Any) -> Outcome:
    whole = Outcome(steps=[10, 10], ends=[Status.COMPLETED] * 2, seconds=20.0, named=named)
    return replace(whole, **changed)


def test_a_replay_in_numbers() -> None:
    two = recording({1e-3: (3.0, 3.2), 2e-3: (3.5, 3.7)})
    stopped = outcome(named=1, steps=[5, 10], ends=[Status.STOPPED, Status.COMPLETED], seconds=15.0)
    truth = Truth(two)
    assert judge(truth, two.fields[0], stopped, whole_seconds=20) == Judged(
        tokens=15 / 20,
        seconds=15,
        time=15 / 20,
        regret=pytest.approx(0.5),
        false_winner=True,
        own_false_winner=True,
        winner_stopped=True,
        good_lost=True,
    )
    never = outcome(named=1, steps=[0, 10], ends=[Status.PENDING, Status.COMPLETED])
    found = judge(truth, two.fields[0], never, whole_seconds=20)
    assert (found.winner_stopped, found.good_lost) == (False, True)


@pytest.fixture(scope="module")
def quadratic(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    (found,) = read_table(write_table(tmp_path_factory.mktemp("curves") / "quadratic.parquet"))
    return found


def test_every_strategy_gets_the_same_orders_and_each_seed_its_turn(quadratic: Recording) -> None:
    seen: dict[str, list[tuple[Field, tuple[int, ...]]]] = {"a": [], "b": []}

    def noting(name: str) -> Any:
        plain = scheduled(name, lambda field: Fifo())

        def play(field: Field, draw: Any) -> Outcome:
            seen[name].append((field, draw.order))
            return plain.play(field, draw)

        return replace(plain, play=play)

    rows = backtest(quadratic, [noting("a"), noting("b")], orders=6, slots=2)
    assert seen["a"] == seen["b"]
    assert [field for field, _ in seen["a"]] == [*quadratic.fields, *quadratic.fields]
    assert [order for _, order in seen["a"]] == [d.order for d in draws(quadratic, 6, 2)]
    assert [(row.tokens, row.time) for row in rows] == [(1, 1)] * 2


def test_the_whole_grid_names_what_its_seed_says(quadratic: Recording) -> None:
    truth = Truth(quadratic)
    expected = [
        truth.regret(min(range(len(field.curves)), key=field.score)) for field in quadratic.fields
    ]
    full = next(strategy for strategy in baselines(quadratic) if strategy.name == "full grid")
    (row,) = backtest(quadratic, [full], orders=3, slots=2)
    assert row.regret == pytest.approx(sum(expected) / 3)
    assert (row.winner_stopped, row.good_lost) == (0, 0)


def test_the_error_of_a_regret_is_that_of_the_orders_within_each_seed(quadratic: Recording) -> None:
    """What depends on no order has none; else it falls with the root of the orders' number."""
    whole, some = scheduled("full grid", lambda field: Fifo()), random_part(0.2)
    full, few = backtest(quadratic, [whole, some], orders=12, slots=2)
    assert full.regret_error == 0
    (many,) = backtest(quadratic, [some], orders=600, slots=2)
    assert few.regret_error is not None
    assert few.regret_deviations is not None
    assert few.regret_deviations == pytest.approx(many.regret_deviations, abs=3 * few.regret_error)
    assert backtest(quadratic, [some], orders=3, slots=2)[0].regret_error is None
    assert many.regret_error == pytest.approx(few.regret_error / math.sqrt(50), rel=0.5)


@pytest.mark.parametrize("budget", [0.1, 0.25, 0.5])
def test_a_budget_is_kept(quadratic: Recording, budget: float) -> None:
    """As near as whole runs allow."""
    one_run = 1 / 20
    for strategy in (random_part(budget), top_k(quadratic, budget)):
        (row,) = backtest(quadratic, [strategy], orders=12, slots=2)
        assert row.tokens == pytest.approx(budget, abs=one_run), strategy.name


def test_top_k_looks_at_all_and_brings_the_best_to_their_ends(quadratic: Recording) -> None:
    field, strategy = quadratic.fields[0], top_k(quadratic, 0.4)
    (draw,) = draws(quadratic, 1, slots=3)
    played = strategy.play(field, draw)
    rung = 80
    there = {s: v[rung // 20 - 1] for s, v in enumerate(field.values) if len(v) > rung // 20 - 1}
    ranked = sorted((s for s in there if there[s] is not None), key=lambda s: there[s] or math.inf)
    completed = [s for s, end in enumerate(played.ends) if end is Status.COMPLETED]
    assert sorted(ranked[: len(completed)]) == completed
    assert {played.steps[s] for s in ranked[len(completed) :]} == {rung}


def test_the_first_asha_has_the_rungs_of_the_shipped_space(quadratic: Recording) -> None:
    """Those of search_spaces/lr.yaml, in proportion to the length."""
    from sweeper.spec.reading.spec_file import load_spec

    shipped, _ = load_spec(Path(__file__).parents[4] / "search_spaces" / "lr.yaml")
    scheduler = shipped.scheduler.model_dump()
    assert (scheduler["type"], scheduler["mode"]) == ("asha", "stop")
    assert scheduler["reduction_factor"] == 2
    assert scheduler["grace_steps"] is None, "an eighth"
    names = [strategy.name for strategy in baselines(quadratic)]
    assert names[3] == "asha, stop, grace 60", "the first evaluation at or beyond an eighth of 400"


RECORDED = sorted((Path(__file__).parents[4] / "benchmarks" / "curves").glob("*.parquet"))


@pytest.mark.parametrize("table", RECORDED, ids=lambda path: path.stem)
def test_the_recorded_families_are_whole_and_their_spec_says_what_was_run(table: Path) -> None:
    """A search that learns looks at the settings of a point: they are the trial's."""
    for family in read_table(table):
        assert family.notes == ()
        for one in family.fields:
            for curve in one.curves:
                said = TrainConfig.from_mapping(family.spec.settings(curve.point))
                for name in ("learning_rate", "warmup_steps", "weight_decay", "max_steps"):
                    assert getattr(said, name) == getattr(curve.config, name)
                assert said.min_learning_rate == pytest.approx(curve.config.min_learning_rate)
        truth = Truth(family)
        assert truth.deviation is not None and truth.own_deviation is not None
        assert truth.deviation > 0


def test_the_tables_match_what_their_page_says() -> None:
    """`sd of seeds, best eight` and what of it is not common to all, as another program has it."""
    page = (RECORDED[0].parent / "README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in page.splitlines()]
    stated = {row[0]: row for row in rows if len(row) == 11}
    assert stated
    for table in RECORDED:
        (family,) = read_table(table)
        truth, row = Truth(family), stated[family.name]
        assert truth.deviation is not None and truth.own_deviation is not None
        assert float(row[6]) == pytest.approx(truth.value, abs=1e-4)
        assert float(row[-2]) == pytest.approx(truth.deviation, abs=2e-4)
        assert float(row[-1]) == pytest.approx(truth.own_deviation, abs=2e-4)
