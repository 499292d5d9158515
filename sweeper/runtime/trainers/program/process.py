"""A training program at work: its lines as they come, held and let go, and ended with all that it
has started."""

import errno
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.program import keeper
from sweeper.runtime.trainers.program.fields import ESCAPES

READ_BYTES = 1 << 16
MAX_LINE = 1 << 16  # what is longer is no line of metrics
MAX_LOG_BYTES = 1 << 30
SHOWN_LINES = 8  # of a program's output in a message

_NOT_STARTED = {
    errno.ENOENT: "cannot be found; is it installed, and on the PATH?",
    errno.EACCES: "is not executable: chmod +x, or name its interpreter first (python, bash)",
    errno.ENOEXEC: "is nothing that the system can run; name its interpreter first (python, bash)",
}


@dataclass(frozen=True)
class Claim:
    """What a program holds as it lives: a locked file, which has the word of its last claimant."""

    lock: int  # a descriptor
    word: str


class Process:
    """A program in a session of its own, below a keeper.

    Args:
        log: All that it prints goes there, after what is there.
        claim: On the folder that it works in: held as long as anything of the program is alive.

    Raises:
        TrainerError: it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
        claim: Claim,
    ) -> None:
        self.last_lines: deque[str] = deque(maxlen=SHOWN_LINES)
        self.num_lines = self.num_bytes = 0  # that it has printed
        self.exit_code: int | None = None
        self.left: str | None = None  # the names of processes that it has left behind
        self._rest = b""
        self._log = log.open("ab")
        life, self._life = os.pipe()
        self._status, status = os.pipe()
        try:
            passed = (life, status, claim.lock)
            told = [*map(str, passed), claim.word]
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, *told, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=passed,
                start_new_session=True,
                cwd=folder,
                env=dict(environment),
            )
        except OSError as error:
            self._log.close()
            os.close(self._life)
            os.close(self._status)
            raise TrainerError(
                f"trainer.folder: {folder}: no program can be started there ({error.strerror})"
            ) from None
        finally:
            os.close(life)
            os.close(status)
        assert self._keeper.stdout is not None
        self._output = self._keeper.stdout.fileno()
        os.set_blocking(self._output, False)
        word, number = self._said().split()[:2]
        if word != "began":
            self.close()
        if word == "ended":
            raise TrainerError(
                "the process that keeps the program was killed before it began (out of memory?)"
            )
        if word == "failed":
            reason = _NOT_STARTED.get(int(number), os.strerror(int(number)))
            raise TrainerError(f"trainer.command: {command[0]!r} {reason}")
        self.pid = int(number)

    def _said(self) -> str:
        """What the keeper says of the program next; empty where it is dead."""
        said = b""
        while not said.endswith(b"\n"):
            if not (more := os.read(self._status, 1)):
                return "ended -9"
            said += more
        return said.decode(errors="replace").strip()

    @property
    def has_ended(self) -> bool:
        return self.exit_code is not None

    def lines(self, timeout: float) -> list[str]:
        """What it has printed since, line by line; waits so long for some of it. Nothing at once
        where it has ended."""
        if self.has_ended:
            return []
        ready, _, _ = select.select([self._output, self._status], [], [], timeout)
        if self._output in ready and (read := self._read()):
            return self._split(read)
        if self._status in ready:
            return self._hear_the_end()
        if ready:  # it has closed its output, and goes on
            time.sleep(min(timeout, 0.05))
        return []

    def _hear_the_end(self) -> list[str]:
        word, _, what = self._said().partition(" ")
        if word == "left":
            self.left = what
            return self._hear_the_end()
        rest = b""
        while more := self._read():
            rest += more
        lines = self._split(rest + b"\n" if self._rest or rest else b"")
        self.exit_code = int(what)
        self._keeper.wait()
        return lines

    def _read(self) -> bytes:
        try:
            read = os.read(self._output, READ_BYTES)
        except BlockingIOError:
            return b""
        self.num_bytes += len(read)
        self._log.write(read)
        self._log.flush()
        if self._log.tell() > MAX_LOG_BYTES:
            name = self._log.name
            self.close()
            raise TrainerError(
                f"{name}: the program has printed more than {MAX_LOG_BYTES >> 20} MB; "
                "have it print less often"
            )
        return read

    def _split(self, read: bytes) -> list[str]:
        *lines, self._rest = (self._rest + read).replace(b"\r", b"\n").split(b"\n")
        self._rest = self._rest[-MAX_LINE:]
        texts = [ESCAPES.sub("", line[:MAX_LINE].decode(errors="replace")) for line in lines]
        texts = [text for text in texts if text.strip()]
        self.num_lines += len(texts)
        self.last_lines.extend(texts)
        return texts

    def hold(self) -> None:
        """Have it stand still, with all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(
                self.pid, signal.SIGSTOP
            )  # at once; what is in other sessions has to be found
        held: set[int] = set()
        while new := set(keeper.descendants(self._keeper.pid)) - held:
            for pid in new:
                keeper.send(pid, signal.SIGSTOP)
            held |= new

    def go_on(self) -> None:
        for pid in keeper.descendants(self._keeper.pid):
            keeper.send(pid, signal.SIGCONT)

    def writes(self, path: Path) -> bool:
        """Whether anything of it has that file, or one in that folder, open for writing."""
        real = os.path.realpath(path)
        below = os.path.join(real, "")
        return any(
            file == real or file.startswith(below)
            for pid in keeper.descendants(self._keeper.pid)
            for file in _open_for_writing(pid)
        )

    def end(self, number: int, grace_s: float) -> list[str]:
        """Ask it to end by this signal, and kill it where it does not within the time. What it has
        printed in the meantime."""
        lines: list[str] = []
        if not self.has_ended:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            self.go_on()
        deadline = time.monotonic() + grace_s
        while not self.has_ended and (left := deadline - time.monotonic()) > 0:
            lines += self.lines(left)
        self.close()
        return lines

    def close(self) -> None:
        """Kill what is left of it."""
        if self._log.closed:
            return
        os.close(self._life)
        self._keeper.wait()
        self.exit_code = -signal.SIGKILL if self.exit_code is None else self.exit_code
        self._log.close()
        os.close(self._status)
        assert self._keeper.stdout is not None
        self._keeper.stdout.close()

    def __del__(self) -> None:
        if hasattr(self, "_output") and not sys.is_finalizing():  # then the keeper sees to it
            self.close()


def _open_for_writing(pid: int) -> Iterator[str]:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:  # it has ended
        return
    for number in descriptors:
        with suppress(OSError):
            file = os.readlink(f"/proc/{pid}/fd/{number}")
            about = Path(f"/proc/{pid}/fdinfo/{number}").read_text(encoding="utf-8")
            flags = about.split("flags:")[1].split()[0]
            if int(flags, 8) & os.O_ACCMODE:
                yield file
