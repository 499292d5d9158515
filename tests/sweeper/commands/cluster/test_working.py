"""What the job of a submitted sweep makes of what it meets before it begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from sweeper.analysis.monitor import Monitor
from sweeper.commands.cluster import following, working
from sweeper.commands.cluster.following import logs, wait
from sweeper.commands.cluster.working import work
from sweeper.errors import RunFolderError, UnreachableError
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.journal import begin_journal
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.stores.places import runs_folder
from sweeper.record.stores.presence import GONE_SECONDS, PRESENCE, Driver
from sweeper.record.submission.attempts import (
    Attempt,
    End,
    read_attempts,
    record_attempt,
    record_end,
    record_stop,
)
from sweeper.runtime.session.ending import SessionResult
from sweeper.runtime.stopping.asking import stop_sweep
from sweeper.status import ExitCode

ATTEMPT = Attempt(number=1, job="job-1", by_hand=True, submitted=0.0, sessions=0, work=0)


@pytest.fixture
def folder(tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.chdir(tmp_path)
    folder = create_run_folder(Path("runs"), tiny_plan().spec, None, "space.yaml")
    begin_journal(folder)
    record_attempt(folder, ATTEMPT)
    return folder


def lose_data(folder: RunFolder) -> None:
    data = Monitor(folder).state.spec.data
    folder.spec.write_text(folder.spec.read_text().replace(str(data), "/nowhere"))


def exit_code(command: Any, *arguments: Any) -> int:
    with pytest.raises(typer.Exit) as ended:
        command(*arguments)
    return ended.value.exit_code


def test_a_mistake_ends_the_submission_and_is_told_everywhere(
    folder: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_data(folder)
    held = []
    monkeypatch.setattr(
        working, "record_end", lambda of, *told: (held.append(of.is_locked), record_end(of, *told))
    )
    assert exit_code(work, "tiny", 1) == ExitCode.USER_ERROR
    assert held == [True], "before `keep` could take the sweep for a lost one"
    [attempt] = read_attempts(folder)
    assert attempt.end is not None and attempt.end.how == "refused"
    assert "/nowhere" in attempt.end.said
    capsys.readouterr()
    logs("tiny")
    assert "/nowhere" in capsys.readouterr().out
    assert exit_code(wait, "tiny") == ExitCode.USER_ERROR  # as `run` would have said
    assert "refused: " in capsys.readouterr().out


def test_logs_follow_a_sweep_from_attempt_to_attempt_until_it_has_ended(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh, looks = Monitor.refresh, iter(range(9))

    def says(number: int, text: str | bytes) -> None:
        folder.attempt_log(number).parent.mkdir(exist_ok=True)
        with folder.attempt_log(number).open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def later(monitor: Monitor) -> None:
        match next(looks):
            case 2:  # until then it has said nothing
                says(1, "one\n")
            case 3:
                says(1, "two\n")
            case 4:
                record_attempt(folder, replace(ATTEMPT, number=2))
                says(1, "three\n")
                says(2, "four ü".encode()[:-1])
            case 5:
                says(2, "ü\n".encode()[1:])
                record_stop(folder)
                says(2, "five\n")
        refresh(monitor)

    monkeypatch.setattr(Monitor, "refresh", later)
    monkeypatch.setattr(following, "LOOK_EVERY_SECONDS", 0.0)
    logs("tiny", follow=True)
    said = capsys.readouterr()
    assert said.out == "one\ntwo\nthree\nfour ü\nfive\n"
    assert said.err.count("attempt 1 has not begun; `keep` submits it again") == 1


def test_logs_of_a_sweep_whose_journal_is_damaged(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.attempt_log(1).write_text("what went wrong\n")
    folder.journal.write_text("damaged\n" + folder.journal.read_text())
    logs("tiny")
    assert capsys.readouterr().out == "what went wrong\n"


def test_a_sweep_whose_trials_fail_has_its_end_before_its_report(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, ends = Monitor(folder).state, []

    def concluded(*_: Any) -> ExitCode:
        ends.append(read_attempts(folder)[0].end)
        return ExitCode.FAILED

    monkeypatch.setattr(
        "sweeper.running._gone_on_with",
        lambda *_: SessionResult(folder=folder, state=state, outcome="failed"),
    )
    monkeypatch.setattr(working, "conclude", concluded)
    assert exit_code(work, "tiny", 1) == ExitCode.FAILED
    assert ends[0] is not None and ends[0].how == "refused"


def test_a_lost_driver_that_may_be_at_work_by_this_clock_is_waited_for(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    address = f"file://{tmp_path}/bucket"
    folder = create_run_folder(runs_folder(address), tiny_plan().spec, None, "space.yaml")
    begin_journal(folder)
    record_attempt(folder, ATTEMPT)
    bucket = Bucket(f"{address}/tiny")
    Driver(host="elsewhere", pid=12, copy="another").say(bucket)
    waited = []

    def passes(seconds: float) -> None:
        waited.append(seconds)
        bucket.delete([PRESENCE])

    monkeypatch.setattr("sweeper.commands.cluster.working.time.sleep", passes)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # nobody listens there
    assert exit_code(work, "tiny", 1, folder.path.parent) == ExitCode.FAILED
    assert waited[0] > GONE_SECONDS / 2
    assert "no Ray cluster answers" in folder.attempt_log(1).read_text()


def test_what_may_pass_ends_no_submission(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # nobody listens there
    assert exit_code(work, "tiny", 1) == ExitCode.FAILED
    assert read_attempts(folder) == [ATTEMPT]
    assert "no Ray cluster answers" in folder.attempt_log(1).read_text()


def test_one_that_was_stopped_meanwhile_does_not_begin(folder: RunFolder) -> None:
    record_end(folder, ATTEMPT, End(how="stopped", said="by hand"))
    assert exit_code(work, "tiny", 1) == ExitCode.INTERRUPTED
    assert not Monitor(folder).state.sessions
    assert exit_code(wait, "tiny") == ExitCode.INTERRUPTED


def test_one_that_is_stopped_while_its_job_starts_ray_does_not_begin(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def slowly(*_: Any) -> Iterator[None]:
        record_stop(folder)
        yield None

    monkeypatch.setattr("sweeper.running.started_workers", slowly)
    assert exit_code(work, "tiny", 1) == ExitCode.INTERRUPTED
    assert not Monitor(folder).state.sessions
    assert "stopped before it began" in folder.attempt_log(1).read_text()


def test_one_that_the_cluster_did_not_take_can_be_stopped(folder: RunFolder) -> None:
    record_end(folder, ATTEMPT, End(how="not started", said="no answer"))
    monitor = Monitor(folder)
    assert "no job goes on with it" in stop_sweep(monitor)
    assert monitor.state_name == "interrupted"


def test_wait_tells_what_holds_a_sweep_up_and_goes_on(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh, looks = Monitor.refresh, iter([1, 2, 3, 4, 5, 6])

    def later(monitor: Monitor) -> None:
        if (look := next(looks)) in (2, 3):
            raise UnreachableError("s3://b/sweeps: cannot be reached")
        if look == 6:
            record_stop(folder)
        refresh(monitor)

    monkeypatch.setattr(Monitor, "refresh", later)
    monkeypatch.setattr(following, "LOOK_EVERY_SECONDS", 0.0)
    assert exit_code(wait, "tiny") == ExitCode.INTERRUPTED
    said = capsys.readouterr().out
    assert said.count("cannot be reached; looking on") == 1
    assert said.count("attempt 1 has not begun; `keep` submits it again") == 1


def test_one_that_has_come_to_its_max_spend_ends_as_run_does(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = replace(Monitor(folder).standing, has_spent=True, sessions=1)
    monkeypatch.setattr(Monitor, "standing", spent)
    assert exit_code(wait, "tiny") == ExitCode.INTERRUPTED


def test_one_that_waits_for_its_next_job_can_be_stopped(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = Monitor(folder)
    assert monitor.state_name == "submitted"  # `keep` would go on with it
    said = stop_sweep(monitor)
    assert "no job goes on with it" in said and "sweeper submit tiny" in said
    assert monitor.state_name == "interrupted"
    with pytest.raises(RunFolderError, match="no sweep runs there: it is interrupted"):
        stop_sweep(monitor)
