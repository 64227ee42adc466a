"""The one door to hosts: commands by SSH as argv lists, with time limits, and nothing left running afterwards."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from provision.core.errors import CommandError, HostError, InputError
from provision.core.run import Completed
from provision.core.text import named
from provision.core.wait import Deadline
from provision.hosts.connect import CONNECT_SECONDS, connect, endpoint
from provision.hosts.machine import Machine
from provision.hosts.process import KEEPER, Process

if TYPE_CHECKING:
    from paramiko import Channel, SSHClient


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
        return self._exec(["python3", "-I", "-S", "-c", KEEPER, *argv], argv)

    def start_fed(self, argv: Sequence[str]) -> Process:
        """Start `argv` as root with its standard input from here, which ends with this connection at the latest."""
        return self._exec(argv, argv)

    def _exec(self, whole: Sequence[str], argv: Sequence[str]) -> Process:
        sudo = ["sudo", "-n", "--"] if self.machine.become else []
        channel = self._open_channel()
        channel.exec_command(shlex.join([*sudo, *whole]))
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
            names = named(self._remotes) or "none"
            raise InputError(f"Host '{name}' is not running", remedy=f"Name one that runs: {names}") from None
