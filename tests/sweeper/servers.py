"""A bucket on a server of S3's kind (SeaweedFS), and a network that cuts connections."""

import errno
import random
import socket
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from sweeper.record.stores.in_bucket import InBucket

BUCKET = "sweeps"
KEYS = {
    "AWS_ACCESS_KEY_ID": "key-of-the-tests",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
    "AWS_REGION": "us-east-1",
}


def free_ports(number: int) -> list[int]:
    """The server takes each of them plus 10,000, too."""
    ports: list[int] = []
    while len(ports) < number:
        port = random.SystemRandom().randint(20_000, 32_000)
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10_000))
            ports.append(port)
    return ports


@contextmanager
def seaweed(folder: Path) -> Iterator[str]:
    """The endpoint of a server with an empty bucket."""
    names = ["s3.port", "master.port", "filer.port", "volume.port"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    command = [
        Path(sysconfig.get_path("scripts")) / "weed", "mini", f"-dir={folder}", f"-bucket={BUCKET}",
        "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-admin.ui=false", "-webdav=false",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=KEYS, cwd=folder)
    try:
        while not _is_ready(endpoint):
            assert server.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.1)
        yield endpoint
    finally:
        server.kill()
        server.wait()


def _is_ready(endpoint: str) -> bool:
    store = S3Store(
        BUCKET,
        endpoint=endpoint,
        access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region=KEYS["AWS_REGION"],
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    try:
        obstore.list(store).collect()
    except BaseError:
        return False
    return True


def refuse_to_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix of the bucket that is there, and is another's."""
    pull = InBucket.pull

    def refused(store: InBucket, *, all_files: bool = True) -> None:
        if store.address.endswith(f"/{name}"):
            raise OSError(errno.EREMOTEIO, "it is another's")
        pull(store, all_files=all_files)

    monkeypatch.setattr(InBucket, "pull", refused)


class Network:
    """A way to a server on which connections are slow, and are cut after a while: some before the
    server has the request, some before its answer is through."""

    def __init__(self, server: str, seed: int) -> None:
        host, port = server.removeprefix("http://").split(":")
        self.server = host, int(port)
        self.rng = random.Random(seed)
        self.times_cut = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            near, _ = self._listener.accept()
            far = socket.create_connection(self.server)
            for source, target in ((near, far), (far, near)):
                left = self.rng.randint(500, 6000)  # bytes, until it is cut
                threading.Thread(
                    target=self._pass, args=(source, target, left), daemon=True
                ).start()

    def _pass(self, source: socket.socket, target: socket.socket, left: int) -> None:
        with suppress(OSError):
            while left > 0 and (piece := source.recv(1024)):
                time.sleep(self.rng.random() / 200)
                target.sendall(piece[:left])
                left -= len(piece)
            self.times_cut += left <= 0
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
