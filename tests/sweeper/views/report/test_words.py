"""The answer in words, for each way in which a sweep can stand."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sweeper.analysis.summary import SweepData, summarise
from sweeper.record.exhibits.texts import Text, Texts
from sweeper.record.state.events import FinalsEnded, FinalsStarted, Value
from sweeper.record.state.finals import Finals
from sweeper.spec.sweep_spec import FinalsSpec
from sweeper.status import Status
from sweeper.views.report.words import Answer, answer, written_views
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
    assert "no two settings have repeats" in said.verdict


def test_without_seeds_the_noise_is_estimated_and_called_so() -> None:
    losses = {1e-3 * 2**k: 3 + 0.05 * (k - 3.3) ** 2 + 0.01 * (k % 2) for k in range(8)}
    said = told(sweep_of(by_rate(losses)))
    assert "(standard deviation, an estimate)" in said.verdict
    assert "estimate" not in told(sweep_of(by_rate({1e-3: 1.0, 1e-2: 2.0}))).verdict


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
    ],
)
@pytest.mark.parametrize(("ahead", "place"), [(3.0, "0.5000 ahead of"), (2.0, "0.5000 behind")])
def test_only_what_was_stopped_is_said_to_have_been_and_behind_is_not_ahead(
    status: Status, said: str, ahead: float, place: str
) -> None:
    winner = trial("0000", {"learning_rate": 1e-3}, 2.5, 1.0)
    other = trial("0001", {"learning_rate": 1e-2}, ahead, None, status=status)
    assert f"{place} learning_rate 0.01 {said}." in told(sweep_of([winner, other])).lede


@pytest.mark.parametrize(("ahead", "place"), [(3.0, "behind"), (2.0, "ahead of")])
def test_one_that_still_runs_is_told_beside_the_best_so_far(ahead: float, place: str) -> None:
    winner = trial("0000", {"learning_rate": 1e-3}, 2.5, 1.0)
    second = trial("0001", {"learning_rate": 1e-4}, 2.6, 1.2)
    runs = trial("0002", {"learning_rate": 1e-2}, ahead, status=Status.RUNNING)
    for others in ([runs], [second, runs]):
        said = told(sweep_of([winner, *others], state="running"))
        assert said.headline == "learning_rate 0.001 is best so far"
        assert f"0.01, which still runs, was 0.5000 {place} it at step 4." in said.lede


@pytest.mark.parametrize("state", ["running", "interrupted", "failed"])
def test_no_page_claims_a_winner_before_the_end(state: str) -> None:
    said = told(sweep_of(seeded({1e-3: [1.0, 1.01], 1e-2: [2.0, 2.01]}), state=state))
    assert said.headline == "learning_rate 0.001 is best so far"
    assert said.verdict_kind == "open"
    assert said.verdict.startswith("That is more than noise, so far")


RATES = {"learning_rate": 1e-3}, {"learning_rate": 1e-2}
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def finals(ended: bool, winner: dict[str, Value] | None = None) -> Finals:
    begun = FinalsStarted(time=BEGUN, points=RATES, seeds=(1, 2))
    over = FinalsEnded(time=BEGUN, winner=winner) if ended else None
    return Finals(FinalsSpec(), 1, begun, ["0003", "0004"], over)


def test_who_wins_the_finals_beats_the_others() -> None:
    trials = seeded({1e-3: [1.0, 1.01, 1.02], 1e-2: [2.0, 2.01, 2.03], 1e-4: [2.5]})
    said = told(sweep_of(trials, finals=finals(True, RATES[0])))
    assert said.headline == "learning_rate 0.001 trains best"
    assert said.verdict.replace("\u00a0", " ").startswith(
        "learning_rate 0.001 beats learning_rate 0.01 at 95% (3 seeds each): another seed alone"
    )
    assert "(Tukey, seed by seed, 98.3%)" in said.verdict


def test_who_had_no_part_in_the_finals_is_not_said_to_be_beaten() -> None:
    trials = seeded({1e-3: [1.0, 1.01, 1.02], 1e-2: [2.0, 2.01, 2.03], 1e-4: [1.01]})
    said = told(sweep_of(trials, finals=finals(True, RATES[0])))
    assert said.headline == "learning_rate 0.001 trains best of the finalists"
    assert "Nor can 1 point that was not in the finals be told from it" in said.verdict


def test_a_tie_after_the_finals_and_finals_that_are_on_are_told() -> None:
    trials = seeded({1e-3: [1.0, 1.2, 1.4], 1e-2: [1.1, 1.2, 1.5]})
    said = told(sweep_of(trials, finals=finals(True)))
    assert said.headline == "learning_rate 0.001 and 0.01 are tied"
    assert said.verdict.startswith("Still tied after the finals: learning_rate\u00a00.001 and 0.01")
    said = told(sweep_of(trials, finals=finals(False), state="running"))
    assert said.headline == "learning_rate 0.001 and 0.01 are tied so far"
    assert said.verdict == (
        "Of 2 points in the finals none stands out so far: 2 trials of at most 6 have begun."
    )


def test_only_what_the_best_two_of_now_have_written_is_shown() -> None:
    """As after a resume that found others."""
    sweep = sweep_of(by_rate({1e-4: 1.5, 1e-3: 1.0, 1e-2: 2.0}))
    best, second, third = (point.best for point in sweep.ranking.points)
    texts = [
        Text(trial_id=each.trial_id, step=each.step - behind, written=word)
        for each, behind, word in [(third, 0, "third"), (second, 1, "earlier"), (best, 0, "best")]
    ]
    sweep = replace(sweep, texts=Texts(prompt="p", temperature=1, texts=tuple(texts)))
    assert [view.text for view in written_views(sweep)] == ["best"]


def test_where_the_finals_leave_none_no_point_is_named() -> None:
    trials = seeded({1e-3: [1.0], 1e-2: [2.0], 1e-4: [2.5]})
    lost = [trial(f"{p}", p, 9.0, status=Status.DIVERGED, seed=1) for p in RATES]
    said = told(sweep_of([*trials, *lost], finals=finals(True)))
    assert said.headline == "No point is to be taken"
    assert said.lede.startswith("A seed of each finalist that was still in the race diverged.")


def test_of_the_only_finalist_left_what_was_left_out_is_said_too() -> None:
    trials = seeded({1e-3: [1.0, 1.01, 1.02], 1e-2: [2.0], 1e-4: [1.01]})
    lost = trial("lost", RATES[1], 9.0, status=Status.DIVERGED, seed=1)
    said = told(sweep_of([*trials, lost], finals=finals(True, RATES[0])))
    assert "is the only one of 2 finalists of which no seed diverged." in said.verdict
    assert "Nor can 1 point that was not in the finals be told from it" in said.verdict


def test_of_the_only_point_of_which_no_seed_diverged_that_is_said() -> None:
    lost = trial("lost", RATES[1], 9.0, status=Status.DIVERGED, seed=1)
    said = told(sweep_of([*seeded({1e-3: [2.0, 2.01], 1e-2: [1.0]}), lost]))
    assert said.headline == "learning_rate 0.001 trains best"
    assert said.verdict.endswith("is the only one of 2 points of which no seed diverged.")
    assert said.verdict_kind == "clear"
