"""What it takes to run a sweep again, as a report tells it."""

from dataclasses import replace
from datetime import UTC, datetime

from sweeper.record.state.events import (
    Allotment,
    Commit,
    Fingerprint,
    Hardware,
    SessionStarted,
)
from sweeper.record.state.session import Session
from sweeper.views.report.environment import environment_facts
from tests.sweeper.analysis.summary.sweeps import sweep_of

SESSION = Session(
    SessionStarted(
        time=datetime(2026, 11, 25, 3, 29, 26, 730_000, tzinfo=UTC),
        host="vm",
        command=("/somewhere/sweeper/__main__.py", "run", "my space.yaml"),
        python="3.11.7",
        versions={"torch": "2.13.0"},
        git=Commit(commit="0bac619", dirty=True),
        machine=Hardware(
            cpu="EPYC", cpus=2, memory_bytes=2**34, gpus=("H100", "H100"), system="Linux"
        ),
        placement=Allotment(slots=2, cpu=1.0, gpu=0.0),
        fingerprint=Fingerprint(data={"data/train.npy": "56252e"}, code={"a.py": "1", "b.py": "2"}),
    ),
    ended=datetime(2026, 11, 25, 3, 30, 40, 400_000, tzinfo=UTC),
    outcome="finished",
)


def test_all_that_is_known_stands_under_its_heading() -> None:
    told = {
        heading: dict(facts)
        for heading, facts in environment_facts(sweep_of([], sessions=(SESSION,)))
    }
    assert told["Sessions"] == {
        "2026-11-25 03:29:26 to 03:30:40": "python -m sweeper run 'my space.yaml'  → finished"
    }
    assert told["Software"]["git"] == "0bac619, with changes that are not committed"
    assert told["Software"]["training code"].startswith("2 files, hash ")
    assert told["Machine"]["GPUs"] == "H100, H100"
    assert told["Machine"]["memory"] == "16 GiB"
    assert told["Data"] == {"hash of train.npy": "56252e"}


def test_a_session_of_an_older_version_tells_what_it_knew() -> None:
    old = Session(SessionStarted(time=SESSION.started, host="vm"))
    told = {
        heading: dict(facts) for heading, facts in environment_facts(sweep_of([], sessions=(old,)))
    }
    assert told["Machine"] == {"host": "vm"}
    assert told["Sessions"] == {"2026-11-25 03:29:26": "did not say how it ended"}


def test_without_a_session_there_are_the_data() -> None:
    data = {"vocab_size": 4096, "sha256": {"train.npy": "ab"}}
    facts = environment_facts(sweep_of([], data=data))
    assert facts == (("Data", (("vocab size", "4,096"), ("hash of train.npy", "ab"))),)


def test_the_session_that_runs_has_no_end() -> None:
    now = replace(SESSION, ended=None, outcome=None)
    (_, told), *_ = environment_facts(sweep_of([], sessions=(SESSION, now), state="running"))
    assert [command.partition("→ ")[2] for _, command in told] == ["finished", "running"]
    assert told[1][0] == "since 2026-11-25 03:29:26"
