"""The one door for commands on this machine: argv lists, a time limit, and errors ready to paste."""

from __future__ import annotations

import os
import pwd
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provision.core.errors import CommandError
from provision.core.interrupts import deferred
from provision.core.packages import find, lacking
from provision.core.text import Say

_SUDO = ["sudo", "-n"]
_SUDO_SECONDS = 20.0
_TAIL_LINES = 25
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Completed:
    """A command that ended: its argv, exit code, output (text, UTF-8 with replacement) and duration in seconds."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float


def as_root(argv: Sequence[str]) -> list[str]:
    """`argv` so that it runs as root: as it is for root, through `sudo -n` for anyone else."""
    return list(argv) if os.geteuid() == 0 else [*_SUDO, *argv]


def never_root() -> CommandError | None:
    """Why nothing runs as root here; None for root, and for a user whom sudo asks for no password."""
    if os.geteuid() == 0:
        return None
    try:
        if _execute([*_SUDO, "true"], timeout=_SUDO_SECONDS).returncode == 0:
            return None
    except CommandError as error:  # there is no sudo
        return error
    return _neither()


def _neither() -> CommandError:
    user = pwd.getpwuid(os.geteuid()).pw_name
    return CommandError(
        "Neither root nor passwordless sudo: hosts with network interfaces of their own need root",
        remedy=f"Run it as root, or as root `echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/mcastlab`",
    )


def pasteable(argv: Sequence[str]) -> str:
    """`argv` quoted so that it can be pasted into a shell."""
    return shlex.join(argv)


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
    on_line: Say | None = None,
) -> Completed:
    """Run `argv` and return when it has ended, or raise CommandError.

    `timeout` is in seconds; the command's whole process group is ended when it passes or when this process is
    interrupted. `env` is added to the environment. `on_line` gets each line of standard output as it comes.
    With `check`, an exit code other than 0 is an error that carries the command and the end of its output. That sudo
    lets nothing run is an error without it as well: no command has answered.
    """
    done = _execute(argv, timeout=timeout, stdin=stdin, env=env, cwd=cwd, on_line=on_line)
    if done.returncode != 0 and done.stderr.startswith("sudo: ") and (refused := never_root()):
        raise refused
    if check and done.returncode != 0:
        raise _failed(done, f"Command '{argv[0]}' failed with exit code {done.returncode}")
    return done


def _execute(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_line: Say | None = None,
) -> Completed:
    """As `run`, whatever the exit code."""
    started = time.monotonic()
    process: subprocess.Popen[bytes] | None = None
    try:
        with deferred():
            process = _start(argv, {**os.environ, **(env or {})}, cwd)
        stdout, stderr, timed_out = _collect(process, stdin, timeout, on_line)
    except BaseException:  # an interrupt: nothing that was started may outlive this process
        if process:
            end_group(process)
        raise
    done = Completed(tuple(argv), process.returncode, stdout, stderr, time.monotonic() - started)
    if timed_out:
        raise _failed(done, f"Command '{argv[0]}' did not end within {timeout:.0f} s")
    return done


def _start(argv: Sequence[str], environment: Mapping[str, str], cwd: Path | None) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            list(argv), stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd=cwd, start_new_session=True
        )
    except OSError as error:
        if argv[0] == _SUDO[0]:
            raise _neither() from error
        raise not_started(argv, error) from error


def not_started(argv: Sequence[str], error: OSError) -> CommandError:
    """Why the system did not start `argv`: mostly because the command is not here."""
    if isinstance(error, FileNotFoundError) and find(argv[0]) is None:
        return lacking([argv[0]], where=pasteable(argv))
    return CommandError(
        f"Command '{argv[0]}' cannot be run: {error.strerror}",
        where=pasteable(argv),
        remedy="Check that this user may run it, and that the folder is there in which it is to run",
    )


def _collect(
    process: subprocess.Popen[bytes], stdin: str, timeout: float, on_line: Say | None
) -> tuple[str, str, bool]:
    """Feed and drain `process`; return its output and whether the time limit ended it."""
    out: list[str] = []
    err: list[str] = []
    readers = [
        threading.Thread(target=_drain, args=(process.stdout, out, on_line), daemon=True),
        threading.Thread(target=_drain, args=(process.stderr, err, None), daemon=True),
        threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True),
    ]
    for reader in readers:
        reader.start()
    timed_out = False
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        end_group(process)
    for reader in readers:
        reader.join(_GRACE_SECONDS)
    return "".join(out), "".join(err), timed_out


def _drain(stream: object, lines: list[str], on_line: Say | None) -> None:
    for raw in stream:  # type: ignore[attr-defined]
        line = raw.decode(errors="replace")
        lines.append(line)
        if on_line:
            on_line(line.rstrip("\n"))


def _feed(stream: object, text: str) -> None:
    try:
        stream.write(text.encode())  # type: ignore[attr-defined]
        stream.close()  # type: ignore[attr-defined]
    except BrokenPipeError:
        return  # the command ended without reading its input; its exit code tells the rest


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process group that `process` leads: TERM, which sudo hands on, then KILL after a grace of 5 s."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if number == signal.SIGKILL and process.args[: len(_SUDO)] == _SUDO:  # type: ignore[index]
            # KILL would end sudo alone: what it started is root's.
            with suppress(subprocess.TimeoutExpired):
                kill = [*_SUDO, "kill", "-KILL", "--", f"-{process.pid}"]
                subprocess.run(kill, capture_output=True, check=False, timeout=_SUDO_SECONDS)
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(_GRACE_SECONDS)
            return
        except subprocess.TimeoutExpired:
            continue


def _failed(done: Completed, problem: str) -> CommandError:
    output = (done.stderr.rstrip() or done.stdout.rstrip()).splitlines()
    return CommandError(problem, where=pasteable(done.argv), detail="\n".join(output[-_TAIL_LINES:]))
