"""Machines that somebody else made and keeps: `vagrant up`, which hands over their SSH endpoints."""

from __future__ import annotations

from pathlib import Path

from provision.config import Lab
from provision.core.errors import McastlabError
from provision.core.paths import StateDir
from provision.core.text import Say
from provision.hosts.machine import Machine
from provision.providers.vagrant import endpoints
from provision.providers.vagrant.choice import EngineChoice
from provision.providers.vagrant.provider import VagrantProvider


class GivenMachines(VagrantProvider):
    """As Vagrant's provider, but `up` finds all done: it is Vagrant that runs this, and is not asked again."""

    def __init__(self, lab: Lab, state: StateDir, file: Path) -> None:
        """`file` is what the provisioner of the Vagrantfile wrote."""
        super().__init__(lab, state)
        kind, self._places = endpoints.read(file)
        self.choice = EngineChoice(kind, "`vagrant up` took it")

    def preflight(self, lab: Lab) -> list[McastlabError]:
        return []

    def up(self, lab: Lab, node_image: str, bundle: Path, report: Say) -> list[Machine]:
        endpoints.settle_lan(lab, self.choice.name)
        found = self.machines(lab)
        endpoints.pin(self.state, found)
        return found

    def machines(self, lab: Lab) -> list[Machine]:
        return endpoints.machines(lab, self.state, self._places)

    def logs(self, lab: Lab, directory: Path) -> None:
        """Vagrant shows its own output while it runs."""
