"""Objects under one prefix of a bucket: of S3, of Google's or Azure's storage, or for tests of a
folder that behaves as one. Keys come from the environment (AWS_ACCESS_KEY_ID, …), and go nowhere.
"""

import errno
import os
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import from_url

RETRY_SECONDS = 10.0  # by the library, of each try of ours
ANSWER_SECONDS = 20.0  # for one answer, with all that it brings
PIECE_BYTES = 2**20  # what an answer that is cut has brought of these is kept
PART_BYTES, PARTS, MOST_PARTS = 5 * 2**20, 4, 10_000  # of an upload: each, at a time, by S3's rule
PARTS_SECONDS = 60.0  # for each of those: 0.35 MB/s will do
REFUSED = re.compile(r"status code: 4(?!08|09|29)")  # too slow, too busy, in conflict: not for good
NO_KEYS = "http://169.254.169.254"  # which is asked where the environment has none
T = TypeVar("T")


class Object(NamedTuple):
    """What a listing says of an object."""

    size: int  # bytes
    etag: str | None  # another one where its content is another


class Bucket:
    """A flat store of whole objects, by names with slashes. Each method tries for a while, then
    raises an `OSError` of EREMOTEIO: the bucket does not answer, or refuses."""

    patience_seconds = 30.0
    sleep = staticmethod(time.sleep)

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        # The same name is another bucket at another endpoint.
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        self._store = _store(self.address, endpoint, ANSWER_SECONDS)
        self._store_for_parts = _store(self.address, endpoint, PARTS_SECONDS)

    def create(self, name: str, content: bytes) -> bool:
        """Put a small object where there is none. False: there is one. Of many who try at once,
        one succeeds; but a try may meet what one before it has put, whose answer was lost."""
        return self._tried(name, lambda: self._create(name, content))

    def _create(self, name: str, content: bytes) -> bool:
        try:
            obstore.put(self._store, name, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def put(self, name: str, content: bytes | Path) -> str | None:
        """Put an object, in the place of what is there; a large one in parts. Returns its etag."""
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        part = max(PART_BYTES, -(-size // MOST_PARTS))
        store = self._store if size <= part else self._store_for_parts

        def put() -> str | None:
            options: Any = {"chunk_size": part, "max_concurrency": PARTS}
            return obstore.put(store, name, content, **options)["e_tag"]

        return self._tried(name, put)

    def get(self, name: str) -> bytes:
        """
        Raises:
            FileNotFoundError: there is none.
        """
        return self.read(name)[0]

    def read(self, name: str) -> tuple[bytes, datetime]:
        """An object, and when it was put, by the bucket's clock.

        Raises:
            FileNotFoundError: as `get`.
        """

        def read() -> tuple[bytes, datetime]:
            answer = obstore.get(self._store, name)
            return bytes(answer.bytes()), answer.meta["last_modified"]

        return self._tried(name, read)

    def download(self, name: str, path: Path) -> None:
        """Where an answer is cut, because it takes long or fails, the next one goes on from there.

        Raises:
            FileNotFoundError: as `get`.
        """
        etag: str | None = None

        def goes_on() -> bool:
            """Whether something has come, and more is to."""
            nonlocal etag
            begin = file.tell()
            answer = obstore.get(
                self._store, name, options={"range": {"offset": begin}} if begin else {}
            )
            if begin and answer.meta["e_tag"] != etag:  # it has been replaced
                file.seek(0)
                file.truncate()
                return True
            etag = answer.meta["e_tag"]
            try:
                for piece in answer.stream(min_chunk_size=PIECE_BYTES):
                    file.write(piece)
            except BaseError:
                if file.tell() == begin:
                    raise
            return file.tell() < answer.meta["size"]

        with path.open("wb") as file:
            while self._tried(name, goes_on):
                pass

    def objects(self, folder: str = "", after: str = "") -> dict[str, Object]:
        """The objects whose names begin with `folder/` and come after `after`, in order."""

        def listed() -> dict[str, Object]:
            pages = obstore.list(self._store, prefix=folder or None, offset=after or None)
            entries = [entry for page in pages for entry in page]
            return {entry["path"]: Object(entry["size"], entry["e_tag"]) for entry in entries}

        return dict(sorted(self._tried(folder, listed).items()))  # a local one has no order

    def files(self) -> dict[str, Object]:
        """The objects whose names have no slash, in order.

        Raises:
            FileNotFoundError: there is no such bucket.
        """
        there = self._tried("", lambda: obstore.list_with_delimiter(self._store))
        found = {entry["path"]: Object(entry["size"], entry["e_tag"]) for entry in there["objects"]}
        return dict(sorted(found.items()))

    def folders(self) -> list[str]:
        """The first parts of the names that have others."""
        there = self._tried("", lambda: obstore.list_with_delimiter(self._store))
        return sorted(there["common_prefixes"])

    def copy(self, source: str, target: str) -> None:
        self._tried(source, lambda: obstore.copy(self._store, source, target))

    def delete(self, names: Iterable[str]) -> None:
        """What is not there is no error."""
        for name in names:
            with suppress(FileNotFoundError):
                self._tried(name, partial(obstore.delete, self._store, name))

    def _tried(self, name: str, work: Callable[[], T]) -> T:
        """Again and again while the bucket fails. The library does so too, but not where a
        connection is cut in the middle of an answer."""
        failing_since: float | None = None  # what takes long is no failure
        wait = 0.1
        while True:
            try:
                return work()
            except FileNotFoundError:
                raise
            except (BaseError, OSError) as error:
                now = time.monotonic()
                failing_since = now if failing_since is None else failing_since
                if _is_refused(error) or now - failing_since >= self.patience_seconds:
                    raise OSError(errno.EREMOTEIO, _said(error), f"{self.address}/{name}") from None
            self.sleep(wait)
            wait = min(2 * wait, 5.0)


def _is_refused(error: Exception) -> bool:
    """Whether it would be refused again."""
    kinds = (PermissionDeniedError, UnauthenticatedError, NotSupportedError)
    return isinstance(error, kinds) or REFUSED.search(str(error)) is not None


@cache
def _store(address: str, endpoint: str, answer_seconds: float) -> Any:
    connect: Any = from_url  # its overloads know each kind of store apart
    try:
        if address.startswith("file:"):
            return connect(address, mkdir=True)
        return connect(
            address,
            client_options={
                "timeout": timedelta(seconds=answer_seconds),
                "allow_http": endpoint.startswith("http://"),
            },
            retry_config={"max_retries": 8, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
        )
    except BaseError as error:
        raise OSError(errno.EREMOTEIO, _said(error), address) from None


def _said(error: Exception) -> str:
    """The server's own words where it has sent any, or the first line of the library's."""
    text = str(error)
    if NO_KEYS in text:
        return "no keys: neither the environment has any, nor the role of this machine"
    answer = re.search(r"<Message>(.*?)</Message>", text)
    return answer[1] if answer else text.split("\n")[0]
