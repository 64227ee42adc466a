"""Hosts that exist already, by SSH: none is made, all are judged first, and a reset takes back what was put there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from provision.config import Host, HostSsh, Lab
from provision.core.errors import InputError, McastlabError, Problems
from provision.core.paths import StateDir
from provision.core.text import Say
from provision.hosts.machine import Machine
from provision.hosts.remote import Remote
from provision.networks.attacher import known_attacher
from provision.providers.base import MachineStatus

_ANSWER_SECONDS = 20
_MARKER = "/etc/mcastlab/lab"


class SshProvider:
    """Implements the provider contract for the user's own hosts."""

    name = "ssh"
    existing = True
    images = None

    def __init__(self, lab: Lab, state: StateDir) -> None:
        self.state = state

    def preflight(self, lab: Lab) -> list[McastlabError]:
        from provision.providers.ssh.preflight import problems

        return problems(lab, self.machines(lab))

    def up(self, lab: Lab, node_image: str, bundle: Path, report: Say) -> list[Machine]:
        """The machines as they are; raises Problems where one cannot be reached any more."""
        self.state.make()
        machines = self.machines(lab)
        self._each(machines, lambda remote: remote.run(["true"], _ANSWER_SECONDS))
        return machines

    def machines(self, lab: Lab) -> list[Machine]:
        """All hosts: whether one runs, only using it tells."""
        return [self._machine(lab, host) for host in lab.hosts]

    def node_facts(self) -> None:
        """Hosts differ, and the playbooks look at each."""

    def status(self, lab: Lab) -> list[MachineStatus]:
        def ask(machine: Machine) -> MachineStatus:
            try:
                with Remote(machine) as remote:
                    remote.run(["true"], _ANSWER_SECONDS)
            except McastlabError as error:
                return MachineStatus(machine.name, "unreachable", error.problem, machine)
            return MachineStatus(machine.name, "running", machine=machine)

        with ThreadPoolExecutor(len(lab.hosts)) as pool:
            return list(pool.map(ask, self.machines(lab)))

    def left(self, lab: Lab) -> list[str]:
        """None: hosts that lab.yml does not name are not known here, and keep what they have."""
        return []

    def remove(self, lab: Lab, names: Sequence[str]) -> None:
        """Nothing: none has left."""

    def down(self, lab: Lab) -> list[str]:
        """Run the reset playbook on the hosts that this lab has.

        Raises Problems where a host cannot be reached or belongs to another lab: then none is changed.
        """
        from provision.configure import playbook as ansible
        from provision.configure.inventory import inventory

        machines = self.machines(lab)
        holders = self._each(machines, lambda remote: remote.run(["cat", _MARKER], _ANSWER_SECONDS, check=False).stdout)
        others = [(machine, lab_there.strip()) for machine, lab_there in zip(machines, holders, strict=True)]
        if problems := [_of_another(machine, name) for machine, name in others if name not in {"", lab.name}]:
            raise Problems([*problems])
        ours = [machine.name for machine, name in others if name == lab.name]
        if not ours:
            return []
        hosts = inventory(lab, machines, {}, None, known_attacher(lab))
        recap = ansible.play("reset.yml", hosts, self.state, lambda _line: None)
        return [f"lab '{lab.name}' from host '{name}' ({recap.changed[name]} changes)" for name in ours]

    def logs(self, lab: Lab, directory: Path) -> None:
        """Nothing beside what the hosts themselves tell."""

    def _each(self, machines: list[Machine], ask: Callable[[Remote], Any]) -> list[Any]:
        """`ask` of every host at once; raises Problems with one error for each host that fails."""

        def answer(machine: Machine) -> Any:
            try:
                with Remote(machine) as remote:
                    return ask(remote)
            except McastlabError as error:
                return error

        with ThreadPoolExecutor(len(machines)) as pool:
            answers = list(pool.map(answer, machines))
        if problems := [found for found in answers if isinstance(found, McastlabError)]:
            raise Problems(problems)
        return answers

    def _machine(self, lab: Lab, host: Host) -> Machine:
        own, shared = host.ssh or HostSsh(), lab.ssh
        user, key = own.user or shared.user, own.key or shared.key
        become = shared.become if own.become is None else own.become
        return Machine(
            name=host.name,
            role=host.role,
            address=own.address or str(host.address),
            port=own.port or shared.port,
            user=user,
            key_file=self._path(key) if key else None,
            known_hosts=self._path(shared.known_hosts),
            become=user != "root" if become is None else become,
            existing=True,
        )

    def _path(self, name: str) -> Path:
        """A path in lab.yml, from that file's folder on."""
        return self.state.path.parent.parent / Path(name).expanduser()


def _of_another(machine: Machine, holder: str) -> InputError:
    return InputError(
        f"Host '{machine.name}' is a host of lab '{holder}', not of this one",
        where=f"{machine.user}@{machine.address}:{machine.port}",
        remedy="Run `mcastlab down --lab FILE` with that lab's file, or take the host out of this one",
    )


def make(lab: Lab, directory: StateDir) -> SshProvider:
    """The provider of lab.yml's `provider: ssh`."""
    return SshProvider(lab, directory)
