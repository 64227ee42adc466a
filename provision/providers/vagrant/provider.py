"""Virtual machines or containers by Vagrant as hosts: the Vagrantfile of this checkout, driven by python-vagrant."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from provision import config
from provision.config import Lab
from provision.core.errors import McastlabError
from provision.core.files import write_whole
from provision.core.hints import hinted
from provision.core.paths import StateDir
from provision.core.text import Say
from provision.hosts.facts import VIRTUAL, NodeFacts
from provision.hosts.machine import Machine
from provision.providers.base import MachineStatus
from provision.providers.podman.cli import Podman
from provision.providers.podman.provider import PodmanProvider
from provision.providers.vagrant import choice, endpoints, made
from provision.providers.vagrant.door import VagrantDoor
from provision.providers.vagrant.endpoints import Endpoint
from provision.providers.vagrant.engine import podmans_socket, users_docker
from provision.providers.vagrant.networks import make_networks, remove_leftovers


class VagrantProvider:
    """Implements the provider contract; which machines there are, Vagrant says."""

    name = "vagrant"
    existing = False

    def __init__(self, lab: Lab, state: StateDir) -> None:
        self.state = state
        self.lab = lab
        self.podman = self.images = Podman()

    @cached_property
    def choice(self) -> choice.EngineChoice:
        """Vagrant's own provider: the one that the lab's machines are of, else the one chosen now."""
        for kind in ("virtualbox", "libvirt", "docker"):
            if any((self._folder / "machines").glob(f"*/{kind}/id")):
                return choice.EngineChoice(kind, "the lab's machines are of it")
        return choice.choose_engine(self.lab)

    def preflight(self, lab: Lab) -> list[McastlabError]:
        from provision.providers.vagrant.preflight import problems

        return problems(lab, lambda: self.choice.name)

    def up(self, lab: Lab, node_image: str, bundle: Path, report: Say) -> list[Machine]:
        """Raises CommandError with what Vagrant or its provider said, verbatim."""
        report(f"Vagrant's provider: {self.choice.name} ({self.choice.reason})")
        made.write(lab, self.state, node_image, bundle)
        with self._environment(report) as environment:
            with hinted():
                VagrantDoor(environment, report).up(no_provision=True, provider=self.choice.name)
            endpoints.settle_lan(lab, self.choice.name)
            found = self._found(lab, environment, VagrantDoor(environment).states())
        endpoints.pin(self.state, found)
        return found

    def machines(self, lab: Lab) -> list[Machine]:
        return [row.machine for row in self.status(lab) if row.machine]

    def status(self, lab: Lab) -> list[MachineStatus]:
        if not self._any:
            return [MachineStatus(host.name, "absent") for host in lab.hosts]
        with self._environment() as environment:
            states = VagrantDoor(environment).states()
            found = self._found(lab, environment, states)
        endpoints.pin(self.state, found)  # ports differ from start to start
        machines = {machine.name: machine for machine in found}
        return [
            MachineStatus(host.name, _state(states, host.name), self.choice.name, machines.get(host.name))
            for host in lab.hosts
        ]

    def left(self, lab: Lab) -> list[str]:
        """None: Vagrant removes only machines that its Vagrantfile, and with it lab.yml, has."""
        return []

    def remove(self, lab: Lab, names: Sequence[str]) -> None:
        """Nothing: none has left."""

    def down(self, lab: Lab) -> list[str]:
        removed = []
        if self._any:
            with self._environment() as environment:
                door = VagrantDoor(environment)
                states = door.states()
                door.destroy()
            there = [host.name for host in lab.hosts if _state(states, host.name) != "absent"]
            removed = [f"machine {name} ({self.choice.name})" for name in there]
        removed += remove_leftovers(self.podman, lab)
        if self._folder.name == ".vagrant":
            shutil.rmtree(self._folder, ignore_errors=True)
        return removed

    def logs(self, lab: Lab, directory: Path) -> None:
        """Vagrant keeps no console; what it says of its machines is written."""
        rows = [f"{row.name}: {row.state} {row.detail}\n" for row in self.status(lab)]
        write_whole(directory / "vagrant-status.txt", "".join(rows))

    def node_facts(self) -> NodeFacts:
        """What the roles must know of the hosts' kernel."""
        if self.choice.name != "docker":
            return VIRTUAL
        return PodmanProvider(self.lab, self.state, self.podman).node_facts()  # the same kernel, the same image

    @cached_property
    def _folder(self) -> Path:
        """Where Vagrant keeps its machines' ids: beside a Vagrantfile where `vagrant up` has them as well."""
        own = self.state.path.parents[1]
        if (own / "Vagrantfile").exists() and config.load(own / "lab.yml").name == self.lab.name:
            return own / ".vagrant"
        return self.state.path / "vagrant"

    @property
    def _any(self) -> bool:
        """Whether Vagrant ever made a machine here: asking it would take seconds."""
        return any((self._folder / "machines").glob("*/*/id"))

    @contextmanager
    def _environment(self, report: Say = lambda _line: None) -> Iterator[Mapping[str, str]]:
        """The environment in which Vagrant finds this lab, and its containers' engine."""
        if not made.lab_file(self.state).exists():
            self.state.make()
            write_whole(made.lab_file(self.state), self.lab.model_dump_json(indent=2) + "\n")
        own = {
            "MCASTLAB_LAB": str(made.lab_file(self.state)),
            "MCASTLAB_STATE": str(self.state.path),
            "VAGRANT_DOTFILE_PATH": str(self._folder),
            "VAGRANT_DEFAULT_PROVIDER": self.choice.name,
        }
        if self.choice.name != "docker" or users_docker():
            yield own
            return
        make_networks(self.podman, self.lab)
        with podmans_socket(self.podman, report) as environment:
            yield {**own, **environment}

    def _found(self, lab: Lab, environment: Mapping[str, str], states: Mapping[str, str]) -> list[Machine]:
        door, node = VagrantDoor(environment), lab.control_plane.name
        running = [name for name, state in states.items() if state == VagrantDoor.RUNNING]
        places = {name: Endpoint(address, port) for name, (address, port) in door.endpoints(running).items()}
        if node in places:
            places[node] = dataclasses.replace(places[node], api_port=door.api_port(node, self.choice.name))
        return endpoints.machines(lab, self.state, places)


def _state(states: Mapping[str, str], name: str) -> str:
    """A machine's state in Vagrant's words, but for one that was never made."""
    found = states.get(name, VagrantDoor.NOT_CREATED)
    return "absent" if found == VagrantDoor.NOT_CREATED else found


def make(lab: Lab, directory: StateDir) -> VagrantProvider:
    """The provider of lab.yml's `provider: vagrant`."""
    return VagrantProvider(lab, directory)
