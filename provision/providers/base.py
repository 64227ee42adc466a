"""The provider contract: machines in, SSH endpoints out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from provision.artifacts import Images
from provision.config import Lab
from provision.core.errors import McastlabError
from provision.core.text import Say
from provision.hosts.facts import NodeFacts
from provision.hosts.machine import Machine


@dataclass(frozen=True)
class MachineStatus:
    """What a provider knows of one host, running or not; `state` is in the provider's own words.

    `machine` is where it answers, or where it would; None where nobody can say."""

    name: str
    state: str
    detail: str = ""
    machine: Machine | None = None


class Provider(Protocol):
    """Makes, finds and removes the machines of one lab; every method can be repeated.

    `existing`: the hosts are the user's, were there before and stay. Then preflight judges the hosts themselves, the
    bundle is copied to them, the playbooks look at each one's kernel, and `down` asks first.
    """

    name: str
    existing: bool

    @property
    def images(self) -> Images | None:
        """Where the image is kept that hosts are made of; None where they are made of none."""
        ...

    def preflight(self, lab: Lab) -> list[McastlabError]:
        """Every reason why `up` could not work here, without changing anything."""
        ...

    def up(self, lab: Lab, node_image: str, bundle: Path, report: Say) -> list[Machine]:
        """Make or start what is missing and return all machines, reachable by SSH."""
        ...

    def machines(self, lab: Lab) -> list[Machine]:
        """The machines that run now."""
        ...

    def node_facts(self) -> NodeFacts | None:
        """What the roles must know of the hosts' kernel.

        None for hosts that are not all alike: the playbooks then look at each.
        """
        ...

    def status(self, lab: Lab) -> list[MachineStatus]:
        """Every host of the lab, with the state it is in."""
        ...

    def left(self, lab: Lab) -> list[str]:
        """The names of hosts that `up` made and lab.yml no longer has."""
        ...

    def remove(self, lab: Lab, names: Sequence[str]) -> None:
        """Remove hosts that `left` named."""
        ...

    def down(self, lab: Lab) -> list[str]:
        """Remove all that `up` made and return the names of what was removed."""
        ...

    def logs(self, lab: Lab, directory: Path) -> None:
        """Write what the provider knows about a failed run into `directory`."""
        ...
