"""What one command on one lab knows: where the lab stands, and what the stages of `up` have filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from provision.config import Lab
from provision.core.errors import HostError, InputError
from provision.core.paths import StateDir
from provision.core.progress import Progress
from provision.core.text import named
from provision.hosts.machine import Machine
from provision.providers.base import Provider

if TYPE_CHECKING:
    from provision.artifacts import Bundle
    from provision.checks.result import Result
    from provision.networks.attacher import Attacher
    from provision.pipeline.early import EarlyChecks

T = TypeVar("T")


class Filled(Generic[T]):
    """A part of `Run` that is filled in on the way; to ask for it before is a mistake in the order of the stages."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, run: Run, _owner: type) -> T:
        try:
            found: T = vars(run)[self._name]
        except KeyError:
            raise AssertionError(f"'{self._name}' was asked for before any stage had made it") from None
        return found

    def __set__(self, run: Run, value: T) -> None:
        vars(run)[self._name] = value


@dataclass(frozen=True)
class Done:
    """What a stage did, in one line; `changed`: not all is as it was, so that checks which have begun prove nothing."""

    summary: str
    changed: bool = False


class Run:
    """One run; nothing of it outlives the command.

    The command sets `attacher`, the stages the rest: artifacts `bundle`, machines `machines`, configure `early`, checks
    `results`.
    """

    attacher: Filled[Attacher] = Filled()
    bundle: Filled[Bundle] = Filled()

    def __init__(self, lab: Lab, directory: StateDir, provider: Provider, progress: Progress) -> None:
        self.lab = lab
        self.directory = directory
        self.provider = provider
        self.progress = progress
        self.machines: Sequence[Machine] = ()
        self.results: Sequence[Result] = ()
        self.early: EarlyChecks | None = None

    def withdraw_early(self) -> None:
        """Stop the checks that have begun, if there are any: they are run anew in their stage."""
        if self.early:
            self.early.withdraw()
            self.early = None

    def find(self) -> None:
        """Find the machines of a lab that is up again; raises HostError, naming what does not run, when it is not."""
        self.machines = self.provider.machines(self.lab)
        missing = sorted({host.name for host in self.lab.hosts} - {machine.name for machine in self.machines})
        if missing or not self.directory.kubeconfig.exists():
            raise HostError(
                f"Lab '{self.lab.name}' is not up" + (f": no running host {', '.join(missing)}" if missing else ""),
                remedy="Run `mcastlab up`",
            )

    def machine(self, name: str) -> Machine:
        """The running machine `name`; raises InputError, naming those that there are."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        names = named(machine.name for machine in self.machines) or "none"
        raise InputError(
            f"Host '{name}' is not running", remedy=f"Name one that runs: {names}; `mcastlab up` starts all"
        )
