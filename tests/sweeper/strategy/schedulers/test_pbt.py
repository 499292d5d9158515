"""Population based training beside Tune's: who takes over from whom."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.status import Decision
from sweeper.strategy.schedulers.pbt import Pbt
from sweeper.strategy.schedulers.scheduler import Promotion

END = 100


def population(scores: list[float], interval: int = 10, **options: Any) -> tuple[Pbt, set[str]]:
    """All of a population at the first rung; those who pause there."""
    pbt = Pbt(interval, options.pop("quantile", 0.25), **options)
    ids = [f"{n:04d}" for n in range(len(scores))]
    for trial_id in ids:
        pbt.added(trial_id, END)
    paused = set()
    for trial_id, score in zip(ids, scores, strict=True):
        if pbt.report(trial_id, interval, score, END).decision is Decision.PAUSE:
            paused.add(trial_id)
        else:
            pbt.ended(trial_id)
    return pbt, paused


def all_promotions(pbt: Pbt, paused: set[str]) -> list[Promotion]:
    found = []
    while (promotion := pbt.promotion(paused, more=False)) is not None:
        pbt.promote(promotion)
        paused.remove(promotion.trial_id)
        found.append(promotion)
    return found


losses = st.lists(st.integers(0, 1000), unique=True, max_size=20).map(lambda n: [*map(float, n)])


@settings(deadline=None)
@given(losses, st.sampled_from([0.1, 0.25, 0.4, 0.5]), st.sampled_from(["min", "max"]))
def test_the_worst_and_the_best_are_those_of_tune(
    scores: list[float], quantile: float, mode: Any
) -> None:
    from ray.tune.schedulers import PopulationBasedTraining

    tune = PopulationBasedTraining(
        time_attr="time",
        metric="value",
        mode=mode,
        perturbation_interval=10,
        quantile_fraction=quantile,
        hyperparam_mutations={"learning_rate": [1, 2]},
        synch=True,
    )
    sign = 1 if mode == "max" else -1
    for number, score in enumerate(scores):
        trial: Any = SimpleNamespace(trial_id=f"{number:04d}", is_finished=lambda: False)
        # A namespace has no hash; Tune keeps trials as keys.
        key = type("Trial", (), vars(trial) | {"is_finished": lambda self: False})()
        tune._trial_state[key] = SimpleNamespace(last_score=sign * score)
    worst, best = ({t.trial_id for t in quantile} for quantile in tune._quantiles())

    promotions = all_promotions(*population(scores, quantile=quantile, objective=mode))

    taking = [p for p in promotions if p.source is not None]
    assert {p.trial_id for p in taking} == worst
    assert {p.source for p in taking} <= best
    assert promotions[: len(taking)] == taking, "before anyone leaves what is taken over"
    assert len(promotions) == len(scores)


values = st.one_of(st.floats(0, 9), st.sampled_from([1.0, math.nan, math.inf]), st.none())


@given(st.data(), st.integers(1, 6), st.integers(0, 2**32))
def test_failures_and_restarts_change_nothing(data: st.DataObject, number: int, seed: int) -> None:
    """In any order trials arrive or fail; the scheduler may be rebuilt from the log at any time.
    Who takes over depends on the values alone, and nobody is waited for in vain."""
    interval, end = 10, 40
    log: list[tuple[str, tuple[Any, ...]]] = []
    pbt = Pbt(interval, 0.25, seed=seed)

    def note(name: str, *arguments: Any) -> Any:
        log.append((name, arguments))
        return getattr(pbt, name)(*arguments)

    at = {f"{n:04d}": 0 for n in range(number)}
    for trial_id in at:
        note("added", trial_id, end)
    running, paused = set(at), set[str]()
    while running or paused:
        if data.draw(st.booleans()):
            pbt = Pbt(interval, 0.25, seed=seed)
            for name, arguments in log:
                getattr(pbt, name)(*arguments)
        promotion = pbt.promotion(paused, more=False)
        assert pbt.promotion(paused, more=True) is None
        if promotion is None:
            assert running, "somebody goes on once all are there"
            behind = {t for t in at if at[t] == min(at[r] for r in at)}
            assert running & behind, "nobody waits for those that are further"
        if promotion is not None and (not running or data.draw(st.booleans())):
            assert at[promotion.trial_id] == min(at.values()) or promotion.source is None
            if promotion.source is not None:
                assert promotion.source in paused
                assert at[promotion.source] == at[promotion.trial_id] == promotion.rung
            note("promote", promotion)
            paused.remove(promotion.trial_id)
            running.add(promotion.trial_id)
            continue
        if not running:
            continue
        trial_id = data.draw(st.sampled_from(sorted(running)))
        running.remove(trial_id)
        if data.draw(st.integers(0, 9)) == 0:  # fails for good
            note("ended", trial_id)
            del at[trial_id]
            continue
        at[trial_id] += interval
        value = data.draw(values)
        verdict = note("report", trial_id, at[trial_id], value, end)
        if at[trial_id] == end:
            assert verdict.decision is Decision.CONTINUE
        elif value is not None and math.isfinite(value):
            assert verdict.decision is Decision.PAUSE
            paused.add(trial_id)
            continue
        else:
            assert verdict.decision is Decision.STOP
        note("ended", trial_id)
        del at[trial_id]


def test_who_takes_over_from_whom_is_drawn_with_the_seed() -> None:
    scores = [float(n) for n in range(20)]
    drawn = [all_promotions(*population(scores, seed=seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {p.source for p in drawn[0]} > {None}
    assert len({p.source for p in drawn[0]}) > 2


def test_of_a_tie_who_was_created_first_is_better() -> None:
    promotions = all_promotions(*population([1.0, 1.0, 1.0]))
    assert promotions[0] == Promotion("0002", 10, "0000")


def test_one_alone_takes_over_from_nobody() -> None:
    assert all_promotions(*population([1.0])) == [Promotion("0000", 10)]


def test_nobody_goes_on_before_the_last_has_paused() -> None:
    """It has reported, but its checkpoint, which another may take over, is still being written."""
    pbt, paused = population([1.0, 2.0, 3.0])
    for trial_id in sorted(paused):
        assert pbt.promotion(paused - {trial_id}, more=False) is None
    assert pbt.promotion(paused, more=False) == Promotion("0002", 10, "0000")


def test_who_comes_later_catches_up_and_is_waited_for() -> None:
    pbt, paused = population([1.0, 2.0])
    all_promotions(pbt, paused)
    for trial_id in ("0000", "0001"):
        pbt.report(trial_id, 20, 1.0, END)
    pbt.added("0002", END)
    pbt.report("0002", 10, 0.5, END)
    everyone = {"0000", "0001", "0002"}
    assert pbt.promotion(everyone, more=False) == Promotion("0002", 10)
    pbt.promote(Promotion("0002", 10))
    assert pbt.promotion({"0000", "0001"}, more=False) is None
    pbt.report("0002", 20, 0.5, END)
    assert pbt.promotion(everyone, more=False) == Promotion("0001", 20, "0002")


def test_nobody_goes_on_while_trials_are_still_created() -> None:
    pbt, paused = population([1.0, 2.0])
    assert pbt.promotion(paused, more=True) is None


@pytest.mark.parametrize(("interval", "quantile"), [(0, 0.25), (4, 0.0), (4, 0.6)])
def test_refuses_settings_that_make_no_population(interval: int, quantile: float) -> None:
    with pytest.raises(ValueError, match=f"got {interval} and {quantile}"):
        Pbt(interval, quantile)


def test_the_share_that_takes_over_is_counted_in_decimals() -> None:
    """In binary 0.07 of 100 are 7.000000000000001, and one more would take over."""
    promotions = all_promotions(*population([float(n) for n in range(100)], quantile=0.07))
    assert sum(promotion.source is not None for promotion in promotions) == 7
