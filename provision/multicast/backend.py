"""What a backend of the namespace switch is: how it is recognised, what it reads, and when it is in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from provision.cluster.api import Kube, Object
from provision.cluster.workloads import Workload
from provision.core.typed import Typed
from provision.core.wait import Deadline
from provision.multicast.annotations import Edit, Mark


@dataclass(frozen=True)
class Enforcement:
    """Whether the switch is in force for a namespace: on, off, pending or requested; `detail` says how it is known."""

    state: str
    detail: str

    def __str__(self) -> str:
        return self.detail if self.state == "requested" else f"{self.state}: {self.detail}"

    def told(self, typed: Typed) -> Enforcement:
        """With the command that it suggests ready to paste."""
        return Enforcement(self.state, typed.completed(self.detail))


def requested(namespace: str) -> Enforcement:
    """What can be said where the API does not show what nodes do."""
    proof = f"`mcastlab check --namespace {namespace}`"
    return Enforcement("requested", f"requested, not provable from the API: {proof} proves it")


class Backend(Protocol):
    """One way in which clusters switch multicast by namespace."""

    @property
    def name(self) -> str: ...

    @property
    def network_type(self) -> str:
        """As Network.config.openshift.io names it."""
        ...

    @property
    def workload(self) -> str:
        """What runs on every node, as in "DaemonSet multicast-policy"."""
        ...

    @property
    def remedy(self) -> str:
        """What to do when a setting is in the way."""
        ...

    def components(self, present: Sequence[Workload]) -> list[Workload]:
        """Those of all workloads that are this backend's agents on nodes."""
        ...

    def settings(self, kube: Kube, present: Sequence[Workload]) -> tuple[tuple[str, ...], str]:
        """(sentences on global settings, what keeps multicast from working at all or an empty string)."""
        ...

    def marks(self, kube: Kube, namespace: Object) -> tuple[Mark, ...]:
        """The annotations that it reads for a Namespace object of the API."""
        ...

    def edits(self, kube: Kube, namespace: Object, *, on: bool) -> list[Edit]:
        """What to write to switch a namespace; raises HostError where an object that is needed is missing."""
        ...

    def force(self, kube: Kube, names: Sequence[str]) -> list[Enforcement]:
        """Whether it is in force for each namespace of `names`, as it is now."""
        ...

    def wait(self, kube: Kube, names: Sequence[str], deadline: Deadline, *, on: bool) -> list[Enforcement]:
        """Wait until the switch is in force for all `names`; raises WaitError that names what has not followed."""
        ...
