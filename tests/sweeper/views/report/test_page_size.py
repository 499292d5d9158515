"""A page of a thousand trials can be mailed, and opens at once: it may weigh 6 MB."""

import random
from datetime import UTC, datetime, timedelta

from sweeper.analysis.reading.sweep_data import Parameter
from sweeper.analysis.summary import summarise
from sweeper.record.state.events import SessionStarted
from sweeper.record.state.session import Session
from sweeper.record.state.stints import Stint
from sweeper.status import Status
from sweeper.views.report.page import make_page, render
from tests.sweeper.analysis.summary.sweeps import sweep_of, trial

TRIALS, EVALUATIONS, MOST_BYTES = 1000, 16, 6_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
PARAMETERS = (
    Parameter(name="learning_rate", scale="log", low=1e-4, high=1e-1),
    Parameter(name="weight_decay", scale="linear", low=0.0, high=0.5),
)


def test_a_thousand_trials_of_which_none_was_stopped_are_within_the_weight() -> None:
    dice, ids = random.Random(0), [f"{index:04d}" for index in range(TRIALS)]
    trials = [
        trial(
            trial_id,
            {"learning_rate": 10 ** dice.uniform(-4, -1), "weight_decay": dice.uniform(0, 0.5)},
            *(dice.uniform(2, 4) for _ in range(EVALUATIONS)),
        )
        for trial_id in ids
    ]
    moments = [START + timedelta(seconds=index) for index in range(TRIALS + 1)]
    stints = tuple(
        Stint(trial_id=trial_id, began=began, ended=ended, became=Status.COMPLETED)
        for trial_id, began, ended in zip(ids, moments, moments[1:], strict=False)
    )
    session = Session(SessionStarted(time=moments[0]), ended=moments[-1])
    sweep = sweep_of(trials, PARAMETERS, stints=stints, sessions=(session,))
    page = make_page(summarise(sweep), "", ())
    assert {"curves", "parallel", "pair-0", "timeline"} <= page.figures.keys()
    assert len(render(page).encode()) < MOST_BYTES
