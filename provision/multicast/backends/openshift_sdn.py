"""openshift-sdn: the annotation on the NetNamespace, honoured by its multitenant and networkpolicy plug-ins.

Its plug-in stands in ClusterNetwork 'default' (network.openshift.io/v1, pluginName); the plug-in 'subnet' keeps no
NetNamespaces and does no multicast by namespace (OpenShift 3.11 documentation, "Enabling Multicast").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provision.cluster.api import Kube, Object
from provision.cluster.workloads import Workload
from provision.core.errors import HostError
from provision.core.wait import Deadline
from provision.multicast.annotations import ON_NETNAMESPACE, Edit, Mark, edit, mark, netnamespace_path
from provision.multicast.backend import Enforcement, requested

_PLUGIN = "/apis/network.openshift.io/v1/clusternetworks/default"
_WITHOUT = "redhat/openshift-ovs-subnet"


@dataclass(frozen=True)
class SdnBackend:
    name: str = "openshift-sdn"
    network_type: str = "OpenShiftSDN"
    workload: str = "DaemonSet openshift-sdn/sdn"
    remedy: str = "Use the plug-in redhat/openshift-ovs-multitenant or redhat/openshift-ovs-networkpolicy"

    def components(self, present: Sequence[Workload]) -> list[Workload]:
        return [
            item for item in present if (item.kind, item.namespace, item.name) == ("DaemonSet", "openshift-sdn", "sdn")
        ]

    def settings(self, kube: Kube, present: Sequence[Workload]) -> tuple[tuple[str, ...], str]:
        plugin = (kube.find(_PLUGIN) or {}).get("pluginName", "")
        if not plugin:
            return ("its plug-in is not known: there is no ClusterNetwork 'default'",), ""
        fact = f"its plug-in is {plugin}"
        return (fact,), f"{fact}, which has no multicast by namespace" if plugin == _WITHOUT else ""

    def marks(self, kube: Kube, namespace: Object) -> tuple[Mark, ...]:
        item = kube.find(netnamespace_path(namespace["metadata"]["name"]))
        return (mark("NetNamespace", ON_NETNAMESPACE, item),)

    def edits(self, kube: Kube, namespace: Object, *, on: bool) -> list[Edit]:
        name = namespace["metadata"]["name"]
        item = kube.find(netnamespace_path(name))
        if item is None:
            raise HostError(
                f"Namespace '{name}' has no NetNamespace yet, which carries the annotation",
                remedy="Try again in a moment: DaemonSet openshift-sdn/sdn-controller makes it after the namespace",
            )
        return [edit("NetNamespace", netnamespace_path(name), ON_NETNAMESPACE, item, on=on)]

    def force(self, kube: Kube, names: Sequence[str]) -> list[Enforcement]:
        return [requested(name) for name in names]

    def wait(self, kube: Kube, names: Sequence[str], deadline: Deadline, *, on: bool) -> list[Enforcement]:
        return self.force(kube, names)


BACKEND = SdnBackend()
