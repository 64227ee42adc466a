"""Pods that checks make: named, labelled, and removed again, also those of a run that was killed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from provision.cluster import manifests
from provision.cluster.api import Kube, Object
from provision.cluster.manifests import POD_INTERFACE
from provision.cluster.pods import Pods
from provision.config import Lab
from provision.core.errors import HostError
from provision.core.labels import CHECK
from provision.core.wait import Deadline
from provision.traffic.places import PodPlace

NAME_PREFIX = "mcastlab-check-"
PRIMARY_INTERFACE = "eth0"  # of a pod on the pod network, wherever the CNI specification is followed
# Commands are run in such a pod one by one. The kernel spares process 1 a SIGTERM that it has no handler for.
_IDLE_SOURCE = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); signal.pause()"
IDLE = ("python3", "-I", "-S", "-c", _IDLE_SOURCE)
_START_SECONDS = 120.0
_GONE_SECONDS = 30.0
_GONE_ONE_BY_ONE_SECONDS = 120.0


class CheckPods:
    """The pods of one run of checks; may be used by several threads at once."""

    def __init__(self, lab: Lab, kube: Kube, pods: Pods, image: str, *, foreign: bool = False) -> None:
        self._lab = lab
        self._kube = kube
        self._pods = pods
        self._image = image
        self._foreign = foreign
        self._lock = threading.Lock()
        self._names: list[tuple[str, str]] = []
        self._starting = 0
        self._swept = False
        self._closed = False

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        attach: bool = True,
        host_network: bool = False,
        namespace: str = "",
        hostname: str = "",
        node: str = "",
    ) -> PodPlace:
        """Start `mcastlab-check-NAME` and wait until it runs.

        It is on `node`, else on the control plane of a lab, or anywhere in a foreign cluster; and in `namespace`, or in
        the first network's. `attach` gives it that network as interface eth1; with `host_network` it has its node's
        interfaces.
        """
        if not self._lab.networks:
            raise HostError(
                "The lab has no network that a pod could attach to", remedy="Add one under networks: in lab.yml"
            )
        attach = attach and not host_network and not namespace
        manifest = self._manifest(name, command, attach=attach, host_network=host_network)
        if node:
            manifest["spec"]["nodeName"] = node
        manifest["metadata"]["namespace"] = namespace or manifest["metadata"]["namespace"]
        if hostname:
            manifest["spec"]["hostname"] = hostname
        namespace, full_name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        with self._lock:
            self._sweep()
            if self._closed:
                raise HostError("The checks are being stopped")
            self._names.append((namespace, full_name))
            self._starting += 1
        try:
            self._create(manifest, namespace, full_name)
        finally:
            with self._lock:
                self._starting -= 1
        interface = self._lab.lan.interface if host_network else POD_INTERFACE if attach else PRIMARY_INTERFACE
        return PodPlace(self._pods, namespace, full_name, interface, node)

    @property
    def all_running(self) -> bool:
        """Whether pods were started and none is on its way any more."""
        with self._lock:
            return bool(self._names) and not self._starting

    def _create(self, manifest: Object, namespace: str, name: str) -> None:
        deadline = Deadline.after(_START_SECONDS)
        self._pods.create(manifest, deadline)
        if self._closed:  # `close` may have looked for it before it existed
            self._pods.delete(namespace, name)
            raise HostError("The checks are being stopped")
        self._pods.wait(namespace, name, deadline)

    def close(self, *, one_by_one: bool = False) -> None:
        """Remove what was started and wait until it is gone: for the API, or `one_by_one`, for the node as well."""
        with self._lock:
            self._closed = True
            names, self._names = self._names, []
        if not one_by_one:
            self._remove(names)
            return
        for namespace, name in names:
            self._pods.delete(namespace, name)  # with a grace: the API has it until kubelet is through with the pod
            self._pods.wait_gone(namespace, name, Deadline.after(_GONE_ONE_BY_ONE_SECONDS))

    def _sweep(self) -> None:
        """Once per run: remove what an earlier run left that was killed."""
        if not self._swept:
            left = self._kube.items("/api/v1/pods", labelSelector=CHECK)
            self._remove([(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in left])
            self._swept = True

    def _remove(self, names: Sequence[tuple[str, str]]) -> None:
        # At once: nothing in these pods has an end of its own to come to, and each second counts for who waits.
        for namespace, name in names:
            self._pods.delete(namespace, name, grace=0)
        for namespace, name in names:
            self._pods.wait_gone(namespace, name, Deadline.after(_GONE_SECONDS))

    def _manifest(self, name: str, command: Sequence[str], *, attach: bool, host_network: bool) -> Object:
        network = self._lab.networks[0]
        return manifests.pod(
            f"{NAME_PREFIX}{name}",
            self._image,
            command,
            namespace="default" if self._foreign else network.namespaces[0],
            labels={CHECK: name},
            networks=f"{network.name}@{POD_INTERFACE}" if attach else "",
            host_network=host_network,
            node="" if self._foreign else self._lab.control_plane.name,
            pull="IfNotPresent" if self._foreign else "Never",
        )
