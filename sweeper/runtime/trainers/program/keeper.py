"""Starts a training program and sees to it that nothing of it outlives us. A process of its own,
run as a file (`python -I -S keeper.py LIFE STATUS LOCK CLAIM COMMAND…`): no module of ours.

LIFE is the end of a pipe that its parent holds open: when that closes, however the parent has
ended, the program is killed with all that it has started, in whatever session (a subreaper gets
every orphan). Should the keeper itself be killed, the kernel kills the program.
On STATUS it says `began PID`, `failed ERRNO`, `ended CODE`, and `left NAME…` of processes that the
program has left behind, which it kills. LOCK is a file that it holds. Where that does not say CLAIM
any more, a later attempt has claimed the folder, and the program is killed.
"""

import contextlib
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CLAIM_SECONDS = 0.2  # between two looks whether it still holds
LEFT_SECONDS = 0.5  # in which what a program has started may end with it


def main() -> None:
    life, status, lock = map(int, sys.argv[1:4])
    for descriptor in (life, status, lock):
        os.set_inheritable(descriptor, False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    began, begins = os.pipe()  # closes as the program begins; before that, it carries an error
    if (program := os.fork()) == 0:
        _become(sys.argv[5:], begins)
    os.close(begins)
    if error := os.read(began, 16):
        os.write(status, b"failed %s\n" % error)
        os.waitpid(program, 0)
        return
    os.write(status, b"began %d\n" % program)
    code = _outcome(program, life, lock, sys.argv[4].encode())
    if code is None:
        _kill_all()
        return
    left = _left_behind()
    _kill_all()
    if left:
        os.write(status, b"left %s\n" % ", ".join(left).encode())
    os.write(status, b"ended %d\n" % code)


def _become(command: list[str], begins: int) -> None:
    """Be the program, in a session of its own."""
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(begins, b"%d" % (error.errno or 0))
    finally:
        os._exit(127)


def _prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the program's group is all that is ended."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _outcome(program: int, life: int, lock: int, claim: bytes) -> int | None:
    """Wait for the program's end: its exit code, or minus its signal. None: the parent is gone, or
    the folder is another's."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    while True:
        ended, status = os.waitpid(program, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        ready, _, _ = select.select([life, reads], [], [], CLAIM_SECONDS)
        if life in ready or os.pread(lock, len(claim), 0) != claim:
            return None
        if reads in ready:
            os.read(reads, 512)


def _left_behind() -> list[str]:
    """The names of processes that the program has left, after they have had time to end."""
    deadline = time.monotonic() + LEFT_SECONDS
    while left := descendants(os.getpid()):
        if time.monotonic() > deadline:
            return sorted({_name(pid) for pid in left})
        _reap()
        time.sleep(0.01)
    return []


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _kill_all() -> None:
    """Kill what there is below this process. A process may start another as it is being killed:
    again, until none is left."""
    while pids := descendants(os.getpid()):
        for pid in pids:
            send(pid, signal.SIGKILL)
        time.sleep(0.002)
    _reap()


def send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def descendants(root: int) -> list[int]:
    """The living processes below this one, parents first. A zombie is none."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state not in b"ZX":
            children.setdefault(int(parent), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


if __name__ == "__main__":
    main()
