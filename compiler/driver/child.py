"""Runs a function in a child process, so that whatever kills that process only fails the call.

LLVM ends its process on much bad input (an abort, with the reason on file descriptor 2), and so does
keystone. The child is a plain fork: what the caller has imported is there at once. The value comes back
pickled through a pipe; what the child writes to file descriptor 2 goes to a file, so that no amount of it can
block.
"""

import faulthandler
import os
import pickle
import resource
import select
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Generic, NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

READ_SIZE_BYTES = 1 << 20


class ChildCrashed(Exception):
    """The child ended without a value: `reason` says how, `printed` is what it wrote to file descriptor 2."""

    def __init__(self, reason: str, printed: str) -> None:
        super().__init__(reason, printed)
        self.reason = reason
        self.printed = printed

    def __str__(self) -> str:
        return f"{self.reason}; it printed: {self.printed.strip() or 'nothing'}"


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What the function returned, and what it or a library wrote to file descriptor 2 on the way."""

    value: T
    printed: str


class Child(Generic[T]):
    """A function running in a child process; `outcome` must be called exactly once."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _end
        self._pipe, write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            _run_and_exit(function, write_end, self._printed.fileno())
        os.close(write_end)

    def outcome(self, timeout_seconds: float = 120.0) -> Outcome[T]:
        """Wait for the value. Raises what the function raised, or ChildCrashed when there is no value."""
        try:
            message = self._receive(time.monotonic() + timeout_seconds)
            in_time = True
        except TimeoutError:
            message, in_time = b"", False
        except BaseException:
            self._end(kill=True)
            raise
        status, printed = self._end(kill=not in_time)
        if not in_time:
            raise ChildCrashed(f"stopped after {timeout_seconds:g} s", printed)
        if status != 0:
            raise ChildCrashed(_reason(status), printed)
        succeeded, value = pickle.loads(message)
        if not succeeded:
            raise value
        return Outcome(value, printed)

    def _receive(self, deadline: float) -> bytes:
        """Read the pipe to its end."""
        chunks: list[bytes] = []
        while select.select([self._pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(self._pipe, READ_SIZE_BYTES)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
        raise TimeoutError

    def _end(self, *, kill: bool) -> tuple[int, str]:
        """Release everything; return the wait status and what the child printed."""
        if kill:
            os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        os.close(self._pipe)
        with self._printed as file:
            file.seek(0)
            return status, file.read().decode(errors="replace")


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Child[T]:
    """Start the call and return at once, so that two children can use two cores."""
    return Child(lambda: function(*args, **kwargs))


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Outcome[T]:
    """Run the call in a child process and wait for it. Raises what it raises, or ChildCrashed."""
    return start(function, *args, **kwargs).outcome()


def _run_and_exit(function: Callable[[], Any], pipe: int, printed: int) -> NoReturn:
    """Live the child's life, and leave through os._exit: none of the parent's clean-up may run twice."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(printed, 2)
        message = _message(function)
        with open(pipe, "wb") as stream:
            stream.write(message)
        status = 0
    finally:
        os._exit(status)


def _message(function: Callable[[], Any]) -> bytes:
    try:
        return pickle.dumps((True, function()))
    except BaseException as error:
        try:
            message = pickle.dumps((False, error))
            pickle.loads(message)  # some exceptions pickle but do not unpickle
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return message


def _reason(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.waitstatus_to_exitcode(status)}"
