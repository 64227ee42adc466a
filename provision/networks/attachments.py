"""What a node is asked of its pods' attachments: whether they are whole, and to keep addresses as networks change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from provision.core.errors import HostError
from provision.core.paths import CTR
from provision.hosts.remote import Remote

_PROGRAM = "/usr/local/lib/mcastlab/attachments"  # role netattach, vars: netattach_reconciler
_SECONDS = 60.0


@dataclass(frozen=True)
class BrokenPod:
    """A pod, as NAMESPACE/NAME, that lacks what it asked for; `faults` are sentences without their ends."""

    name: str
    faults: tuple[str, ...]

    def __str__(self) -> str:
        return f"Pod '{self.name}': {'; '.join(self.faults)}"


@dataclass(frozen=True)
class Attachments:
    """The pods of a node that asked for networks: those that have them, by name, and those that lack something."""

    whole: tuple[str, ...]
    broken: tuple[BrokenPod, ...]


def look_everywhere(nodes: Sequence[Remote]) -> Attachments:
    """The same of several nodes at once, as one; raises HostError where nobody can look on one of them."""
    with ThreadPoolExecutor(len(nodes)) as looking:
        found = list(looking.map(look, nodes))
    whole = (pod for one in found for pod in one.whole)
    return Attachments(tuple(whole), tuple(pod for one in found for pod in one.broken))


def look(node: Remote) -> Attachments:
    """Look into the network namespaces of all pods that asked for networks; raises HostError where nobody can."""
    done = node.run(["python3", "-IS", _PROGRAM, "whole", "--", *CTR], _SECONDS, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise HostError(
            f"Host '{node.machine.name}' does not tell whether its pods' interfaces are there: {said}",
            remedy="Run `mcastlab up`, which installs what looks",
        )
    found = json.loads(done.stdout)
    broken = tuple(BrokenPod(one["pod"], tuple(one["faults"])) for one in found["broken"])
    return Attachments(tuple(found["whole"]), broken)


def give_to_host_local(node: Remote) -> None:
    """Have host-local hold the addresses that whereabouts gave to pods of a node, whose networks change to it."""
    node.run(["python3", "-IS", _PROGRAM, "reserve", "--to-host-local"], _SECONDS)
