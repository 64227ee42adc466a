"""OVN-Kubernetes: the annotation on the Namespace, and the global setting enable-multicast without which it is idle.

The setting has three places. OpenShift's network operator puts `--enable-multicast` into the script of the Deployment
ovnkube-control-plane (bindata/network/ovn-kubernetes/self-hosted/ovnkube-control-plane.yaml) and, for some versions,
`enable-multicast=true` into the ConfigMap ovnkube-config; upstream's ovnkube.sh turns the environment variable
OVN_MULTICAST_ENABLE=true into that flag (dist/images/ovnkube.sh). Upstream's default is off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from provision.cluster.api import Kube, Object
from provision.cluster.workloads import Workload
from provision.core.wait import Deadline
from provision.multicast.annotations import ON_NAMESPACE, Edit, Mark, edit, mark, namespace_path
from provision.multicast.backend import Enforcement, requested

_VARIABLE = "OVN_MULTICAST_ENABLE"
_FLAG = re.compile(r"--enable-multicast(?:=(\w+))?$")
_LINE = re.compile(r"^\s*enable-multicast\s*=\s*(\w+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class OvnBackend:
    name: str = "ovn-kubernetes"
    network_type: str = "OVNKubernetes"
    workload: str = "DaemonSet ovnkube-node"
    remedy: str = "Start OVN-Kubernetes with --enable-multicast (upstream: OVN_MULTICAST_ENABLE=true), then try again"

    def components(self, present: Sequence[Workload]) -> list[Workload]:
        return [item for item in present if item.kind == "DaemonSet" and item.name.startswith("ovnkube")]

    def settings(self, kube: Kube, present: Sequence[Workload]) -> tuple[tuple[str, ...], str]:
        ours = [item for item in present if item.name.startswith("ovnkube")]
        found = [*_in_workloads(ours), *_in_config(kube, {item.namespace for item in ours})]
        if any(value for value, _ in found):
            return tuple(f"enable-multicast is on ({where})" for value, where in found if value)[:1], ""
        if found:
            where = f"enable-multicast is off ({found[0][1]})"
            return (where,), f"OVN-Kubernetes' global setting {where}"
        return ("enable-multicast is not set anywhere that the API shows; OVN-Kubernetes' own default is off",), ""

    def marks(self, kube: Kube, namespace: Object) -> tuple[Mark, ...]:
        return (mark("Namespace", ON_NAMESPACE, namespace),)

    def edits(self, kube: Kube, namespace: Object, *, on: bool) -> list[Edit]:
        return [edit("Namespace", namespace_path(namespace["metadata"]["name"]), ON_NAMESPACE, namespace, on=on)]

    def force(self, kube: Kube, names: Sequence[str]) -> list[Enforcement]:
        return [requested(name) for name in names]

    def wait(self, kube: Kube, names: Sequence[str], deadline: Deadline, *, on: bool) -> list[Enforcement]:
        return self.force(kube, names)


BACKEND = OvnBackend()


def _in_workloads(ours: Sequence[Workload]) -> list[tuple[bool, str]]:
    """(on, where) for each place in the workloads that says so."""
    found = []
    for item in ours:
        for word in item.words():
            if flag := _FLAG.match(word.strip("\"'\\")):
                found.append((flag[1] in (None, "true"), f"{word} in {item.kind} {item.namespace}/{item.name}"))
        variable = item.environment(_VARIABLE)
        if variable:
            found.append((variable == "true", f"{_VARIABLE}={variable} in {item.kind} {item.namespace}/{item.name}"))
    return found


def _in_config(kube: Kube, namespaces: set[str]) -> list[tuple[bool, str]]:
    """(on, where) for each of ovnkube's configuration files that says so."""
    found = []
    for namespace in sorted(namespaces):
        config = kube.find(f"/api/v1/namespaces/{namespace}/configmaps/ovnkube-config") or {}
        for file, text in sorted((config.get("data") or {}).items()):
            if line := _LINE.search(text):
                found.append((line[1] == "true", f"{line[0].strip()} in ConfigMap {namespace}/ovnkube-config, {file}"))
    return found
