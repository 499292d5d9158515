"""The finals: the tied points run with more seeds, until one stands out; killed at any event, they
go on as if nothing had been."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.reading.loading import load
from sweeper.engine.session.resuming import Changes, prepare_resumption
from sweeper.engine.sweep import Sweep
from sweeper.errors import SpecError
from sweeper.plan.plan import Plan
from sweeper.record.ranking import ranking_of
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.events import FinalsEnded
from sweeper.status import Status
from sweeper.views.terminal.live_view import progress_line
from sweeper.views.verdict import verdict_of, why_none
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.in_process import drive, killed_at_each_event, opened, run_trial
from tests.sweeper.journals import raw_events

RATES = [1e-4, 1e-3, 3e-3, 1e-2, 1e-1]
FINALS = {"top": 3, "seeds": 3}
TOLD_APART = {1e-3: 1.0, 3e-3: 2.0, 1e-2: 3.0}
ALIKE = dict.fromkeys(RATES, 2.0)
SCHEDULERS = {
    "fifo": {"type": "fifo"},
    "asha": {"type": "asha", "grace_steps": 4},
    "promote": {"type": "asha", "mode": "promote", "grace_steps": 8},
    "hyperband": {"type": "hyperband", "grace_steps": 4, "reduction_factor": 2},
    "median": {"type": "median", "grace_steps": 4, "min_trials": 1},
}
Loss = Callable[[Any, int], float]


def noisy(levels: dict[float, float], deviation: float = 0.01) -> Loss:
    """A level for each learning rate, and what the seed adds to it."""

    def loss_at(config: Any, step: int) -> float:
        rng = random.Random(f"{config.learning_rate} {config.seed}")
        return levels.get(config.learning_rate, 9.0) + rng.gauss(0, deviation) + 1 / step

    return loss_at


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Callable[[Loss], None]:
    return lambda loss: monkeypatch.setattr("tests.sweeper.closed_form.loss_at", loss)


@pytest.fixture
def plan_of(tiny_plan: Any) -> Callable[..., Plan]:
    def plan(scheduler: str = "fifo", **sections: Any) -> Plan:
        planned: Plan = tiny_plan(
            space={"learning_rate": {"grid": RATES}},
            scheduler=SCHEDULERS[scheduler],
            **{"finals": FINALS} | sections,
        )
        return planned

    return plan


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def of_finals(sweep: Sweep) -> list[tuple[float, int]]:
    """Learning rate and seed of each of their trials."""
    finals = [trial for trial in sweep.trials.values() if trial.is_final]
    assert all(trial.status.ended for trial in finals)
    return [(trial.config.learning_rate, trial.config.seed) for trial in finals]


def winner(sweep: Sweep) -> Any:
    assert sweep.state.finals is not None
    assert sweep.state.finals.ended is not None
    return sweep.state.finals.ended.winner


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_best_run_on_with_fresh_seeds_until_one_stands_out(
    tmp_path: Path, losses: Any, plan_of: Any, scheduler: str
) -> None:
    losses(noisy(TOLD_APART))
    plan = plan_of(scheduler)
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert of_finals(sweep) == [(t.config.learning_rate, 1) for t in finalists(sweep)]
    assert winner(sweep) == {"learning_rate": 1e-3}
    best = ranking_of(sweep.state).best
    assert best is not None
    assert (best.point, len(best.values)) == ({"learning_rate": 1e-3}, 2)


def finalists(sweep: Sweep) -> list[Any]:
    first = [trial for trial in sweep.trials.values() if not trial.is_final]
    done = [trial for trial in first if trial.status is Status.COMPLETED]
    return sorted(done, key=lambda trial: trial.evaluations[-1].val_loss)[:3]


def test_what_is_alike_stays_tied_when_every_seed_is_used_up(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(noisy(ALIKE))
    plan = plan_of()
    sweep = drive(new_folder(tmp_path, plan), plan)
    ran = of_finals(sweep)
    assert len(ran) == 9
    assert [seed for _, seed in ran] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len({rate for rate, _ in ran}) == 3
    assert winner(sweep) is None
    assert sweep.state.num_trials == 14


def test_who_is_behind_by_more_than_noise_runs_no_more(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(noisy({1e-3: 1.0, 3e-3: 1.0, 1e-2: 1.7}))
    plan = plan_of()
    ran = of_finals(drive(new_folder(tmp_path, plan), plan))
    assert ran.count((1e-2, 1)) == 1
    assert (1e-2, 3) not in ran
    assert (1e-3, 3) in ran


def test_where_seeds_have_told_the_best_apart_there_are_none(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(noisy(TOLD_APART))
    plan = plan_of(seeds=[0, 1, 2])
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert of_finals(sweep) == []
    assert winner(sweep) == {"learning_rate": 1e-3}


def test_the_seeds_are_those_that_no_trial_had(tiny_plan: Any) -> None:
    def fresh(**sections: Any) -> list[int]:
        plan: Plan = tiny_plan(finals=FINALS, **sections)
        return plan.spec.fresh_seeds()

    assert fresh() == [1, 2, 3]
    assert fresh(seeds=[0, 2, 9]) == [1, 3, 4]
    assert fresh(train={"seed": 2}) == [0, 1, 3]


def test_a_lucky_seed_of_another_point_is_not_ahead_of_the_finalists(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    """The finalists' means come back to what they are; that of a point with one seed does not."""

    def loss_at(config: Any, step: int) -> float:
        first = {1e-4: 1.0, 1e-3: 1.1, 3e-3: 1.2, 1e-2: 1.3}.get(config.learning_rate, 9.0)
        later = {1e-4: 2.0, 1e-3: 2.2, 3e-3: 2.1}.get(config.learning_rate, math.nan)
        return (first if config.seed == 0 else later) + 1 / step

    losses(loss_at)
    plan = plan_of()
    state = drive(new_folder(tmp_path, plan), plan).state
    assert ranking_of(state).best is not None
    assert ranking_of(state).points[0].point == {"learning_rate": 1e-4}
    assert ranking_of(state).points[3].mean < ranking_of(state).points[0].mean


def test_several_slots_share_a_round_and_wait_for_its_end(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(noisy(ALIKE))
    plan = plan_of()
    sweep = Sweep.open(new_folder(tmp_path, plan), plan)
    for _ in range(5):
        trial = sweep.next_trial()
        assert trial is not None
        run_trial(sweep, trial)
    a_round = [sweep.next_trial() for _ in range(3)]
    assert all(trial is not None and trial.config.seed == 1 for trial in a_round)
    for trial in a_round:
        assert trial is not None
        sweep.start(trial.trial_id)
    assert sweep.next_trial() is None
    assert not sweep.is_over
    sweep.journal.close()


@pytest.mark.parametrize("seeds", [None, [0, 1]])
@pytest.mark.parametrize("levels", [ALIKE, TOLD_APART], ids=["alike", "told apart"])
@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_event_they_go_on_as_if_nothing_had_been(
    tmp_path: Path,
    losses: Any,
    plan_of: Any,
    before: bool,
    levels: dict[float, float],
    seeds: list[int] | None,
) -> None:
    losses(noisy(levels))
    plan = plan_of("asha", finals={"top": 2, "seeds": 2}, **({"seeds": seeds} if seeds else {}))
    untouched = drive(new_folder(tmp_path / "untouched", plan), plan)
    events = [event["event"] for event in raw_events(untouched.folder.journal)]
    left = killed_at_each_event(tmp_path, plan, lambda folder: drive(folder, plan), before=before)
    for folder in left[events.index("finals_started") - 1 :]:
        resumed = drive(folder, plan)
        assert of_finals(resumed) == of_finals(untouched)
        assert winner(resumed) == winner(untouched)
        assert replay(plan.spec, folder).num_trials == untouched.state.num_trials


def test_a_sweep_that_has_finished_is_given_them_by_resume(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(noisy(ALIKE))
    plan = plan_of(finals=None)
    folder = new_folder(tmp_path, plan)
    drive(folder, plan)
    assert prepare_resumption(folder, Changes(), REFERENCE).session is None
    changes = Changes(finals=True, overrides=["finals.seeds=1"])
    resumption = prepare_resumption(folder, changes, REFERENCE)
    assert resumption.session is not None
    sweep = drive(folder, resumption.plan, resumption.session)
    assert len(of_finals(sweep)) == 3
    assert winner(sweep) is None
    # They are over, and what has decided them stays as it was.
    assert prepare_resumption(folder, Changes(finals=True), REFERENCE).session is None
    with pytest.raises(SpecError, match="--set finals: they have begun"):
        prepare_resumption(folder, Changes(overrides=["finals.seeds=4"]), REFERENCE)


def test_defaults_are_what_finals_alone_asks_for(tmp_path: Path, losses: Any, plan_of: Any) -> None:
    losses(noisy(ALIKE))
    plan = plan_of(finals=None)
    folder = new_folder(tmp_path, plan)
    drive(folder, plan)
    resumption = prepare_resumption(folder, Changes(finals=True), REFERENCE)
    assert resumption.session is not None
    assert resumption.session.overrides == ("finals={}",)
    assert resumption.plan.spec.finals is not None
    assert resumption.plan.spec.finals.top == 3


def test_a_search_of_draws_gets_no_more_once_they_have_begun(
    tmp_path: Path, losses: Any, tiny_plan: Any
) -> None:
    losses(noisy(ALIKE))
    plan = tiny_plan(
        space={"learning_rate": {"loguniform": [1e-4, 1e-1]}},
        search={"algorithm": "random", "num_trials": 4},
        finals=FINALS,
    )
    folder = new_folder(tmp_path, plan)
    drive(folder, plan)
    with pytest.raises(SpecError, match="--num-trials: the finals have begun"):
        prepare_resumption(folder, Changes(num_trials=6), REFERENCE)


def test_where_no_trial_has_completed_they_are_over_at_once(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    losses(lambda config, step: math.nan)
    plan = plan_of()
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert of_finals(sweep) == []
    assert sweep.state.finals is not None
    assert isinstance(sweep.state.finals.ended, FinalsEnded)
    assert winner(sweep) is None


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"scheduler": {"type": "pbt", "interval_steps": 4}}, "under pbt trials change"),
        ({"space": {"seed": {"grid": [0, 1]}}}, "space.seed sets the seed"),
        ({"finals": {"top": 1}}, "finals.top: "),
        ({"finals": {"confidence": 1.0}}, "finals.confidence: "),
    ],
)
def test_what_makes_no_sense_is_refused(tiny_plan: Any, sections: Any, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        tiny_plan(**{"finals": FINALS} | sections)


def test_status_says_where_they_are(tmp_path: Path, losses: Any, plan_of: Any) -> None:
    losses(noisy(ALIKE))
    plan = plan_of()
    with opened(new_folder(tmp_path, plan), plan) as sweep:
        told = []
        while (trial := sweep.next_trial()) is not None:
            told.append(progress_line(sweep.state, sweep.state.num_trials, None, None))
            run_trial(sweep, trial)
        told.append(progress_line(sweep.state, sweep.state.num_trials, None, None))
    assert told[0] == "0/5 trials ended, then finals of at most 9"
    assert told[5] == "5/14 trials ended, finals of 3 points: seed 1 of at most 3"
    assert told[13] == "13/14 trials ended, finals of 3 points: seed 3 of at most 3"
    assert told[14] == "14/14 trials ended"


@pytest.mark.parametrize("search", ["model", "tpe", "gp", "random", "sobol"])
def test_every_search_has_them(tmp_path: Path, losses: Any, tiny_plan: Any, search: str) -> None:
    losses(noisy(ALIKE))
    listed = search == "model"
    plan = tiny_plan(
        space={"learning_rate": {"grid": RATES} if listed else {"loguniform": [1e-4, 1e-1]}},
        search={"algorithm": search} | ({} if listed else {"num_trials": 4}),
        scheduler=SCHEDULERS["fifo"],
        finals={"top": 2, "seeds": 1},
    )
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    assert len(of_finals(sweep)) == 2
    assert sweep.state.num_trials == len(sweep.trials)
    assert prepare_resumption(folder, Changes(), REFERENCE).session is None, "nothing is left"


def test_a_point_that_was_drawn_twice_is_one_run_and_no_repeat(
    tmp_path: Path, losses: Any, tiny_plan: Any
) -> None:
    """Two trials of one seed are alike whatever the noise is."""
    losses(noisy(ALIKE))
    plan = tiny_plan(
        space={"learning_rate": {"choice": [1e-3, 1e-2]}},
        search={"algorithm": "random", "num_trials": 6},
        scheduler=SCHEDULERS["fifo"],
        finals={"top": 2, "seeds": 1},
    )
    points = ranking_of(drive(new_folder(tmp_path, plan), plan).state).points
    assert [len(point.values) for point in points] == [2, 2]
    assert sorted(len(point.completed) for point in points)[-1] >= 4


def test_a_finalist_of_which_a_fresh_seed_diverges_is_out(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    """It runs no more seeds, and is no winner, however good its others are: for every view."""
    tell = noisy({1e-3: 1.0, 3e-3: 1.1, 1e-2: 1.1})

    def loss_at(config: Any, step: int) -> float:
        lost = config.learning_rate == 1e-3 and config.seed == 1
        return math.nan if lost else tell(config, step)

    losses(loss_at)
    plan = plan_of()
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    assert [each for each in of_finals(sweep) if each[0] == 1e-3] == [(1e-3, 1)]
    ranking = load(folder).ranking
    assert {point.point["learning_rate"] for point in ranking.finalists} == {3e-3, 1e-2}
    assert ranking.points[-1].point == {"learning_rate": 1e-3}
    assert winner(sweep) != {"learning_rate": 1e-3}


@pytest.mark.parametrize(("lost", "told"), [({3e-3, 1e-2}, "only one"), (TOLD_APART, "of each")])
def test_who_is_left_when_seeds_of_the_others_have_diverged(
    tmp_path: Path, losses: Any, plan_of: Any, lost: set[float], told: str
) -> None:
    tell = noisy({1e-3: 1.0, 3e-3: 1.0, 1e-2: 1.0})

    def loss_at(config: Any, step: int) -> float:
        return math.nan if config.learning_rate in lost and config.seed else tell(config, step)

    losses(loss_at)
    plan = plan_of()
    folder = new_folder(tmp_path, plan)
    sweep = drive(folder, plan)
    assert len(of_finals(sweep)) == 3, "one round, then there are not two to compare"
    assert winner(sweep) == (None if 1e-3 in lost else {"learning_rate": 1e-3})
    ranking = load(folder).ranking
    verdict = verdict_of(ranking, finished=True)
    assert told in (why_none(ranking) if verdict is None else verdict.text)
    assert (ranking.best is None) == (winner(sweep) is None)


def test_who_is_out_stays_out_though_its_seeds_were_lucky(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    """Later seeds are bad for all: who has not had them is ahead in the mean over its own."""
    levels = {1e-3: 2.0, 3e-3: 2.001, 1e-2: 2.05}
    own = noisy({}, deviation=0.002)

    def loss_at(config: Any, step: int) -> float:
        shift = -0.3 if config.seed < 2 else 0.3
        return levels.get(config.learning_rate, 9.0) + shift + own(config, step) - 9.0

    losses(loss_at)
    plan = plan_of()
    sweep = drive(new_folder(tmp_path, plan), plan)
    ran = of_finals(sweep)
    assert [seed for rate, seed in ran if rate == 1e-2] == [1]
    assert [seed for rate, seed in ran if rate == 1e-3] == [1, 2, 3]
    best = ranking_of(sweep.state).best
    assert best is not None
    assert best.point != {"learning_rate": 1e-2}


def test_a_point_of_which_a_seed_of_the_first_pass_diverged_comes_into_no_finals(
    tmp_path: Path, losses: Any, plan_of: Any
) -> None:
    """However good its others are; those that come into them run and can win."""
    ends = {(1e-3, 0): 1.5, (3e-3, 0): 1.9, (3e-3, 1): 1.91, (1e-2, 0): 1.91, (1e-2, 1): 1.9}
    later = noisy({3e-3: 1.9, 1e-2: 1.9})

    def loss_at(config: Any, step: int) -> float:
        if config.seed > 1:
            return later(config, step)
        return ends.get((config.learning_rate, config.seed), math.nan) + 1 / step

    losses(loss_at)
    plan = plan_of(seeds=[0, 1])
    sweep = drive(new_folder(tmp_path, plan), plan)
    assert {rate for rate, _ in of_finals(sweep)} == {3e-3, 1e-2}
    best = ranking_of(sweep.state).best
    assert best is not None
    assert best.point != {"learning_rate": 1e-3}
