"""`mcastlab ssh`: OpenSSH in the place of this process, so that terminal, signals and exit codes are its own."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from provision.core.run import not_started
from provision.hosts.connect import openssh_key, openssh_options, require_key, unpinned
from provision.hosts.machine import Machine


def become_ssh(machine: Machine, command: Sequence[str]) -> NoReturn:
    """Log in to `machine`, or run `command` there as `remote_command` has it; never returns.

    A command gets a terminal where both ends of this one are. Raises HostError or InputError where a key is missing.
    """
    require_key(machine)
    if not machine.known_hosts.exists():
        raise unpinned(machine)
    argv = _argv(machine, command, terminal=sys.stdin.isatty() and sys.stdout.isatty())
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and what is ignored outlives execve(2)
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise not_started(argv, error) from error


def _argv(machine: Machine, command: Sequence[str], *, terminal: bool) -> list[str]:
    options = [*openssh_options(machine), "LogLevel=ERROR"]
    if machine.key_file:
        options.append(openssh_key(machine.key_file))
    argv = ["ssh", "-p", str(machine.port), *(part for option in options for part in ("-o", option))]
    argv += ["-t"] if command and terminal else []
    return [*argv, f"{machine.user}@{machine.address}", *remote_command(machine, command)]


def remote_command(machine: Machine, command: Sequence[str]) -> list[str]:
    """What ssh is to run, as root: one word is a line for a shell, several are a command and its arguments."""
    if not command:
        return []
    if not machine.become:
        return [command[0] if len(command) == 1 else shlex.join(command)]
    words = ["sh", "-c", *command] if len(command) == 1 else command
    return [shlex.join(["sudo", "-n", "--", *words])]
