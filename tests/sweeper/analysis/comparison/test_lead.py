"""Which of several sweeps leads, and whether that is more than noise."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sweeper.analysis.comparison.comparison import (
    Contender,
    compare,
)
from sweeper.analysis.comparison.lead import Lead
from sweeper.analysis.noise import tukey_quantile
from sweeper.status import Status
from sweeper.views.terminal.comparison_tables import (
    outcome_table,
    value_tables,
    verdict_text,
)
from tests.sweeper.analysis.comparison.contenders import GRID, at_rate, configured, contender
from tests.sweeper.analysis.summary.sweeps import seeded, sweep_of


def test_a_lead_is_told_from_chance(tiny_plan: Any) -> None:
    spec = tiny_plan(space=GRID, seeds=[0, 1]).spec
    first = contender("first", spec, seeded({1e-2: [1.0, 1.02], 1e-3: [1.52, 1.5]}))
    near = contender("near", spec, seeded({1e-2: [1.01, 1.03], 1e-3: [1.5, 1.52]}))
    far = contender("far", spec, seeded({1e-2: [2.0, 2.02], 1e-3: [2.5, 2.52]}))
    # By scipy's table: 6.825 for four points and three degrees; the deviation that the seeds leave
    # once their shift of all points is taken off is sqrt(0.0006 / 3), and a mean has two of them.
    limit = "less than 0.0682 can be chance (Tukey, 95%)"
    close, clear = compare([first, near]), compare([first, far])
    assert verdict_text(close) == (
        f"first is ahead by 0.0100 (val_loss), which is within the noise: {limit}."
    )
    assert verdict_text(clear) == (
        f"first is ahead by 1.0000 (val_loss), which is more than the noise: {limit}."
    )


def test_an_easy_seed_puts_no_sweep_ahead(tiny_plan: Any) -> None:
    """The second seed takes 0.5 off every point; `hard` did not have it."""
    spec = tiny_plan(space=GRID, seeds=[0, 1]).spec
    easy = contender("easy", spec, seeded({1e-3: [1.7, 1.2], 1e-2: [2.0, 1.51]}))
    (*hard_trials,) = seeded({1e-3: [1.6], 1e-2: [1.9]})
    hard = contender("hard", spec, hard_trials, seeds=(0,))
    comparison = compare([easy, hard])
    assert comparison.best == "hard", "though the mean of easy is 1.45"
    assert comparison.margin == pytest.approx(0.1, abs=0.01)
    assert comparison.caveats == (
        "Their means are corrected for what the seeds that they had do to all points.",
    )
    assert [outcome.best_objective for outcome in comparison.outcomes] == [1.45, 1.6]
    assert [outcome.stands_by for outcome in comparison.outcomes] == [None, pytest.approx(1.3525)]
    assert dict(outcome_table(comparison))["corrected for its seeds"] == ["-", "1.3525"]
    assert value_tables(comparison)["learning_rate"][0] == ("0.001", ["1.4500", "1.3525"])
    assert compare([easy, replace(easy, name="again")]).caveats == ()

    larger = replace(easy, name="larger", sweep=sweep_of(configured(easy, 5.0, batch_size=8)))
    assert compare([easy, hard, larger]).best == "hard", "other batches elsewhere change nothing"
    elsewhere = replace(hard, spec=spec.model_copy(update={"data": "elsewhere"}))
    apart = compare([easy, elsewhere])
    assert (apart.outcomes[1].stands_by, apart.caveats) == (None, ()), (
        "neither says what a seed does"
    )
    assert value_tables(apart)["learning_rate"][0] == ("0.001", ["1.4500", "1.6000"])


def test_where_no_point_is_repeated_the_seed_is_that_of_the_config(tiny_plan: Any) -> None:
    spec = tiny_plan(space=GRID, seeds=[0, 1]).spec
    easy = contender("easy", spec, seeded({1e-3: [1.7, 1.2], 1e-2: [2.0, 1.51]}))

    def with_seed(seed: int) -> Contender:
        trials = [at_rate("0", 1e-3, 1.6), at_rate("1", 1e-2, 1.9)]
        return contender("hard", spec, [replace(t, config={"seed": seed}) for t in trials])

    assert compare([easy, with_seed(0)]).best == "hard"
    others = compare([easy, with_seed(7)])
    assert others.best == "easy"
    assert others.caveats == (
        "easy and hard share no seeds with the same batches: compared by their means.",
    )


def test_what_a_diverged_seed_left_is_ahead_of_nothing(tiny_plan: Any) -> None:
    spec = tiny_plan(space=GRID, seeds=[0, 1, 2]).spec
    (*left,) = seeded({1e-2: [1.0, 1.02], 1e-3: [1.1, 1.12]})
    gone = [
        at_rate(f"{rate:g}-2", rate, None, seed=2, status=Status.DIVERGED) for rate in (1e-2, 1e-3)
    ]
    lucky = contender("lucky", spec, [*left, *gone])
    sound = contender("sound", spec, seeded({1e-2: [2.0, 2.01, 2.02], 1e-3: [2.1, 2.12, 2.1]}))
    comparison = compare([lucky, sound])
    assert (comparison.best, comparison.margin, comparison.chance) == ("sound", None, None)
    assert comparison.caveats[-1] == (
        "Behind the others, as a seed of its best point diverged: lucky."
    )


def test_a_run_that_two_sweeps_share_tells_of_the_noise_once(tiny_plan: Any) -> None:
    spec = tiny_plan(space=GRID, seeds=[0, 1]).spec
    one = contender("one", spec, seeded({1e-2: [1.0, 1.02], 1e-3: [1.52, 1.5]}))
    # One degree of freedom, of two points and two seeds; the deviation left is sqrt(0.0004 / 1).
    limit = tukey_quantile(0.95, 4, 1) * 0.02 / 2**0.5
    assert compare([one, replace(one, name="taken")]).chance == pytest.approx(limit)


@pytest.mark.parametrize("shift", [0.0, 10.0])
def test_what_a_seed_does_to_all_sweeps_alike_hides_no_lead_and_makes_none(shift: float) -> None:
    """Of 100 draws of 3 sweeps of 4 equal points x 3 seeds: the first is ahead of the next by
    nothing, or by 6 deviations. It lacks a seed, and the last sweep has others than they."""
    claimed = {0.0: 0, 6.0: 0}
    for number in range(100):
        rng = np.random.default_rng(number)
        seeds = shift * rng.normal(size=(2, 3))
        for ahead in claimed:
            values = rng.normal(size=(3, 4, 3)) + seeds[[0, 0, 1]][:, None]
            values += ahead * np.array([0, 1, 4])[:, None, None]
            trials = [
                seeded({10.0**-k: points.tolist() for k, points in enumerate(of)}) for of in values
            ]
            trials[0] = [trial for trial in trials[0] if trial.seed != number % 3]
            trials[2] = [replace(trial, seed=(trial.seed or 0) + 3) for trial in trials[2]]
            sweeps = {str(place): sweep_of(of) for place, of in enumerate(trials)}
            winners = {n: w.trial_id for n, s in sweeps.items() if (w := s.ranking.winner)}
            lead = Lead(sweeps, winners)
            assert lead.margin is not None and lead.chance is not None
            claimed[ahead] += lead.margin > lead.chance
    assert claimed[0.0] <= 5
    assert claimed[6.0] >= 80


def test_the_same_seed_of_other_batches_is_another(tiny_plan: Any) -> None:
    """No shift is taken off two sweeps whose batches differ: they count as independent."""
    spec = tiny_plan(space=GRID, seeds=[0, 1]).spec
    trials = seeded({1e-2: [1.0, 1.5], 1e-3: [1.51, 2.0]})
    one = contender("one", spec, trials)
    same = contender("same", spec, seeded({1e-2: [1.001, 1.501], 1e-3: [1.511, 2.001]}))
    larger = replace(same, name="larger", sweep=sweep_of(configured(same, batch_size=8)))
    alike, unlike = compare([one, same]).chance, compare([one, larger]).chance
    assert alike is not None and unlike is not None
    assert alike < 0.1 < 1 < unlike


def test_the_same_twice_is_tied_and_a_single_value_is_no_table(tiny_plan: Any) -> None:
    spec = tiny_plan(space={"learning_rate": {"grid": [1e-3]}}).spec
    one = contender("one", spec, [at_rate("0000", 1e-3, 2.0)])
    comparison = compare([one, replace(one, name="two")])
    assert comparison.best is None
    assert verdict_text(comparison) == "The best of them are tied."
    assert comparison.by_value == {}


def test_without_a_winner_nobody_is_ahead(tiny_plan: Any) -> None:
    spec = tiny_plan(space=GRID).spec
    none = contender("none", spec, [])
    rates = ("0000", 1e-3), ("0001", 1e-2)
    bad = [at_rate(name, rate, None, status=Status.DIVERGED) for name, rate in rates]
    comparison = compare([none, contender("bad", spec, bad)])
    assert (comparison.best, comparison.margin, verdict_text(comparison)) == (None, None, None)
    cells = dict(outcome_table(comparison))
    assert cells["validation loss"] == ["-", "-"]
    assert cells["trials ended"] == ["0/0", "2/2"]
