"""A W&B server as far as one run needs it: the GraphQL queries and the file stream that wandb's own
client sends, answered from memory. What the client would have a server keep can be looked at."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sweeper.engine.sweep import Sweep

Json = dict[str, Any]


@dataclass
class Run:
    """What the server has of one run."""

    project: str
    group: str | None = None
    display_name: str | None = None
    config: Json = field(default_factory=dict)
    history: dict[int, Json] = field(default_factory=dict)  # by line
    summary: Json = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def rows(self) -> list[Json]:
        return [self.history[line] for line in sorted(self.history)]


class FakeWandb(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[str, Run] = {}
        self.keys: set[str] = set()  # what clients said in `Authorization`

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def has_finished(self, num_runs: int) -> bool:
        runs = list(self.runs.values())
        return len(runs) == num_runs and all(run.exit_code is not None for run in runs)

    def answer(self, operation: str, variables: Json) -> Json:
        match operation:
            case "Viewer":
                return {"viewer": {"id": "1", "entity": "me", "username": "me", "flags": "{}"}}
            case "RunResumeStatus":
                run = self.runs.get(variables["name"])
                bucket = None if run is None else self._bucket(variables["name"], run)
                entity = {"id": "1", "name": "me"}
                return {"model": {"id": "1", "name": "p", "entity": entity, "bucket": bucket}}
            case "UpsertBucket":
                return self._upsert(variables)
            case "CreateRunFiles":
                return {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": []}}
        return {}

    def _upsert(self, wanted: Json) -> Json:
        is_new = wanted["name"] not in self.runs
        run = self.runs.setdefault(wanted["name"], Run(wanted["project"]))
        run.group = wanted["groupName"] or run.group
        run.display_name = wanted["displayName"] or run.display_name
        run.config |= json.loads(wanted["config"] or "{}")
        bucket = self._bucket(wanted["name"], run)
        return {"upsertBucket": {"bucket": bucket, "inserted": is_new}}

    def _bucket(self, name: str, run: Run) -> Json:
        tail = json.dumps([json.dumps(row) for row in run.rows[-1:]])
        return {
            "id": name,
            "name": name,
            "displayName": run.display_name,
            "project": {"id": "1", "name": run.project, "entity": {"id": "1", "name": "me"}},
            "config": json.dumps(run.config),
            "summaryMetrics": json.dumps(run.summary),
            "historyLineCount": len(run.history),
            "historyTail": tail,
            "eventsLineCount": 0,
            "eventsTail": "[]",
            "logLineCount": 0,
            "wandbConfig": json.dumps({"t": 1}),
        }

    def stream(self, run: Run, sent: Json) -> None:
        for name, part in sent.get("files", {}).items():
            lines = [json.loads(line) for line in part["content"]]
            if name == "wandb-history.jsonl":
                run.history |= dict(enumerate(lines, start=part["offset"]))
            elif name == "wandb-summary.json":
                run.summary = lines[-1]
        if sent.get("complete"):
            run.exit_code = sent["exitcode"]


class _Handler(BaseHTTPRequestHandler):
    server: FakeWandb

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.keys.add(self.headers["Authorization"])
        if self.path == "/graphql":
            query = json.loads(body)
            variables = query.get("variables") or {}
            self._send({"data": self.server.answer(query["operationName"], variables)})
            return
        if self.path.endswith("/file_stream"):  # /files/ENTITY/PROJECT/RUN/file_stream
            self.server.stream(self.server.runs[self.path.split("/")[-2]], json.loads(body))
        self._send({})

    def do_GET(self) -> None:
        self._send({})

    def _send(self, answer: Json) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def fake_wandb() -> Iterator[FakeWandb]:
    with FakeWandb() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def steps(rows: list[dict[str, Any]]) -> list[int]:
    return [row["step"] for row in rows]


def is_on(server: FakeWandb, sweep: Sweep) -> None:
    runs = {name.split("-")[-1]: run for name, run in server.runs.items()}
    assert set(runs) == set(sweep.trials)
    for trial_id, trial in sweep.trials.items():
        run = runs[trial_id]
        assert steps(run.rows) == [m.step for m in trial.evaluations]
        assert [row["val_loss"] for row in run.rows] == [m.val_loss for m in trial.evaluations]
        assert run.summary["status"] == trial.status.value
        assert run.summary["val_loss"] == trial.evaluations[-1].val_loss
        assert run.group == sweep.folder.name
        assert run.config["learning_rate"]["value"] == trial.config.learning_rate
        assert run.exit_code == 0
