"""Ways into a lab: a shell or a command on one of its hosts, and the kubeconfig of its cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from provision.core.errors import HostError, InputError
from provision.hosts.login import become_ssh
from provision.pipeline.run import Run


def ssh(run: Run, host: str, command: Sequence[str]) -> NoReturn:
    """Become `ssh` to a host of the lab, whose exit code is then the command's."""
    if host not in (names := [entry.name for entry in run.lab.hosts]):
        raise InputError(f"The lab has no host '{host}'", remedy=f"Name one of its hosts: {', '.join(names)}")
    run.machines = run.provider.machines(run.lab)
    become_ssh(run.machine(host), command)


def kubeconfig(run: Run) -> str:
    """The path of the lab's kubeconfig; raises HostError when there is none yet."""
    path = run.directory.kubeconfig
    if not path.exists():
        raise HostError("There is no kubeconfig yet", where=str(path), remedy="Run `mcastlab up`")
    return str(path)
