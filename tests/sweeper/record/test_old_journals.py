"""Run folders that the version before typed events has written lead to what they led to then.

`expected.json` is what that version itself made of each. The folders: ASHA that promotes, with
failures, a lost node, a kill, a budget and resumed sessions that changed things; a population;
repeated seeds; a search that goes on from another sweep.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.reading.loading import load
from sweeper.record.effective_spec import all_overrides, effective_spec
from sweeper.record.journal import read_journal
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.event_lines import to_line
from sweeper.record.state.events import Exploited
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.tables import history_rows, result_rows
from trainable.config import TrainConfig

FOLDERS = sorted(path.parent for path in (Path(__file__).parent / "old_journals").glob("*/*.json"))
OF_A_TRIAL = ("trial_id", "values", "status", "decision", "rung", "checkpoint", "checkpoint_step")
OF_ATTEMPTS = ("attempts", "failures", "losses", "error")


def told(state: SweepState, folder: RunFolder) -> dict[str, Any]:
    """In the words of `expected.json`."""
    account, data = state.checkpoints, load(folder)
    warm_start = state.warm_start and json.loads(to_line(state.warm_start.to_event()))
    return {
        "results": result_rows(state, folder),
        "history": history_rows(state),
        "trials": [
            {name: getattr(trial, name) for name in (*OF_A_TRIAL, *OF_ATTEMPTS)}
            for trial in state.trials.values()
        ],
        "outcome": state.outcome,
        "overrides": all_overrides(read_journal(folder.journal)),
        "failed_watchers": state.failed_watchers,
        "checkpoints": {
            "total": account.total,
            "high_water": account.high_water,
            "last_name": account.last_name,
            "found": sorted(account.found),
        },
        "warm_start": warm_start
        and {name: warm_start[name] for name in ("run", "points", "unfit", "different")},
        "sessions": [
            {
                "started": session.started.isoformat(),
                "ended": session.ended and session.ended.isoformat(),
                "outcome": session.outcome,
            }
            for session in data.sessions
        ],
        "arrivals": [asdict(arrival) for arrival in data.arrivals],
    }


def _as_then(row: dict[str, Any], was: dict[str, Any]) -> dict[str, Any]:
    """Without the columns that were added since. A setting is at its default there, which is what
    that version always did; what it did not measure is null."""
    for name in row.keys() - was.keys():
        setting = TrainConfig.__dataclass_fields__.get(name)
        assert row[name] == (setting.default if setting else None), name
    return {name: value for name, value in row.items() if name in was}


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_an_old_folder_leads_to_what_it_led_to(path: Path) -> None:
    folder = RunFolder(path)
    spec, _ = effective_spec(folder)
    now = json.loads(json.dumps(told(replay(spec, folder), folder)))
    expected = json.loads((path / "expected.json").read_text())
    for part in ("results", "history"):
        pairs = zip(now[part], expected[part], strict=True)
        now[part] = [_as_then(row, was) for row, was in pairs]
    # That version left the arrivals open of trials that another's checkpoint replaced.
    replaced = {(e.trial, e.rung) for e in read_journal(folder.journal) if isinstance(e, Exploited)}
    for arrival, was in zip(now["arrivals"], expected["arrivals"], strict=True):
        if (arrival["trial_id"], arrival["rung"]) in replaced:
            assert arrival["kept"] is False
            arrival["kept"] = was["kept"]
    for part, was in expected.items():
        assert now[part] == was, part
    assert now.keys() == expected.keys()
