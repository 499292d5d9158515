"""Who is told of a session's end, what of it, and that no secret is."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import SpecError
from sweeper.record.run_folder import create_run_folder
from sweeper.runtime.session.notices import tell_others
from tests.sweeper.in_process import drive, opened

SECRET = "T0P-S3CRET"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """What it is sent: the path, and the JSON. `/broken` is no webhook any more."""
    sent: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            sent.append((self.path, json.loads(self.rfile.read(length))))
            self.send_response(404 if "broken" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.server_port}/{SECRET}")
        yield sent
        server.shutdown()


def test_a_command_and_a_webhook_are_told_of_the_end(
    tmp_path: Path, tiny_plan: Any, webhook: list[tuple[str, Any]], monkeypatch: Any
) -> None:
    out, said = tmp_path / "told.json", list[str]()
    plan = tiny_plan(
        scheduler={"type": "fifo"},
        notify={"webhook": "env:HOOK", "command": ["tee", str(out)], "on": ["finished", "failed"]},
    )
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    state = drive(folder, plan).state
    tell_others(state, folder, "finished", said.append)
    ((path, told),) = webhook
    assert path == f"/{SECRET}"
    assert told == json.loads(out.read_text())
    assert told["text"].startswith("tiny has finished: 4 of 4 trials have ended; best: learning_")
    assert told["best"]["values"] == {"learning_rate": 0.001}
    tell_others(state, folder, "interrupted", said.append)
    assert len(webhook) == 1, "of that nobody wants to be told"
    assert said == []
    broken = f"{os.environ['HOOK']}/broken"
    spaced = f"http://localhost:1/services/T B/{SECRET}"
    for address in (broken, f"ftp://{SECRET}", "http://[", "nonsense", spaced):
        monkeypatch.setenv("HOOK", address)
        tell_others(state, folder, "failed", said.append)
    assert len(said) == 5
    assert "notify.webhook: the address in HOOK answered 404" in said
    monkeypatch.delenv("HOOK")
    tell_others(state, folder, "failed", said.append)
    assert SECRET not in "".join(said)
    kept = [path.read_bytes() for path in folder.path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in each for each in kept)


def test_what_goes_wrong_is_said_and_no_more(tmp_path: Path, tiny_plan: Any) -> None:
    said: list[str] = []
    for words in (["no-such-command"], ["sh", "-c", "echo oh no >&2; exit 3"]):
        plan = tiny_plan(scheduler={"type": "fifo"}, notify={"command": words})
        folder = create_run_folder(tmp_path, plan.spec, words[0], "space.yaml")
        tell_others(drive(folder, plan).state, folder, "failed", said.append)
    assert said == [
        "notify.command: no-such-command: No such file or directory",
        "notify.command: sh ended with 3: oh no",
    ]


def test_an_address_in_the_file_is_refused_and_not_repeated(tiny_plan: Any) -> None:
    with pytest.raises(SpecError, match=r"notify\.webhook: must be env:NAME") as refused:
        tiny_plan(notify={"webhook": f"https://hooks.example/{SECRET}"})
    assert SECRET not in str(refused.value)


def test_a_session_in_which_no_trial_has_come_to_a_result_has_failed(
    tmp_path: Path, tiny_plan: Any
) -> None:
    out = tmp_path / "told.json"
    plan = tiny_plan(notify={"command": ["tee", str(out)], "on": ["failed"]})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        tell_others(sweep.state, folder, "finished", pytest.fail)
    assert json.loads(out.read_text())["event"] == "failed"
