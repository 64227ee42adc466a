"""The one door to hosts: commands by SSH as argv lists, with time limits, and nothing left running afterwards."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from provision.errors import CommandError, HostError, InputError
from provision.providers.base import Machine
from provision.run import Completed
from provision.ssh_connect import CONNECT_SECONDS, connect, endpoint
from provision.wait import Deadline

if TYPE_CHECKING:
    from paramiko import Channel, SSHClient
    from paramiko.channel import ChannelFile

_GRACE_SECONDS = 5.0
_TAIL_LINES = 25

# Runs on the host around every command. sshd does not end a command when its channel closes, so this does: its
# standard input ends when we close the channel or die, and then the command's process group ends with it.
_KEEPER = """
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


class Remote:
    """One host. The connection is made at the first use, shared by all threads, and ended with the context."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._lock = threading.Lock()
        self._client: SSHClient | None = None
        self._processes: list[Process] = []
        self._closed = False

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, argv: Sequence[str], timeout: float, check: bool = True) -> Completed:
        """Run `argv`, at most `timeout` seconds; with `check`, an exit code other than 0 is a CommandError."""
        process = self.start(argv)
        done = process.wait(Deadline.after(timeout))
        with self._lock:
            if process in self._processes:
                self._processes.remove(process)
        if check and done.returncode != 0:
            raise process.failed(done)
        return done

    def start(self, argv: Sequence[str]) -> Process:
        """Start `argv` as root in the background; it ends with this connection at the latest, however that ends."""
        sudo = ["sudo", "-n", "--"] if self.machine.become else []
        command = shlex.join([*sudo, "python3", "-I", "-S", "-c", _KEEPER, *argv])
        channel = self._open_channel()
        channel.exec_command(command)
        process = Process(channel, self.machine.name, argv)
        with self._lock:
            self._processes.append(process)
        return process

    def read(self, path: str) -> str:
        """The text of the file `path` on the host."""
        return self.run(["cat", "--", path], timeout=30).stdout

    def close(self) -> None:
        """End every process that was started here, then the connection."""
        with self._lock:
            self._closed = True
            processes, self._processes = self._processes, []
            client, self._client = self._client, None
        try:
            for process in processes:
                if process.running:
                    process.end()
        except CommandError:
            return  # the connection is gone, and the keepers end their commands by themselves
        finally:
            if client:
                client.close()

    def _open_channel(self) -> Channel:
        import paramiko

        with self._lock:
            if self._closed:
                raise HostError(f"The connection to host '{self.machine.name}' has been closed")
            if self._client is None:
                self._client = connect(self.machine)
            transport = self._client.get_transport()
        try:
            if transport is None:
                raise paramiko.SSHException("not connected")
            return transport.open_session(timeout=CONNECT_SECONDS)
        except (paramiko.SSHException, OSError) as error:
            raise HostError(
                f"Host '{self.machine.name}' opened no further SSH session: {error}",
                where=endpoint(self.machine),
                remedy="Check that sshd still runs there and that its MaxSessions is not below 10",
            ) from error


class Remotes:
    """The hosts of one run, each with one connection; passed on by whoever opened it."""

    def __init__(self, machines: Iterable[Machine]) -> None:
        self._remotes = {machine.name: Remote(machine) for machine in machines}

    def __enter__(self) -> Remotes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for remote in self._remotes.values():
            remote.close()

    def get(self, name: str) -> Remote:
        """The host `name`; raises InputError, naming those that there are."""
        try:
            return self._remotes[name]
        except KeyError:
            names = ", ".join(f"'{known}'" for known in self._remotes) or "none"
            raise InputError(f"Host '{name}' is not running", remedy=f"Hosts that run: {names}") from None


def _drain(stream: ChannelFile, lines: list[str]) -> None:
    for raw in stream:
        lines.append(raw.decode(errors="replace") if isinstance(raw, bytes) else raw)
