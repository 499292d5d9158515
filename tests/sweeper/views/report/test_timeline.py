"""The figure of the slots, and its sentence."""

from dataclasses import replace

import plotly.graph_objects as go

from sweeper.analysis.slots import SlotStint, SlotUse
from sweeper.status import Status
from sweeper.views.report.figures.timeline import slots_said, timeline_figure
from tests.sweeper.views.report.test_figures import coloured


def stint(trial_id: str, slot: int, began: float, ended: float, became: Status) -> SlotStint:
    return SlotStint(trial_id=trial_id, slot=slot, began=began, ended=ended, became=became)


USE = SlotUse(
    slots=2,
    seconds=1200.0,
    busy=1800.0,
    before_first=120.0,
    stints=(
        stint("0000", 0, 120, 1200, Status.COMPLETED),
        stint("0001", 1, 120, 600, Status.PAUSED),
        stint("0001", 1, 960, 1200, Status.FAILED),
    ),
    sessions=(0.0, 900.0),
)


def test_each_attempt_is_a_bar_on_its_slot_in_minutes_at_work() -> None:
    figure = timeline_figure(USE)
    go.Figure(coloured(figure))  # refuses the unknown
    bars = {trace["name"]: trace for trace in figure["data"]}
    assert bars["completed"]["x"] == [2, 11, 20, None]
    assert bars["paused"]["y"] == [2, 2, 2, None]
    assert bars["attempt failed"]["customdata"] == ["0001", "0001", "0001", None]
    assert bars["paused"]["text"][0] == "paused, 8m00s from 2m00s"
    assert [line["x0"] for line in figure["layout"]["shapes"]] == [15], "where it was resumed"
    assert figure["layout"]["xaxis"]["title"]["text"] == "minutes at work"


def test_neighbours_are_told_apart_by_notches_until_these_would_hide_them() -> None:
    def names(number: int) -> set[str]:
        stints = tuple(
            stint(f"{index:04d}", 0, index, index + 1, Status.COMPLETED) for index in range(number)
        )
        return {trace["name"] for trace in timeline_figure(replace(USE, stints=stints))["data"]}

    assert "beginnings" in names(10)
    assert "beginnings" not in names(1000)


def test_the_sentence_says_what_was_busy_and_what_the_beginning_took() -> None:
    assert slots_said(USE).startswith(
        "Busy for 75% of 20m00s. Until a first trial began, 2m00s passed."
    )
