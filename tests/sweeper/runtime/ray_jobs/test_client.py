"""Ray's dashboard that does not answer, and something else at its address."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sweeper.errors import ResourceError
from sweeper.runtime.ray_jobs import client
from sweeper.runtime.ray_jobs.client import Jobs


@contextmanager
def served(answer: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("answer", [b'{"a": 1}', b"[]", b"7", b"<html>", b'{"ray_version": "x"}'])
def test_another_server_is_told_as_such(answer: bytes) -> None:
    with served(answer) as place, pytest.raises(ResourceError, match="no Ray dashboard answers"):
        Jobs(f"http://{place}")


def test_one_that_takes_the_call_and_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ResourceError, match=r"no Ray dashboard answers there \(.*timed out"):
            Jobs(address)


def test_what_is_told_has_the_reason_and_no_password() -> None:
    """It is put into storage."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        place = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(ResourceError) as told:
        Jobs(f"http://user:s3cr@t@{place}")
    assert "s3cr" not in str(told.value) and "t@" not in str(told.value)
    assert str(told.value).count(place) == 2  # in what Ray says, too
