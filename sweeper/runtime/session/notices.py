"""Telling others how a session has ended: by a command, by a webhook. Whatever goes wrong there is
said in a line, and nothing depends on it."""

import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from sweeper.record.ranking import best_trial
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Outcome
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.operating.notify import Ending
from sweeper.spec.points import point_text

PATIENCE_SECONDS = (
    3.0  # with all of them together, of the session, whose process may have to end soon
)
Notice = Mapping[str, object]


def tell_others(
    state: SweepState, folder: RunFolder, outcome: Outcome, say: Callable[[str], None]
) -> None:
    """Tell whom the file names, if it is for such an end."""
    notify, ending = state.spec.notify, _ending(state, outcome)
    if notify is None or ending not in notify.on:
        return
    notice = notice_of(state, folder, ending)
    tasks = []
    if notify.command is not None:
        words = notify.command
        tasks.append(lambda: _run(words, notice))
    if notify.webhook is not None:
        variable = notify.webhook.removeprefix("env:")
        tasks.append(lambda: _post(variable, notice))

    def attempt(task: Callable[[], str | None]) -> None:
        if (problem := task()) is not None:
            say(f"notify.{problem}")

    threads = [threading.Thread(target=attempt, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def _ending(state: SweepState, outcome: Outcome) -> Ending:
    if outcome == "interrupted" and state.sessions[-1].reached is not None:
        return "budget"
    if outcome == "finished" and best_trial(state) is None:
        return "failed"  # as the exit code says
    return outcome


def notice_of(state: SweepState, folder: RunFolder, ending: Ending) -> dict[str, object]:
    """What is told. `text` is what chats show."""
    ended = sum(trial.status.ended for trial in state.trials.values())
    how = {"budget": "stopped within max_spend", "interrupted": "was interrupted"}
    text = f"{folder.name} {how.get(ending, f'has {ending}')}: "
    text += f"{ended} of {state.num_trials} trials have ended"
    told: dict[str, object] = {"sweep": folder.name, "place": str(folder.place), "event": ending}
    if (best := best_trial(state)) is not None:
        metric = state.spec.objective.metric
        value = None if best.last_evaluation is None else best.last_evaluation.value(metric)
        told["best"] = {
            "trial": best.trial_id, "values": best.values, "metric": metric, "value": value
        }  # fmt: skip
        text += (
            f"; best: {point_text(best.values)} ({metric} {value:.4f})" if value is not None else ""
        )
    if ending != "finished":
        told["go_on"] = f"python -m sweeper resume {folder.called}"
    return {"text": text, **told, "ended": ended, "trials": state.num_trials}


def _run(words: list[str], notice: Notice) -> str | None:
    """It has the notice as JSON on its standard input. One that takes long is left to itself."""
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True, encoding="utf-8",
        )  # fmt: skip
        _, said = process.communicate(json.dumps(notice), timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        return f"command: {words[0]}: {error.strerror}"
    if process.returncode == 0:
        return None
    last = (said.strip().splitlines() or [""])[-1]
    return f"command: {words[0]} ended with {process.returncode}: {last}"


def _post(variable: str, notice: Notice) -> str | None:
    """What it says of a failure never has the address, which is a secret."""
    address, at = os.environ.get(variable), f"webhook: the address in {variable}"
    if not address:
        return f"webhook: {variable} is not in the environment of this session; nobody was told"
    try:
        if urlsplit(address).scheme not in ("http", "https"):
            return f"{at} is none of http or https"
        body = json.dumps(notice).encode()
        request = urllib.request.Request(
            address, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):
            return None
    except HTTPError as error:
        return f"{at} answered {error.code}"
    except URLError as error:
        return f"{at} does not answer ({type(error.reason).__name__})"
    except (OSError, ValueError, HTTPException) as error:
        return f"{at} cannot be used ({type(error).__name__})"
