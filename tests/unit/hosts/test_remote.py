"""Commands on hosts, against a real SSH server in this process that runs them with a real shell."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import paramiko
import pytest

from provision.core.errors import CommandError, HostError, InputError
from provision.core.wait import Deadline
from provision.hosts.machine import Machine
from provision.hosts.process import Unread
from provision.hosts.remote import Process, Remote, Remotes


class Session(paramiko.ServerInterface):
    """Accepts one key, and runs what is asked for as sshd does without a terminal: by `sh -c`, with pipes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = key == self._server.user_key and username == "root"
        return paramiko.common.AUTH_SUCCESSFUL if known else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=serve_command, args=(channel, command.decode()), daemon=True).start()
        return True


def serve_command(channel: paramiko.Channel, command: str) -> None:
    pipe = subprocess.PIPE
    process = subprocess.Popen(["sh", "-c", f"exec {command}"], stdin=pipe, stdout=pipe, stderr=pipe)

    def feed() -> None:
        with suppress(BrokenPipeError):  # it reads no more
            while data := channel.recv(4096):
                process.stdin.write(data)
            process.stdin.close()

    def drain(stream, send) -> None:
        while data := os.read(stream.fileno(), 4096):
            send(data)

    threading.Thread(target=feed, daemon=True).start()
    readers = [
        threading.Thread(target=drain, args=pair, daemon=True)
        for pair in ((process.stdout, channel.sendall), (process.stderr, channel.sendall_stderr))
    ]
    for reader in readers:
        reader.start()
    code = process.wait()
    for reader in readers:
        reader.join()
    with suppress(OSError, EOFError):  # the client may have gone before its command has
        channel.send_exit_status(code)
        channel.close()


@dataclass
class Server:
    user_key: paramiko.PKey
    host_key: paramiko.PKey
    listener: socket.socket
    transports: list[paramiko.Transport] = field(default_factory=list)

    def accept(self) -> None:
        while True:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self.host_key)
            self.transports.append(transport)
            with suppress(paramiko.SSHException, EOFError):  # a client that does not trust us goes away
                transport.start_server(server=Session(self))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    user_key = paramiko.ECDSAKey.generate()
    user_key.write_private_key_file(str(tmp_path / "key"))
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(user_key, paramiko.ECDSAKey.generate(), listener)
    threading.Thread(target=server.accept, daemon=True).start()
    yield server
    listener.close()
    for transport in server.transports:
        transport.close()


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Machine:
    port = server.listener.getsockname()[1]
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {server.host_key.get_name()} {server.host_key.get_base64()}\n")
    return Machine("k8s", "control-plane", "127.0.0.1", port, "root", tmp_path / "key", known_hosts)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def printed(process: Process) -> None:
    """Wait for its first line."""
    deadline = time.monotonic() + 10
    while not process.stdout:
        assert time.monotonic() < deadline, "it prints nothing"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_arguments_are_quoted_and_never_pasted(machine: Machine) -> None:
    arguments = ["a b", "$HOME", "'; touch /tmp/x; '", '"', "ü"]
    with Remote(machine) as remote:
        done = remote.run(["printf", "%s\\n", *arguments], timeout=10)
    assert done.stdout.splitlines() == arguments


def test_output_and_exit_code(machine: Machine) -> None:
    with Remote(machine) as remote:
        done = remote.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=10, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


def test_a_failure_names_host_and_command(machine: Machine) -> None:
    with Remote(machine) as remote, pytest.raises(CommandError) as caught:
        remote.run(["sh", "-c", "echo broken >&2; exit 3"], timeout=10)
    assert str(caught.value) == (
        "sh -c 'echo broken >&2; exit 3': Command 'sh' on host 'k8s' failed with exit code 3\n  | broken"
    )


def test_a_missing_command_is_a_failure(machine: Machine) -> None:
    with Remote(machine) as remote, pytest.raises(CommandError, match="no-such-command: No such file"):
        remote.run(["no-such-command"], timeout=10)


def test_a_file_is_read_and_a_missing_one_named(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "-odd name").write_text("one\ntwo")
    with Remote(machine) as remote:
        assert remote.read(str(tmp_path / "-odd name")) == "one\ntwo"
        with pytest.raises(CommandError, match="No such file"):
            remote.read("/no/such/file")


def test_a_time_out_ends_the_command_and_all_it_started(machine: Machine) -> None:
    started = time.monotonic()
    with Remote(machine) as remote:
        process = remote.start(["sh", "-c", "sleep 100 & echo $!; wait"])
        with pytest.raises(CommandError, match="Command 'sh' on host 'k8s' did not end within 1 s"):
            process.wait(Deadline.after(1))
    assert gone(int(process.stdout))
    assert time.monotonic() - started < 50


def test_a_process_that_ignores_the_signal_is_killed_with_the_context(machine: Machine) -> None:
    with Remote(machine) as remote:
        process = remote.start(["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.1; done"])
        printed(process)
        pid = int(process.stdout)
        assert alive(pid)
        assert process.running
    assert gone(pid)


def test_a_command_ends_when_its_connection_is_lost(machine: Machine, server: Server) -> None:
    with Remote(machine) as remote:
        process = remote.start(["sh", "-c", "echo $$; exec sleep 100"])
        printed(process)
        server.transports[0].close()
        assert gone(int(process.stdout))
        with pytest.raises(CommandError, match="Command 'sh' on host 'k8s' lost its connection"):
            process.wait(Deadline.after(5))


def test_ending_it_returns_what_it_printed(machine: Machine) -> None:
    with Remote(machine) as remote:
        process = remote.start(["sh", "-c", "echo ready; exec sleep 100"])
        printed(process)
        done = process.end()
        assert (done.stdout, done.returncode) == ("ready\n", 128 + signal.SIGTERM)


def test_what_is_fed_arrives_and_an_end_of_input_ends_the_command(machine: Machine) -> None:
    data = os.urandom(3 << 20)
    with Remote(machine) as remote:
        process = remote.start_fed(["sha256sum"])
        source = process.feed(Deadline.after(20))
        source.write(data)
        source.close()
        done = process.wait(Deadline.after(20))
        assert (done.returncode, done.stdout.split()[0]) == (0, hashlib.sha256(data).hexdigest())
        assert source.sent == len(data)
        left = remote.start_fed(["cat"])
    assert not left.running


def test_a_command_that_reads_no_more_is_told_from_one_that_is_slow(machine: Machine) -> None:
    with Remote(machine) as remote:
        process = remote.start_fed(["sh", "-c", "echo full >&2; exit 3"])
        with pytest.raises(Unread):
            for _ in range(100):
                process.feed(Deadline.after(20)).write(bytes(1 << 20))
        assert process.wait(Deadline.after(20)).stderr == "full\n"
        slow = remote.start_fed(["sleep", "1"])
        with pytest.raises(Unread):
            slow.feed(Deadline.after(0.5)).write(bytes(64 << 20))


def test_many_threads_share_one_connection(machine: Machine, server: Server) -> None:
    found: list[str] = []
    with Remotes([machine]) as remotes:
        threads = [
            threading.Thread(
                target=lambda number=number: found.append(remotes.get("k8s").run(["echo", number], 20).stdout)
            )
            for number in map(str, range(6))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [f"{number}\n" for number in range(6)]
    assert len(server.transports) == 1


def test_no_new_connection_after_the_end(machine: Machine) -> None:
    with Remotes([machine]) as remotes:
        remote = remotes.get("k8s")
    with pytest.raises(HostError, match="The connection to host 'k8s' has been closed"):
        remote.run(["true"], timeout=5)


def test_an_unknown_host_is_named_with_those_there_are(machine: Machine) -> None:
    with pytest.raises(InputError, match="Host 'k9s' is not running\n  remedy: Name one that runs: 'k8s'"):
        Remotes([machine]).get("k9s")


def error_of(machine: Machine) -> str:
    with Remote(machine) as remote, pytest.raises(HostError) as caught:
        remote.run(["true"], timeout=5)
    return str(caught.value)


def test_a_host_key_that_is_not_pinned(machine: Machine) -> None:
    machine.known_hosts.write_text("")
    assert error_of(machine) == (
        f"root@127.0.0.1:{machine.port}: Host 'k8s' has no pinned host key\n"
        f"  remedy: Run `mcastlab up`, which writes it to {machine.known_hosts}"
    )


def test_another_host_key_than_the_pinned_one(machine: Machine) -> None:
    other = paramiko.ECDSAKey.generate()
    machine.known_hosts.write_text(f"[127.0.0.1]:{machine.port} {other.get_name()} {other.get_base64()}\n")
    assert "Host 'k8s' shows another host key than the pinned one" in error_of(machine)


def test_a_key_that_is_refused(machine: Machine, tmp_path: Path) -> None:
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "other"))
    text = error_of(replace(machine, key_file=tmp_path / "other"))
    assert "Host 'k8s' refused the key of user 'root'" in text
    assert shlex.quote(str(tmp_path / "other")) in text


def test_nothing_listens(machine: Machine, server: Server) -> None:
    server.listener.close()
    text = error_of(replace(machine, port=1))
    assert text.startswith("root@127.0.0.1:1: Host 'k8s' cannot be reached by SSH: ")
    assert "Unable to connect to port 1" in text
