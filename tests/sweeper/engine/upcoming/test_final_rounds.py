"""The finals: how many more seeds run and when; killed at any event, they go on as if nothing had
been."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.session.resuming import Changes, prepare_resumption
from sweeper.engine.sweep import Sweep
from sweeper.errors import RunFolderError, SpecError
from sweeper.plan.plan import Plan
from sweeper.record.replay import replay
from sweeper.record.state.events import FinalsEnded
from sweeper.views.terminal.live_view import progress_line
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.engine.upcoming.finals import (
    ALIKE,
    FINALS,
    RATES,
    SCHEDULERS,
    TOLD_APART,
    losses,
    new_folder,
    noisy,
    of_finals,
    plan_of,
    winner,
)
from tests.sweeper.in_process import drive, killed_at_each_event, opened, run_trial
from tests.sweeper.journals import raw_events

__all__ = ["losses", "plan_of"]  # fixtures


def test_the_seeds_are_those_that_no_trial_had(tiny_plan: Any) -> None:
    def fresh(**sections: Any) -> list[int]:
        plan: Plan = tiny_plan(finals=FINALS, **sections)
        return plan.spec.fresh_seeds()

    assert fresh() == [1, 2, 3]
    assert fresh(seeds=[0, 2, 9]) == [1, 3, 4]
    assert fresh(train={"seed": 2}) == [0, 1, 3]


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


def test_a_winner_that_took_no_part_is_told(tmp_path: Path, losses: Any, plan_of: Any) -> None:
    losses(noisy(TOLD_APART))
    folder, plan = new_folder(tmp_path, plan_of()), plan_of()
    drive(folder, plan)
    events = list(raw_events(folder.journal))
    (ended,) = [event for event in events if event["event"] == "finals_ended"]
    ended["winner"] = {"learning_rate": 0.123}
    folder.journal.write_text("".join(json.dumps(event) + "\n" for event in events))
    with pytest.raises(RunFolderError, match="winner: is none of the points of the finals"):
        replay(plan.spec, folder)


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
