"""Whether the user's hosts can be a lab's: every host is asked once, and everything that is wrong is told at once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from provision.config import Lab
from provision.core.errors import HostError, McastlabError
from provision.core.paths import ROOT
from provision.hosts.connect import endpoint
from provision.hosts.machine import Machine
from provision.hosts.remote import Remote
from provision.providers import programs
from provision.providers.ssh.judge import faults

_PROBE = ROOT / "agents" / "hostprobe" / "hostprobe.py"
_CLAIM = ROOT / "plugins" / "module_utils" / "host_holder.py"
_PROBE_SECONDS = 90
_SUDO_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """What a host said of itself, or why it did not."""

    machine: Machine
    facts: dict[str, Any] | None
    problems: tuple[McastlabError, ...] = ()


def problems(lab: Lab, machines: Sequence[Machine]) -> list[McastlabError]:
    """Every reason why these machines could not be the hosts of `lab`; nothing is changed on them."""
    with ThreadPoolExecutor(len(machines)) as pool:
        answers = list(pool.map(lambda machine: _ask(lab, machine), machines))
    found: list[McastlabError] = [problem for answer in answers for problem in answer.problems]
    for answer in answers:
        if answer.facts is not None:
            found += faults(lab, lab.host(answer.machine.name), answer.facts, endpoint(answer.machine))
    return [*found, *_one_machine_twice(answers)]


def _ask(lab: Lab, machine: Machine) -> Answer:
    try:
        with Remote(replace(machine, become=False)) as remote:
            if refused := list(_sudo(remote, machine)):
                return Answer(machine, None, tuple(refused))
        with Remote(machine) as remote:
            pods = "yes" if lab.host(machine.name).carries_pods else "no"
            given = [_CLAIM.read_text(), lab.name, pods, programs.SOURCE.read_text()]
            done = remote.run(["python3", "-I", "-S", "-c", _PROBE.read_text(), *given], _PROBE_SECONDS)
            return Answer(machine, json.loads(done.stdout))
    except McastlabError as error:
        return Answer(machine, None, (error,))


def _sudo(remote: Remote, machine: Machine) -> Iterable[McastlabError]:
    """Whether commands can be root's, and whether there is the Python that everything else needs."""
    argv = ["sudo", "-n", "true"] if machine.become else ["sh", "-c", 'test "$(id -u)" = 0']
    done = remote.run(argv, _SUDO_SECONDS, check=False)
    if done.returncode == 127 and "python3" in done.stderr:
        yield HostError(
            f"Host '{machine.name}' has no Python 3",
            where=endpoint(machine),
            remedy="Run there: `apt-get install python3`",
        )
    elif done.returncode != 0 and machine.become:
        yield HostError(
            f"Host '{machine.name}' does not let user '{machine.user}' use sudo without a password",
            where=endpoint(machine),
            detail=done.stderr.strip(),
            remedy="Run there as root:"
            f" `echo '{machine.user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{machine.user}`",
        )
    elif done.returncode != 0:
        yield HostError(
            f"User '{machine.user}' of host '{machine.name}' is not root",
            where=endpoint(machine),
            remedy="Set `become: true` for it, or take another user",
        )


def _one_machine_twice(answers: Sequence[Answer]) -> Iterable[McastlabError]:
    names = defaultdict(list)
    for answer in answers:
        if answer.facts and answer.facts["machine_id"]:
            names[answer.facts["machine_id"]].append(answer.machine)
    for machines in names.values():
        if len(machines) > 1:
            yield HostError(
                f"Hosts {' and '.join(repr(machine.name) for machine in machines)} are one machine: they have the same"
                " /etc/machine-id",
                where=", ".join(endpoint(machine) for machine in machines),
                remedy="Give each host its own; for clones, systemd-machine-id-setup after emptying that file",
            )
