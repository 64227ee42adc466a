"""The list of checks: reading it tells what a lab is proved to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from provision.checks.cluster import (
    attachments_whole,
    cluster_dns,
    networks_present,
    nodes_ready,
    system_pods_ready,
    tenant_networks,
)
from provision.checks.lan import host_network_pod, host_to_host, pod_to_pod_macvlan, source_to_pod
from provision.checks.namespace import (
    discovery,
    hello,
    mld,
    namespace_isolation,
    node_isolation,
    off_by_default,
    pod_to_pod_namespace,
    ssm,
    switch_off,
)
from provision.checks.nodes import macvlan_across_nodes, namespace_across_nodes
from provision.checks.result import Outcome
from provision.core.errors import InputError, McastlabError, Problems
from provision.traffic.testbed import Testbed

GROUPS = {
    "cluster": "the cluster itself",
    "lan": "multicast on the LAN, by second interfaces and on hosts",
    "namespace": "multicast on the pod network, switched by namespace",
    "nodes": "both of them between nodes, of a cluster that has several",
}


@dataclass(frozen=True)
class Check:
    """A named proof; `summary` is one line for `mcastlab check --list`.

    Those `in_up` run with `mcastlab up` and when none is named. `needs` is what a cluster may lack.
    """

    name: str
    summary: str
    run: Callable[[Testbed], Outcome]
    group: str = "cluster"
    in_up: bool = True
    needs: tuple[str, ...] = ()


_HOSTS = ("hosts",)
_SWITCH = ("image", "switch")
_SEVERAL = "nodes"
CHECKS: tuple[Check, ...] = (
    Check("nodes-ready", "every host that should be a node is one, and is Ready", nodes_ready.run),
    Check("system-pods-ready", "every pod of kube-system runs and is ready", system_pods_ready.run, needs=("kubeadm",)),
    Check(
        "cluster-dns",
        "a pod resolves kubernetes.default.svc through the DNS service's address",
        cluster_dns.run,
        needs=("image",),
    ),
    Check(
        "networks-present",
        "every NetworkAttachmentDefinition is there and as rendered",
        networks_present.run,
        needs=("networks",),
    ),
    Check(
        "tenant-networks",
        "no NetworkAttachmentDefinition is one that its namespace may not have, but for administrators'",
        tenant_networks.run,
        needs=("networks",),
    ),
    Check(
        "attachments-whole",
        "every pod has all interfaces that it asked for, up and with their addresses",
        attachments_whole.run,
        needs=_HOSTS,
    ),
    Check(
        "host-to-host",
        "the node receives multicast from the source host",
        host_to_host.run,
        "lan",
        needs=_HOSTS,
    ),
    Check(
        "source-to-pod",
        "a pod receives multicast from the source host by macvlan: the seed",
        source_to_pod.run,
        "lan",
        needs=_HOSTS,
    ),
    Check(
        "pod-to-pod-macvlan",
        "a pod receives multicast from another pod by macvlan",
        pod_to_pod_macvlan.run,
        "lan",
        needs=("networks",),
    ),
    Check(
        "host-network-pod",
        "a pod with its node's network receives multicast from the source host",
        host_network_pod.run,
        "lan",
        needs=_HOSTS,
    ),
    Check(
        "multicast-off-by-default",
        "nothing passes in a namespace until it is enabled, and then only within it",
        off_by_default.run,
        "namespace",
        needs=_SWITCH,
    ),
    Check(
        "pod-to-pod-namespace",
        "mlistener answers msender, by socat as in OpenShift's documentation, and nobody elsewhere does",
        pod_to_pod_namespace.run,
        "namespace",
        in_up=False,
        needs=_SWITCH,
    ),
    Check(
        "namespace-isolation",
        "two enabled namespaces, one that is not and the default one hear only their own on one group",
        namespace_isolation.run,
        "namespace",
        in_up=False,
        needs=_SWITCH,
    ),
    Check(
        "node-isolation",
        "a node and its host-network pods hear no pod's multicast, and no pod theirs",
        node_isolation.run,
        "namespace",
        in_up=False,
        needs=("hosts", "switch"),
    ),
    Check(
        "hello",
        "the plain sender and receiver on 239.1.1.1:5005",
        hello.run,
        "namespace",
        in_up=False,
        needs=_SWITCH,
    ),
    Check(
        "discovery",
        "peers find each other, and mark dead who is gone, in time",
        discovery.run,
        "namespace",
        in_up=False,
        needs=_SWITCH,
    ),
    Check("mld", "any-source multicast over IPv6", mld.run, "namespace", in_up=False, needs=_SWITCH),
    Check(
        "ssm",
        "of two sources in one group only the one that was joined is heard, IPv4 and IPv6",
        ssm.run,
        "namespace",
        in_up=False,
        needs=_SWITCH,
    ),
    Check(
        "switch-off",
        "disabling a namespace stops a running flow, and no other one",
        switch_off.run,
        "namespace",
        in_up=False,
        needs=_SWITCH,
    ),
    Check(
        "macvlan-across-nodes",
        "a pod on each node hears the source host, and the others, by macvlan",
        macvlan_across_nodes.run,
        "nodes",
        needs=(*_HOSTS, _SEVERAL),
    ),
    Check(
        "namespace-across-nodes",
        "pods of an enabled namespace hear each other on one node and on others, and nobody else hears them",
        namespace_across_nodes.run,
        "nodes",
        needs=(*_SWITCH, _SEVERAL, "across"),
    ),
)


def select(names: Sequence[str], *, every: bool = False, several: bool = False) -> list[Check]:
    """The checks and those of the groups `names`, in the registry's order; those of `up`, or all, if there are none.

    Those of `up` in a cluster with `several` nodes are more than those of a single one. Raises InputError or Problems.
    """
    known = [*(check.name for check in CHECKS), *GROUPS]
    unknown: list[McastlabError] = [_unknown(name, known) for name in dict.fromkeys(names) if name not in known]
    if len(unknown) == 1:
        raise unknown[0]
    if unknown:
        raise Problems(unknown)
    if names:
        return [check for check in CHECKS if check.name in names or check.group in names]
    return [check for check in CHECKS if every or (check.in_up and (several or _SEVERAL not in check.needs))]


def _unknown(name: str, known: Sequence[str]) -> InputError:
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    return InputError(
        f"There is no check '{name}'", remedy=f"Take the nearest, '{near[0]}'; `mcastlab check --list` shows all"
    )
