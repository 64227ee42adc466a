"""Where commands of a check run: on a host or in a pod, with the interface that faces the multicast LAN."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from provision.cluster.pods import Pods
from provision.core.errors import HostError
from provision.core.run import Completed
from provision.hosts.interface import Snapshot, parse_snapshot, snapshot_argv
from provision.hosts.process import Process
from provision.hosts.remote import Remote

_COMMAND_SECONDS = 15.0


class Place(Protocol):
    """A network namespace in which commands can be run."""

    @property
    def label(self) -> str:
        """Its name for messages, as in "pod 'default/receiver'"."""
        ...

    @property
    def interface(self) -> str: ...

    def run(self, argv: Sequence[str], timeout: float, check: bool = True) -> Completed: ...


@dataclass(frozen=True)
class HostPlace:
    remote: Remote
    interface: str

    @property
    def label(self) -> str:
        return f"host '{self.remote.machine.name}'"

    def run(self, argv: Sequence[str], timeout: float, check: bool = True) -> Completed:
        return self.remote.run(argv, timeout, check)


@dataclass(frozen=True)
class PodPlace:
    """`node` is where the pod was put, empty where that was left open or is always the same."""

    pods: Pods
    namespace: str
    name: str
    interface: str
    node: str = ""

    @property
    def label(self) -> str:
        return f"pod '{self.namespace}/{self.name}'" + (f" on node '{self.node}'" if self.node else "")

    def run(self, argv: Sequence[str], timeout: float, check: bool = True) -> Completed:
        return self.pods.exec(self.namespace, self.name, argv, timeout, check)


def snapshot(place: Place) -> Snapshot:
    """The counters of the place's interface and its memberships now; raises HostError when it has no such interface."""
    done = place.run(snapshot_argv(place.interface), _COMMAND_SECONDS, check=False)
    try:
        return parse_snapshot(done.stdout)
    except ValueError as error:
        raise HostError(
            f"Interface '{place.interface}' of {place.label} cannot be read",
            detail=done.stderr or done.stdout,
            remedy="See the pod's events and `mcastlab logs DIR`: likely the attacher gave it no such interface",
        ) from error


def address(place: Place) -> str:
    """The IPv4 address of the place's interface; raises HostError when it has none."""
    argv = ["ip", "-json", "-4", "address", "show", "dev", place.interface]
    done = place.run(argv, _COMMAND_SECONDS, check=False)
    links = json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []
    for link in links:
        for entry in link.get("addr_info", []):
            return str(entry["local"])
    raise HostError(
        f"Interface '{place.interface}' of {place.label} has no IPv4 address",
        detail=done.stderr,
        remedy="Give it one; of a pod the network's IPAM does",
    )


class Receiver(Protocol):
    """A running receiver: where it is, what it has printed, and whether it still runs."""

    @property
    def place(self) -> Place: ...

    def output(self) -> str: ...

    def running(self) -> bool: ...


@dataclass(frozen=True)
class HostReceiver:
    place: Place
    process: Process

    def output(self) -> str:
        return self.process.stdout + self.process.stderr

    def running(self) -> bool:
        return self.process.running


@dataclass(frozen=True)
class PodReceiver:
    """A receiver that is the only process of its pod, as in the seed."""

    place: PodPlace

    def output(self) -> str:
        return self.place.pods.logs(self.place.namespace, self.place.name)

    def running(self) -> bool:
        return self.place.pods.running(self.place.namespace, self.place.name)
