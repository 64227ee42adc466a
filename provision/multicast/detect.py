"""What a cluster is: its backend, by its networkType and the components that run, never by the presence of a CRD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from provision.cluster.api import Kube, KubeError, Object
from provision.cluster.workloads import Workload, workloads
from provision.core.errors import HostError
from provision.core.wait import Deadline, NotYet, until
from provision.multicast.backend import Backend
from provision.multicast.backends import lab, openshift_sdn, ovn_kubernetes

NETWORK = "/apis/config.openshift.io/v1/networks/cluster"
BACKENDS: tuple[Backend, ...] = (lab.BACKEND, ovn_kubernetes.BACKEND, openshift_sdn.BACKEND)
NONE = "none"
_AGENT_SECONDS = 120.0


@dataclass(frozen=True)
class Detection:
    """The backend of a cluster, None where it has none that is known; `why` is a sentence without its full stop.

    `network_type` is Network.config.openshift.io's, empty without such an object. `facts` are further sentences.
    `obstacle` says what keeps the backend from doing multicast at all, empty where nothing does.
    """

    backend: Backend | None
    network_type: str
    why: str
    facts: tuple[str, ...] = ()
    obstacle: str = ""

    @property
    def name(self) -> str:
        return self.backend.name if self.backend else NONE

    def needed(self) -> Backend:
        """The backend; raises HostError where there is none, or where the annotation would be without effect."""
        backend = self.known()
        if self.obstacle:
            raise HostError(f"The annotation would be without effect: {self.obstacle}", remedy=backend.remedy)
        return backend

    def known(self) -> Backend:
        """The backend; raises HostError where there is none."""
        if self.backend is None:
            known = ", ".join(f"{item.name} (networkType {item.network_type})" for item in BACKENDS)
            raise HostError(
                f"This cluster has no multicast by namespace that mcastlab knows: {self.why}",
                remedy=f"Use a cluster with one that is known, {known}, or second interfaces (macvlan)",
            )
        return self.backend


def detect(kube: Kube) -> Detection:
    """Ask the API server; raises KubeError where it does not answer or does not allow it."""
    network_type = _network_type(kube)
    present = workloads(kube)
    components = {item.name: item.components(present) for item in BACKENDS}
    backend, why = choose_backend(network_type, components)
    if backend is None and network_type == lab.BACKEND.network_type and components[lab.BACKEND.name]:
        # An agent that says why it cannot work is not ready, and yet is no riddle.
        backend = lab.BACKEND if lab.refusals(lab.statuses(kube)) else None
    if backend is None:
        return Detection(None, network_type, why)
    facts, obstacle = backend.settings(kube, present)
    return Detection(backend, network_type, why, facts, obstacle)


def wait_until_detected(kube: Kube) -> Detection:
    """What a lab is once its agents run and have said whether they can work; raises WaitError.

    It may have been made a moment ago.
    """

    def probe() -> Detection | NotYet:
        found = detect(kube)
        if found.backend is None:
            return NotYet(found.why)
        silent = lab.silent(kube) if found.backend is lab.BACKEND and not found.obstacle else []
        return NotYet("; ".join(silent)) if silent else found

    return until("the lab's multicast policy to run", probe, Deadline.after(_AGENT_SECONDS), interval=0.5)


def choose_backend(network_type: str, components: Mapping[str, Sequence[Workload]]) -> tuple[Backend | None, str]:
    """The backend that networkType names, if it runs; without a networkType, the only one that runs."""
    running = {name: [item for item in found if item.ready] for name, found in components.items()}
    if network_type:
        named = next((item for item in BACKENDS if item.network_type.lower() == network_type.lower()), None)
        if named is None:
            return None, f"its networkType is '{network_type}'"
        if running[named.name]:
            return named, f"networkType is '{network_type}', and {_listed(running[named.name])}"
        stopped = components[named.name]
        state = f"{_listed(stopped)}" if stopped else f"there is no {named.workload}"
        return None, f"its networkType is '{network_type}', but {state}"
    going = [item for item in BACKENDS if running[item.name]]
    if len(going) == 1:
        return going[0], f"there is no networkType, and {_listed(running[going[0].name])}"
    if going:
        both = " and ".join(_listed(running[item.name]) for item in going)
        return None, f"there is no networkType, and two could be meant: {both}"
    return None, f"there is no networkType, and no {', '.join(item.workload for item in BACKENDS)} runs"


def _listed(found: Sequence[Workload]) -> str:
    return ", ".join(str(item) for item in found)


def _network_type(kube: Kube) -> str:
    """The networkType that runs, or before the first one does, the one that is asked for."""
    try:
        network: Object = kube.find(NETWORK) or {}
    except KubeError as error:
        # Where it is no kind of the cluster's, the API server may answer so to those who may not read everything.
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        network = {}
    for part in ("status", "spec"):
        if found := (network.get(part) or {}).get("networkType"):
            return str(found)
    return ""
