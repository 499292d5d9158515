"""Objects under one prefix of a bucket: of S3, of Google's or Azure's storage, or for tests of a
folder that behaves as one. Keys come from the environment (AWS_ACCESS_KEY_ID, …), and go nowhere.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

RETRY_SECONDS = 20.0  # of each request, before it has failed
ANSWER_SECONDS = 20.0  # for one answer


class Object(NamedTuple):
    """What a listing says of an object."""

    size: int  # bytes
    etag: str | None  # another one where its content is another


class Bucket:
    """A flat store of whole objects, by names with slashes. Each method raises an `OSError` of
    EREMOTEIO where the bucket does not answer, or refuses."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._store: Any = _store(self.address)

    def create(self, name: str, content: bytes) -> bool:
        """Put an object where there is none. False: there is one. Of many who try at once, one
        succeeds; a retry may meet what this call itself has put."""
        with self._told(name):
            try:
                obstore.put(self._store, name, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def put(self, name: str, content: bytes | Path) -> str | None:
        """Put an object, in the place of what is there. Returns its etag."""
        with self._told(name):
            return obstore.put(self._store, name, content)["e_tag"]

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
        with self._told(name):
            answer = obstore.get(self._store, name)
            return bytes(answer.bytes()), answer.meta["last_modified"]

    def download(self, name: str, path: Path) -> None:
        """
        Raises:
            FileNotFoundError: as `get`.
        """
        with self._told(name), path.open("wb") as file:
            for piece in obstore.get(self._store, name):
                file.write(piece)

    def objects(self, folder: str = "", after: str = "") -> dict[str, Object]:
        """The objects whose names begin with `folder/` and come after `after`, in order."""
        with self._told(folder):
            pages = obstore.list(self._store, prefix=folder or None, offset=after or None)
            found = {
                entry["path"]: Object(entry["size"], entry["e_tag"])
                for page in pages
                for entry in page
            }
        return dict(sorted(found.items()))  # a local one lists in any order

    def folders(self) -> list[str]:
        """The first parts of the names that have others."""
        with self._told(""):
            return sorted(obstore.list_with_delimiter(self._store)["common_prefixes"])

    def copy(self, source: str, target: str) -> None:
        with self._told(source):
            obstore.copy(self._store, source, target)

    def delete(self, names: Iterable[str]) -> None:
        """What is not there is no error."""
        for name in names:
            with self._told(name), suppress(FileNotFoundError):
                obstore.delete(self._store, name)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            raise OSError(errno.EREMOTEIO, _said(error), f"{self.address}/{name}") from None


@cache
def _store(address: str) -> Any:
    connect: Any = from_url  # its overloads know each kind of store apart
    try:
        if address.startswith("file:"):
            return connect(address, mkdir=True)
        return connect(
            address,
            client_options={
                "timeout": timedelta(seconds=ANSWER_SECONDS),
                "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
            },
            retry_config={"max_retries": 8, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
        )
    except BaseError as error:
        raise OSError(errno.EREMOTEIO, _said(error), address) from None


def _said(error: Exception) -> str:
    """The server's own words where it has sent any, or the first line of the library's."""
    text = str(error)
    answer = re.search(r"<Message>(.*?)</Message>", text)
    return answer[1] if answer else text.split("\n")[0]
