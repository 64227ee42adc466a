"""What checks work with: the lab, the cluster, the hosts, and pods made for this run only."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address

from provision.cluster.api import Kube
from provision.cluster.pods import Pods
from provision.config import Lab
from provision.core.errors import HostError
from provision.core.typed import Typed
from provision.hosts.facts import emulated
from provision.hosts.remote import Remotes
from provision.multicast.backends import lab
from provision.multicast.detect import Detection, detect, wait_until_detected
from provision.traffic.bystander import Bystander, listen_argv
from provision.traffic.iperf import DEFAULT_PORT
from provision.traffic.namespaces import CheckNamespaces
from provision.traffic.places import HostPlace, PodPlace, address
from provision.traffic.pods import CheckPods

_ONLY_LABS = {
    "hosts": "It needs the lab's hosts: the source, and a node that can be logged in to",
    "networks": "The networks of lab.yml are not this cluster's",
    "kubeadm": "It knows the components of a lab's cluster only",
}
# Each traffic check has its own port and group, so that all can run at once and none hears another. The first uses
# the lab's own group and iperf's own port: exactly the seed's commands.
_STREAMS = ("source-to-pod", "host-to-host", "pod-to-pod-macvlan", "host-network-pod")


# Checks of the switch have groups and ports of their own too: pods of one run share namespaces.
_POLICY_STREAMS = (
    "multicast-off-by-default",
    "namespace-isolation",
    "node-isolation",
    "switch-off",
    "mld",
    "ssm",
    "ssm6",
    "macvlan-across-nodes",
    "macvlan-across-nodes6",
    "namespace-across-nodes",
    "namespace-across-nodes6",
)
_POLICY_PORT = 7001
BRIDGE = "cni0"  # the pod network's on a node of a lab


@dataclass(frozen=True)
class Target:
    """What the caller knows: a lab that is up, and the reference of the tools image.

    `foreign` is a cluster that no lab.yml describes: `lab` is then the default one, for durations and thresholds, there
    are no hosts, and `tools_image` may be empty. `namespace` is the one that `check --namespace` is about.
    """

    lab: Lab
    kube: Kube
    remotes: Remotes
    tools_image: str
    discovery_image: str = ""
    foreign: bool = False
    namespace: str = ""
    typed: Typed = field(default_factory=Typed)


@dataclass(frozen=True)
class Flow:
    group: str
    port: int


class Testbed:
    """A context with the pods of one run of checks; everything made through it is removed by `close`."""

    def __init__(self, context: Target) -> None:
        self.lab = context.lab
        self.kube = context.kube
        self.remotes = context.remotes
        self.pods = Pods(context.kube)
        self.foreign = context.foreign
        self.namespace = context.namespace
        self.typed = context.typed
        self.tools_image = context.tools_image
        self.discovery_image = context.discovery_image
        self.made = CheckPods(context.lab, context.kube, self.pods, context.tools_image, foreign=context.foreign)
        self.spaces = CheckNamespaces(context.kube, self.made, self.found)
        self._lock = threading.Lock()
        self._detecting = threading.Lock()  # one of its own: it may be held until the lab's agents run
        self._found: Detection | None = None
        self._background = ThreadPoolExecutor(1, thread_name_prefix="bystander")
        self._bystander: Future[Bystander] | None = None

    def stream(self, check: str) -> Flow:
        """The group and port of a traffic check."""
        index = _STREAMS.index(check)
        return Flow(str(neighbour(self.lab.multicast.group, index)), DEFAULT_PORT + index)

    def policy_stream(self, check: str) -> Flow:
        """The group and port of a check of the switch; `ssm` and `mld` have groups of their families' ranges."""
        index = _POLICY_STREAMS.index(check)
        groups = {"ssm": "232.77.0.1", "ssm6": "ff3e::4d43:1", "mld": "ff1e::4d43:1"}
        usual = f"ff1e::4d43:{index + 1}" if check.endswith("6") else f"239.77.0.{index + 1}"
        return Flow(groups.get(check, usual), _POLICY_PORT + index)

    def found(self) -> Detection:
        """What switches multicast by namespace here; of a lab that was made a moment ago, once its agents run."""
        with self._detecting:
            if self._found is None:
                self._found = detect(self.kube) if self.foreign else wait_until_detected(self.kube)
            return self._found

    @cached_property
    def emulated(self) -> bool:
        """Whether the node's processors are; that of a foreign cluster is not asked."""
        return not self.foreign and emulated(self.remotes.get(self.lab.control_plane.name))

    @cached_property
    def nodes(self) -> list[str]:
        """The names of the cluster's nodes, a lab's control plane first; of a foreign one those that are ready."""
        if self.foreign:
            return [node.name for node in self.kube.nodes() if node.ready]
        return [host.name for host in self.lab.nodes]

    def lacks(self, needs: Sequence[str]) -> str:
        """Why a check that needs all of these cannot be made here; empty where it can.

        A lab has all of it, but perhaps a kernel that does not take the policy's programs.
        """
        for need in needs:
            if need == "switch" and (reason := self._no_switch()):
                return reason
            if need == "nodes" and len(self.nodes) < 2:
                return "The cluster has one node" if self.nodes else "The cluster has no node that is ready"
            if need == "across" and self.found().name == lab.BACKEND.name and (reason := lab.apart(self.kube)):
                return reason
            if not self.foreign:
                continue
            if need == "image" and not self.tools_image:
                return "No image with python3 and socat is known to this cluster: name one by --image REFERENCE"
            if need in _ONLY_LABS:
                return _ONLY_LABS[need]
        return ""

    def _no_switch(self) -> str:
        found = self.found()
        if found.backend is None:
            return f"This cluster has no multicast by namespace that is known here: {found.why}"
        return found.obstacle

    def node(self) -> HostPlace:
        """The node on its own pod network: its end of the bridge. Only a lab's can be logged in to."""
        return HostPlace(self.remotes.get(self.lab.control_plane.name), BRIDGE)

    def host(self, name: str) -> HostPlace:
        return HostPlace(self.remotes.get(name), self.lab.lan.interface)

    def source(self) -> tuple[HostPlace, str]:
        """The multicast source host and its address on the multicast LAN; raises HostError when the lab has none."""
        if not self.lab.sources:
            raise HostError(
                "The lab has no host that could send: none has the role 'source'",
                remedy="Add one under hosts: in lab.yml",
            )
        host = self.lab.sources[0]
        return self.host(host.name), str(host.address)

    def outsider(self) -> PodPlace:
        """An idle pod on the pod network, in a namespace that was not made for checks: one for all of this run."""
        return self.spaces.pod("default", "outsider")

    def bystander(self) -> Future[Bystander]:
        """The bystander pod on the multicast LAN: one for all checks of this run, being started since the first asked.

        When it cannot be started, all who asked get the same error from its future.
        """
        with self._lock:
            if self._bystander is None:
                self._bystander = self._background.submit(self._start_bystander)
            return self._bystander

    def _start_bystander(self) -> Bystander:
        ports = tuple(DEFAULT_PORT + index for index in range(len(_STREAMS)))
        return Bystander(address(self.made.start("bystander", listen_argv(ports, shared=False))))

    def close(self, *, in_a_hurry: bool = False) -> None:
        """Remove all pods of this run and wait until they are gone.

        An emulated node is given its time, unless `in_a_hurry`: it is busy for minutes with pods that all end at once,
        and whoever starts the next ones waits for that.
        """
        self._background.shutdown(wait=False, cancel_futures=True)
        try:
            self.made.close(one_by_one=not in_a_hurry and self.emulated)
        finally:
            self.spaces.close()


def neighbour(group: IPv4Address, index: int) -> IPv4Address:
    """The group `index` further in the same /24, which stays within .1 to .254."""
    octets = bytearray(group.packed)
    octets[3] = octets[3] if index == 0 else (octets[3] - 1 + index) % 254 + 1
    return IPv4Address(bytes(octets))
