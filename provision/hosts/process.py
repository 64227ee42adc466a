"""A command that runs on a host: what it prints, what it is fed, and how it ends."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from provision.core.errors import CommandError
from provision.core.run import Completed
from provision.core.wait import Deadline

if TYPE_CHECKING:
    from paramiko import Channel
    from paramiko.channel import ChannelFile

_GRACE_SECONDS = 5.0
_TAIL_LINES = 25

# Runs on the host around every command. sshd does not end a command when its channel closes, so this does: its
# standard input ends when we close the channel or die, and then the command's process group ends with it.
KEEPER = """
import os, select, signal, subprocess, sys
woken, waker = os.pipe()
os.set_blocking(waker, False)
signal.set_wakeup_fd(waker)
signal.signal(signal.SIGCHLD, lambda *_: None)
try:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error.strerror}")
def end(number):
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        pass
while child.poll() is None:
    ready = select.select([0, woken], [], [])[0]
    if 0 in ready and not os.read(0, 1):
        end(signal.SIGTERM)
        try:
            child.wait(1)
        except subprocess.TimeoutExpired:
            pass
        break
    if woken in ready:
        os.read(woken, 64)
end(signal.SIGKILL)
code = child.wait()
sys.exit(code if code >= 0 else 128 - code)
"""


class Process:
    """A command that runs on a host; its output is collected as it comes."""

    def __init__(self, channel: Channel, host: str, argv: Sequence[str]) -> None:
        self._channel = channel
        self._host = host
        self._argv = tuple(argv)
        self._started = time.monotonic()
        self._out: list[str] = []
        self._err: list[str] = []
        streams: list[tuple[ChannelFile, list[str]]] = [
            (channel.makefile("rb"), self._out),
            (channel.makefile_stderr("rb"), self._err),
        ]
        self._readers = [threading.Thread(target=_drain, args=stream, daemon=True) for stream in streams]
        for reader in self._readers:
            reader.start()

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return "".join(self._out)

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""
        return "".join(self._err)

    def feed(self, deadline: Deadline) -> Input:
        """Its standard input, for one that was started without a keeper."""
        return Input(self._channel, deadline)

    @property
    def running(self) -> bool:
        return not self._channel.exit_status_ready()

    def wait(self, deadline: Deadline) -> Completed:
        """Wait until it ends by itself; raises CommandError, and ends it, when `deadline` passes first."""
        if not self._channel.status_event.wait(deadline.remaining):
            self.end()
            raise self._failed(f"did not end within {deadline.seconds:.0f} s")
        return self._completed()

    def end(self) -> Completed:
        """End it and all that it started in its process group, and return what it printed."""
        if self.running:
            self._channel.shutdown_write()
            self._channel.status_event.wait(_GRACE_SECONDS)
        return self._completed()

    def failed(self, done: Completed) -> CommandError:
        """The error for `done` having ended with an exit code other than 0."""
        return self._failed(f"failed with exit code {done.returncode}")

    def _completed(self) -> Completed:
        for reader in self._readers:
            reader.join(_GRACE_SECONDS)
        status = self._channel.recv_exit_status() if self._channel.exit_status_ready() else -1
        self._channel.close()
        if status == -1:  # RFC 4254 6.10: no exit status was sent, so the connection or the keeper died
            raise self._failed("lost its connection")
        return Completed(self._argv, status, self.stdout, self.stderr, time.monotonic() - self._started)

    def _failed(self, what: str) -> CommandError:
        lines = (self.stderr.rstrip() or self.stdout.rstrip()).splitlines()
        return CommandError(
            f"Command '{self._argv[0]}' on host '{self._host}' {what}",
            where=shlex.join(self._argv),
            detail="\n".join(lines[-_TAIL_LINES:]),
        )


class Unread(Exception):
    """The command reads no more of its input: it has ended, or the time is over."""


class Input:
    """The standard input of a command on a host, to be written to like a file; `sent` counts bytes."""

    def __init__(self, channel: Channel, deadline: Deadline) -> None:
        self.sent = 0
        self._channel = channel
        self._deadline = deadline
        channel.settimeout(deadline.seconds)  # of one write that nobody reads

    def write(self, data: bytes) -> int:
        """Raises Unread where nobody reads it."""
        if self._deadline.expired:
            raise Unread
        try:
            self._channel.sendall(data)
        except OSError as error:
            raise Unread from error
        self.sent += len(data)
        return len(data)

    def close(self) -> None:
        """What was written is all."""
        self._channel.shutdown_write()


def _drain(stream: ChannelFile, lines: list[str]) -> None:
    for raw in stream:
        lines.append(raw.decode(errors="replace") if isinstance(raw, bytes) else raw)
