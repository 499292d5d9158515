"""The answer in words, for each way in which a sweep can stand."""

from dataclasses import replace

import pytest

from sweeper.analysis.summary import SweepData, summarise
from sweeper.status import Status
from sweeper.views.report.words import Answer, answer
from tests.sweeper.analysis.summary.sweeps import by_rate, seeded, sweep_of, trial


def told(sweep: SweepData) -> Answer:
    said = answer(summarise(sweep))
    return replace(
        said, headline=said.headline.replace("\xa0", " "), lede=said.lede.replace("\xa0", " ")
    )


def test_the_winner_is_named_with_its_margin_and_the_unknown_noise() -> None:
    said = told(sweep_of(by_rate({1e-4: 2.0, 1e-3: 1.5, 1e-2: 1.75})))
    assert said.headline == "learning_rate 0.001 trains best"
    assert said.lede == "Validation loss 1.5000: 0.2500 ahead of learning_rate 0.01."
    assert said.verdict_kind == "unknown"
    assert "`seeds: [0, 1, 2]`" in said.verdict


def test_within_the_noise_there_is_no_one_winner() -> None:
    said = told(sweep_of(seeded({1e-3: [1.0, 1.2, 1.4], 1e-2: [1.1, 1.2, 1.5]})))
    assert said.headline == "learning_rate 0.001 and 0.01 are tied"
    assert said.verdict_kind == "tied"


def test_beyond_the_noise_there_is_one() -> None:
    said = told(sweep_of(seeded({1e-3: [1.0, 1.01], 1e-2: [2.0, 2.01]})))
    assert said.headline == "learning_rate 0.001 trains best"
    assert said.verdict_kind == "clear"


def test_seeds_that_were_stopped_are_a_caution() -> None:
    stopped = trial("s", {"learning_rate": 1e-3}, 4.0, status=Status.STOPPED, seed=2)
    said = told(sweep_of([*seeded({1e-3: [1.0, 1.01], 1e-2: [2.0, 2.01]}), stopped]))
    assert any("only 2 of its 3 seeds ran to the end" in r.text for r in said.remarks)


def test_while_it_goes_on_it_is_best_so_far() -> None:
    assert told(sweep_of(by_rate({1e-3: 1.0}), state="running")).headline.endswith("best so far")


def test_at_the_edge_of_the_space_it_says_where_to_go_on() -> None:
    said = told(sweep_of(by_rate({1e-3: 3.0, 1e-2: 2.0, 1e-1: 1.0})))
    assert "extend learning_rate above 0.1" in said.remarks[0].text


@pytest.mark.parametrize(
    ("status", "headline"),
    [
        (Status.DIVERGED, "All 2 trials diverged"),
        (Status.FAILED, "All 2 trials failed"),
        (Status.STOPPED, "No trial has completed"),
        (Status.RUNNING, "No trial has completed yet"),
    ],
)
def test_without_a_winner_it_says_why(status: Status, headline: str) -> None:
    trials = [replace(t, error="x\nout of memory") for t in by_rate({1e-3: 1.0, 1e-2: 2.0}, status)]
    said = told(sweep_of(trials))
    assert said.headline == headline
    if status is Status.FAILED:
        assert "out of memory" in said.lede


def test_who_is_ahead_is_told_before_the_end() -> None:
    said = told(sweep_of(by_rate({1e-3: 1.0, 1e-2: 2.0}, Status.INTERRUPTED)))
    assert "Ahead at step 4, of the 2 that got there: learning_rate 0.001" in said.lede


def test_nothing_started_is_said() -> None:
    assert told(sweep_of([])).headline == "No trial has been started yet"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.STOPPED, "at step 4, where that one was stopped"),
        (Status.DIVERGED, "at step 4, the last that both were evaluated at"),
        (Status.RUNNING, "at step 4, the last that both were evaluated at"),
    ],
)
@pytest.mark.parametrize(("ahead", "place"), [(3.0, "0.5000 ahead of"), (2.0, "0.5000 behind")])
def test_only_what_was_stopped_is_said_to_have_been_and_behind_is_not_ahead(
    status: Status, said: str, ahead: float, place: str
) -> None:
    winner = trial("0000", {"learning_rate": 1e-3}, 2.5, 1.0)
    other = trial("0001", {"learning_rate": 1e-2}, ahead, None, status=status)
    assert f"{place} learning_rate 0.01 {said}." in told(sweep_of([winner, other])).lede
