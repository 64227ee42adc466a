"""What the stages of one run hand to each other; nothing of it outlives the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from provision.config import Lab
from provision.core.errors import HostError, InputError
from provision.core.paths import StateDir
from provision.core.progress import Progress
from provision.hosts.machine import Machine
from provision.providers.base import Provider

if TYPE_CHECKING:
    from provision.artifacts import Bundle
    from provision.checks.result import Result
    from provision.networks.attacher import Attacher


class Begun(Protocol):
    """Checks that were begun beside the stages before them."""

    def results(self) -> list[Result]:
        """What they found."""
        ...

    def withdraw(self) -> None:
        """Stop them: something has changed meanwhile."""
        ...


@dataclass
class RunState:
    """Filled stage by stage: artifacts sets `bundle`, machines `machines`, configure `early`, checks `results`.

    The attacher is set once, by the command, before anything asks for it.
    """

    directory: StateDir
    provider: Provider
    progress: Progress
    attacher: Attacher = field(init=False)
    bundle: Bundle | None = None
    machines: list[Machine] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    early: Begun | None = None

    def withdraw_early(self) -> None:
        """Have the checks run anew, after whatever was changed, if they have begun already."""
        if self.early:
            self.early.withdraw()
            self.early = None

    def find(self, lab: Lab) -> None:
        """Find the machines of a lab that is up again; raises HostError, naming what does not run, when it is not."""
        self.machines = self.provider.machines(lab)
        missing = sorted({host.name for host in lab.hosts} - {machine.name for machine in self.machines})
        if missing or not self.directory.kubeconfig.exists():
            raise HostError(
                f"Lab '{lab.name}' is not up" + (f": no running host {', '.join(missing)}" if missing else ""),
                remedy="Run `mcastlab up`",
            )

    def machine(self, name: str) -> Machine:
        """The running machine `name`; raises InputError, naming those that there are."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        names = ", ".join(f"'{machine.name}'" for machine in self.machines) or "none"
        raise InputError(f"Host '{name}' is not running", remedy=f"Hosts that run: {names}; `mcastlab up` starts all")


def make_provider(lab: Lab, directory: StateDir) -> Provider:
    """The provider that lab.yml or the command line names."""
    if lab.provider == "ssh":
        from provision.providers.ssh.provider import SshProvider

        return SshProvider(lab, directory)
    if lab.provider == "vagrant":
        from provision.providers.vagrant.provider import VagrantProvider

        return VagrantProvider(lab, directory)
    from provision.providers.podman.provider import PodmanProvider

    return PodmanProvider(lab, directory)
