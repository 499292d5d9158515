"""Asking a driver to stop, from another process or another machine, and waiting until it has."""

import time

from sweeper.analysis.monitor import Monitor
from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.trial import Trial
from sweeper.record.submission.attempts import record_stop
from sweeper.runtime.stopping.requests import request_stop, request_trial_stop
from sweeper.status import Status

POLL_SECONDS = 0.2
# A driver looks twice a second. One that has just begun starts Ray first, and each takes up to 15 s
# to end.
PATIENCE_SECONDS = 60.0


def stop_sweep(monitor: Monitor) -> str:
    """Have the session that runs end as SIGTERM ends it, and no other job begin. Returns what has
    come of it.

    Raises:
        RunFolderError: no driver runs the sweep and none is to, or it does not answer.
    """
    if monitor.standing.attempts and monitor.state_name in ("running", "submitted"):
        record_stop(monitor.folder)  # before the driver is asked, lest it be taken for a lost one
        monitor = Monitor(RunFolder(monitor.folder.path))  # one may have begun until then
        if not monitor.is_running:
            return _no_job(monitor)
    _require_running(monitor)
    folder, state = monitor.folder, monitor.state
    gives_up = time.monotonic() + _patience_seconds(monitor)
    asked = 0  # the number of a session
    while monitor.follower.catch_up_or_interrupt():
        if asked and state.sessions[asked - 1].outcome is not None:
            break  # and another runs by now
        if state.outcome is None and len(state.sessions) != asked:
            asked = len(state.sessions)
            request_stop(folder, asked)
        if time.monotonic() > gives_up:
            folder.stop_request.unlink(missing_ok=True)
            raise _no_answer(monitor)
        time.sleep(POLL_SECONDS)
    folder.stop_request.unlink(missing_ok=True)
    if asked:
        return _what_came_of_it(monitor, asked)
    if not monitor.standing.attempts:
        _require_running(monitor)
    return _no_job(monitor)


def _no_job(monitor: Monitor) -> str:
    return (
        f"{monitor.folder.place}: is stopped: no job goes on with it. Go on with: "
        f"python -m sweeper submit {monitor.folder.called}"
    )


def stop_trial(monitor: Monitor, trial: Trial) -> str:
    """Have a trial end with what it has come to, while the sweep goes on. Returns what has come of
    it.

    Args:
        trial: One of the monitor's.

    Raises:
        RunFolderError: it has ended, no driver runs the sweep, or it does not answer.
    """
    _require_running(monitor)
    folder, named = monitor.folder, f"Trial {trial.trial_id} of {monitor.folder.path}"
    if trial.status.ended:
        raise RunFolderError(f"{folder.path}: trial {trial.trial_id} has ended: {_standing(trial)}")
    request_trial_stop(folder, trial.trial_id)
    gives_up = time.monotonic() + _patience_seconds(monitor)
    while (running := monitor.follower.catch_up_or_interrupt()) and not trial.status.ended:
        if time.monotonic() > gives_up:
            raise _no_answer(monitor)
        time.sleep(POLL_SECONDS)
    if trial.status is Status.STOPPED and trial.stopped_by_hand:
        goes_on = " The sweep goes on." if running else ""
        return f"{named} has been stopped by hand at step {trial.step}.{goes_on}"
    if trial.status.ended:
        return f"{named} had come to its end by itself: {_standing(trial)}."
    return (
        f"{named} is not stopped yet, since the sweep has ended. The next session does it as it "
        f"begins: python -m sweeper resume {folder.called}"
    )


def _standing(trial: Trial) -> str:
    return f"{trial.status} at step {trial.step} of {trial.config.max_steps}"


def _patience_seconds(monitor: Monitor) -> float:
    """A program of another trainer may take its time to end."""
    trainer = monitor.state.spec.trainer
    return PATIENCE_SECONDS + (0.0 if trainer is None else trainer.stop.grace_s)


def _require_running(monitor: Monitor) -> None:
    if not monitor.is_running:
        raise RunFolderError(
            f"{monitor.folder.path}: no sweep runs there: it is {monitor.state_name}. See: "
            f"python -m sweeper status {monitor.folder.called}"
        )


def _no_answer(monitor: Monitor) -> RunFolderError:
    where = "the process that runs it"
    if monitor.state.sessions:
        session = monitor.state.sessions[-1].environment
        where = f"process {session.pid} on {session.host}"
    return RunFolderError(
        f"{monitor.folder.path}: {where} has not answered for {_patience_seconds(monitor):.0f} s. "
        "If it is suspended or hangs, end it there with `kill`; nothing is lost by that"
    )


def _what_came_of_it(monitor: Monitor, session: int) -> str:
    path, go_on = monitor.folder.path, f"python -m sweeper resume {monitor.folder.called}"
    outcome = monitor.state.sessions[session - 1].outcome
    ended = f"{monitor.num_ended} of {monitor.num_trials} trials have ended"
    if outcome == "finished":
        return f"{path} had come to its end by itself: {ended}."
    how = {"interrupted": "has stopped", "failed": "has failed"}.get(str(outcome), "was killed")
    return f"{path} {how}: {ended}. Go on with: {go_on}"
