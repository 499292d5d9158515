"""What the server answers, and to whom: asked as another program asks, with any headers."""

import json
import shutil
import socket
from http.client import HTTPConnection
from typing import Any

import pytest

from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.views.serve.access import Access
from tests.sweeper.in_process import drive
from tests.sweeper.views.serve.conftest import Served
from tests.sweeper.waiting import wait_until

Answer = tuple[int, bytes, dict[str, str]]
LAST = b'data-trial="0003"'  # of four trials, in a report


def ask(
    served: Served, path: str, body: object = None, *, method: str | None = None, **headers: str
) -> Answer:
    connection = HTTPConnection("127.0.0.1", served.port)
    method = method or ("GET" if body is None else "POST")
    content = None if body is None else json.dumps(body)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, content, sent)
    response = connection.getresponse()
    answer = response.status, response.read(), dict(response.getheaders())
    connection.close()
    return answer


def told(served: Served, path: str) -> Any:
    """The first event of a stream."""
    connection = HTTPConnection("127.0.0.1", served.port)
    connection.request("GET", f"/{served.token}/{path}")
    line = connection.getresponse().readline()
    connection.close()
    return json.loads(line.removeprefix(b"data: "))


@pytest.fixture
def folder(served: Served, tiny_plan: Any) -> RunFolder:
    plan: Plan = tiny_plan()
    folder = create_run_folder(served.runs, plan.spec, "lr", "space.yaml")
    drive(folder, plan)
    return folder


def own(served: Served) -> dict[str, str]:
    return {"Origin": f"http://127.0.0.1:{served.port}"}


def test_who_lacks_the_token_gets_nothing(served: Served, folder: RunFolder) -> None:
    for token in ("", "x", served.token[:-1], served.token + "x", served.token.swapcase()):
        for path in ("/", "/events", "/sweeps/lr/", "/sweeps/lr/report", "/sweeps/lr/events"):
            status, body, headers = ask(served, f"/{token}{path}")
            assert (status, body) == (404, b""), (token, path)
            assert "Python" not in headers.get("Server", "")
        answer = ask(served, f"/{token}/sweeps/lr/note", {"text": "x"}, **own(served))
        assert answer[:2] == (404, b"")
    assert ask(served, "/")[:2] == (404, b"")
    assert folder.read_note() == ""


def test_with_it_there_are_the_pages(served: Served, folder: RunFolder) -> None:
    status, body, headers = ask(served, f"/{served.token}/")
    assert (status, b"Sweeps of" in body) == (200, True)
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    status, body, _ = ask(served, f"/{served.token}/sweeps/lr/report")
    assert (status, b"as of" in body) == (200, True)
    (shown,) = told(served, "events")
    assert (shown["name"], shown["state"]) == ("lr", "finished")
    assert shown["progress"] == "4/4 trials ended"
    for path in ("/sweeps/none/", "/sweeps/../lr/", "/sweeps/%2e%2e%2flr/report", "/nothing"):
        assert ask(served, f"/{served.token}{path}")[:2] == (404, b"")


def test_another_name_of_this_machine_is_refused(served: Served, folder: RunFolder) -> None:
    """As of a page whose name was led to this address."""
    for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1.evil.example", ""):
        assert ask(served, f"/{served.token}/", Host=host)[:2] == (404, b"")
    for host in ("localhost", "127.0.0.1:9999", "[::1]:80"):
        assert ask(served, f"/{served.token}/", Host=host)[0] == 200


def test_another_page_cannot_act(served: Served, folder: RunFolder) -> None:
    path = f"/{served.token}/sweeps/lr/note"
    evil = "http://evil.example"
    for origin in ({}, {"Origin": evil}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}):
        assert ask(served, path, {"text": "x"}, **origin)[:2] == (404, b"")
    assert folder.read_note() == ""
    assert ask(served, path, {"text": " mine\nand yours "}, **own(served))[0] == 200
    assert folder.read_note() == "mine\nand yours"
    assert b"mine\nand yours" in ask(served, f"/{served.token}/sweeps/lr/report")[1]
    assert ask(served, path, {"text": ""}, **own(served))[0] == 200
    assert not folder.note.exists()
    assert ask(served, path, {"text": "x" * 10_001}, **own(served))[0] == 400


def test_a_button_runs_the_command(served: Served, folder: RunFolder) -> None:
    path = f"/{served.token}/sweeps/lr/commands"
    status, body, _ = ask(served, path, {"action": "stop"}, **own(served))
    command = f"python -m sweeper stop {folder.path}"
    assert (status, json.loads(body)) == (200, {"command": command})

    def over() -> bool:
        return told(served, "sweeps/lr/events")["jobs"][0]["exit_code"] is not None

    wait_until(served.process, over)
    (job,) = told(served, "sweeps/lr/events")["jobs"]
    assert (job["command"], job["exit_code"]) == (command, 2)
    assert job["said"].startswith(f"{folder.path}: no sweep runs there: it is finished.")


def test_what_is_no_button_is_refused(served: Served, folder: RunFolder) -> None:
    path = f"/{served.token}/sweeps/lr/commands"
    for asked, problem in (
        ({"action": "delete"}, "no button is called 'delete'"),
        ({"action": "stop trial", "trial": "--runs"}, "must be the id of a trial"),
        ({"action": "stop trial"}, "must be the id of a trial"),
        ({"action": "more trials", "number": "4 --finals"}, "must be how many trials in all"),
        ({"action": "more trials", "number": "0"}, "must be from 1 to 1,000,000 trials"),
    ):
        status, body, _ = ask(served, path, asked, **own(served))
        assert status == 400
        assert problem in json.loads(body)["error"], asked
    assert told(served, "sweeps/lr/events")["jobs"] == []
    assert ask(served, path, ["stop"], **own(served))[:2] == (400, b"")


def test_a_folder_that_cannot_be_read_is_told(served: Served, folder: RunFolder) -> None:
    folder.journal.write_text("nonsense\n")
    (shown,) = told(served, "events")
    assert shown["state"] == "unreadable"
    assert "damaged journal line" in shown["progress"]
    assert b"damaged journal line" in ask(served, f"/{served.token}/sweeps/lr/report")[1]


def test_another_sweep_of_the_same_name_takes_the_place_of_a_deleted_one(
    served: Served, folder: RunFolder, tiny_plan: Any
) -> None:
    assert told(served, "sweeps/lr/events")["progress"] == "4/4 trials ended"
    report = f"/{served.token}/sweeps/lr/report"
    assert LAST in ask(served, report)[1]
    shutil.rmtree(folder.path)
    plan: Plan = tiny_plan(space={"learning_rate": {"grid": [1e-3]}})
    drive(create_run_folder(served.runs, plan.spec, "lr", "space.yaml"), plan)
    assert told(served, "sweeps/lr/events")["progress"] == "1/1 trials ended"
    wait_until(served.process, lambda: LAST not in ask(served, report)[1])


def test_on_every_network_it_has_the_names_of_this_machine() -> None:
    class Asked:
        path, method = "/secret/", "GET"

        def __init__(self, host: str) -> None:
            self.headers = {"Host": host}

    everywhere, here = Access("secret", "0.0.0.0"), Access("secret", "10.0.0.7")
    for host in ("10.0.0.7:8642", "[fe80::1]:1", socket.gethostname(), "localhost"):
        assert everywhere.allows(Asked(host))  # type: ignore[arg-type]
    assert not everywhere.allows(Asked("evil.example"))  # type: ignore[arg-type]
    assert here.allows(Asked("10.0.0.7"))  # type: ignore[arg-type]
    assert not here.allows(Asked("10.0.0.8"))  # type: ignore[arg-type]
