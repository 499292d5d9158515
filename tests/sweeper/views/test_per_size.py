"""What a sweep over sizes says: the answer for each, in a line and in a table."""

from dataclasses import replace

from sweeper.analysis.summary import SweepData, summarise
from sweeper.status import Status
from sweeper.views.per_size import SizesAnswer, size_columns, sizes_answer, sizes_json
from tests.sweeper.analysis.summary.sweeps import sweep_of, trial
from tests.sweeper.analysis.summary.test_sizes import PARAMS, SIZES, of_size, swept


def answer(sweep: SweepData, *, finished: bool = True) -> SizesAnswer:
    told = sizes_answer(summarise(sweep), finished=finished)
    assert told is not None
    return told


def alone(losses: dict[str, list[float]]) -> SweepData:
    """Sizes without anything else that is swept."""
    trials = [
        trial(
            f"{size}{seed}", {"size": size}, loss, seed=seed if len(seeds) > 1 else None,
            num_params=PARAMS[size], flops_per_step=PARAMS[size],
        )
        for size, seeds in losses.items()
        for seed, loss in enumerate(seeds)
    ]  # fmt: skip
    return sweep_of(trials, [SIZES])


def test_the_best_setting_of_each_size_is_the_headline() -> None:
    told = answer(swept("large", "small", "medium"))
    assert (
        told.headline == "Best learning_rate: 0.002 at small, 0.001 at medium and 0.0005 at large"
    )
    assert told.lede == (
        "Validation loss 2.6000 of large, the best of the sizes: 0.2000 ahead of medium, "
        "for 1 times its FLOPs."
    )
    assert told.verdict is not None
    assert told.verdict.kind == "unknown"
    assert answer(swept("small", "large"), finished=False).headline.endswith(" so far")


def test_of_sizes_alone_it_is_their_losses() -> None:
    told = answer(alone({"small": [2.0], "large": [1.5]}))
    assert told.headline == "Validation loss 2.000 at small and 1.500 at large"
    assert "0.5000 ahead of small, for 16 times its FLOPs" in told.lede


def test_sizes_are_tied_or_not_by_their_seeds() -> None:
    apart = answer(alone({"small": [2.0, 2.01], "large": [1.0, 1.01]})).verdict
    near = answer(alone({"small": [2.0, 2.5], "large": [1.9, 2.45]})).verdict
    assert apart is not None
    assert near is not None
    assert apart.kind == "clear"
    assert near.kind == "tied"
    assert "small and large are tied" in near.text


def test_a_size_whose_loss_is_on_no_scale_with_the_others_is_not_compared() -> None:
    """Nobody knows whether seed 9 is an easy one."""
    two = alone({"small": [2.0, 2.5], "large": [1.9, 2.45]})
    sweep = replace(two, trials=(*two.trials, trial("x", {"size": "medium"}, 1.0, seed=9)))
    assert answer(sweep).lede == answer(two).lede
    assert answer(sweep).headline == answer(two).headline


def test_a_sweep_over_no_sizes_has_no_such_answer() -> None:
    summary = summarise(alone({"small": [1.0]}))
    assert sizes_answer(summary, finished=True) is None
    assert size_columns(summary) == ()


def test_the_table_has_what_each_size_wants_and_costs() -> None:
    columns = {
        column.heading: column for column in size_columns(summarise(swept("large", "small")))
    }
    assert list(columns) == [
        "size", "loss", "learning_rate", "params", "tokens", "FLOPs", "tok/s", "time",
    ]  # fmt: skip
    assert columns["size"].cells == ("small", "large")
    assert columns["params"].cells == ("1.0k", "16.0k")
    assert columns["learning_rate"].cells == ("0.002", "0.0005")
    assert all(text.startswith("take 0.00") for text in columns["learning_rate"].intervals)


def test_a_size_under_way_says_where_it_stands() -> None:
    sweep = sweep_of([*of_size("small"), *of_size("large", status=Status.RUNNING)], [SIZES])
    (value,) = [c.cells[1] for c in size_columns(summarise(sweep)) if c.heading == "loss"]
    assert value == "2.6000 at step 4"
    lost = replace(sweep, trials=tuple(
        replace(t, status=Status.DIVERGED) if t.point["size"] == "large" else t
        for t in sweep.trials
    ))  # fmt: skip
    (value,) = [c.cells[1] for c in size_columns(summarise(lost)) if c.heading == "loss"]
    assert value == "diverged"


def test_scripts_get_the_same() -> None:
    small, large = sizes_json(summarise(swept("large", "small")))
    assert (small["size"], large["num_params"]) == ({"size": "small"}, 16000)
    assert set(small["optima"]) == {"learning_rate"}  # type: ignore[call-overload]
