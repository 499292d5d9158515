"""What is said, and recorded, while trials wait."""

from pathlib import Path
from typing import Any

from sweeper.plan.placement import Node, Placement
from sweeper.record.run_folder import create_run_folder
from sweeper.runtime.sharing.waits import PATIENCE_SECONDS, Waits
from sweeper.spec.sweep_spec import Resources
from tests.sweeper.in_process import opened
from tests.sweeper.journals import raw_events


def test_a_wait_is_said_once_and_is_over_when_all_have_a_place(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan, said = tiny_plan(), list[str]()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        waits = Waits(sweep, Placement(Resources(gpu=1), slots=1), said.append)
        waits.look([trial.trial_id], 0.0, denied=False)
        assert said == [], "a place that comes free is taken within a moment"
        for now in (PATIENCE_SECONDS, PATIENCE_SECONDS + 1):
            waits.look([trial.trial_id], now, denied=False)
        assert said == ["Waiting for GPUs: none that this sweep may use are free."]
        waits.look([], PATIENCE_SECONDS + 2, denied=False)
        for nodes in ([], [Node(2, 1)], [Node(2, 0)], [Node(2, 0)]):
            waits.tell_misfits([trial.trial_id], nodes)
    assert said[1:] == [
        "Trial 0000 waits for a node: none that is there now has the 1 CPUs and 1 GPUs that it "
        "needs."
    ]
    told = [event["what"] for event in raw_events(folder.journal) if event["event"] == "waiting"]
    assert told == ["GPUs", None]
