"""A process of the bench: told what to do in one line, ready when it says so, done with one line of JSON.

Load, reader, plain loop and the API's client are processes of their own, or one interpreter's lock would be part of
what is measured.
"""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Generic, TypeVar

import msgspec

from schemas.errors import PartFailedError, SluiceError

READY = "ready"
T = TypeVar("T", bound=msgspec.Struct)


class Child(Generic[T]):
    """`python -m module`, its job one line of JSON on its standard input; it is ended when the block ends."""

    def __init__(self, module: str, job: msgspec.Struct, result: type[T]) -> None:
        self._module, self._result = module, result
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A line in a buffer of ours would be unseen by `select`.
            bufsize=0,
            # The kernel shares the processor out among sessions: one for all would be one client's share.
            start_new_session=True,
        )
        self.tell(msgspec.json.encode(job))

    def tell(self, line: bytes) -> None:
        """One line on its standard input. One that has died will say why when it is asked for its result."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + b"\n")

    def wait_ready(self, timeout_s: float) -> None:
        """Until the process is ready. Raises PartFailedError when it dies or takes longer."""
        line = self._line(timeout_s)
        assert line == READY, f"{self._module} said {line!r} before it was ready"

    def result(self, timeout_s: float) -> T:
        """What the process found. Raises PartFailedError when it dies or takes longer."""
        return msgspec.json.decode(self._line(timeout_s), type=self._result)

    @property
    def done(self) -> bool:
        """The process has ended."""
        return self._process.poll() is not None

    def _line(self, timeout_s: float) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        deadline = time.monotonic() + timeout_s
        while not select.select([stdout], [], [], 0.2)[0]:
            if time.monotonic() > deadline:
                raise PartFailedError(f"{self._module} took longer than {timeout_s:.0f} s; see `sluice doctor`")
        line = stdout.readline().decode().strip()
        if not line:
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode().strip().splitlines() or ["nothing"]
            raise PartFailedError(f"{self._module} failed: {said[-1]}")
        return line

    def __enter__(self) -> Child[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def say_ready() -> None:
    """Tell the process that waits for it."""
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()


def work(job: type[T], do: Callable[[T], msgspec.Struct | None]) -> None:
    """The process itself: do the job that standard input names, and say what was found, if anything.

    Ends with the one line of a SluiceError.
    """
    try:
        found = do(msgspec.json.decode(sys.stdin.buffer.readline(), type=job))
    except SluiceError as error:
        sys.exit(str(error))
    if found is not None:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
