"""What a cluster is taken for, from its networkType and what runs; and what is read of the two real ones' settings."""

from __future__ import annotations

from typing import Any

import pytest

from provision.cluster.workloads import Workload, workload
from provision.core.errors import HostError
from provision.multicast.backends.lab import late
from provision.multicast.backends.openshift_sdn import BACKEND as SDN
from provision.multicast.backends.ovn_kubernetes import BACKEND as OVN
from provision.multicast.detect import BACKENDS, Detection, choose_backend

AGENTS = {
    "lab": Workload("DaemonSet", "mcastlab-system", "multicast-policy", 1, 1),
    "ovn-kubernetes": Workload("DaemonSet", "openshift-ovn-kubernetes", "ovnkube-node", 3, 3),
    "openshift-sdn": Workload("DaemonSet", "openshift-sdn", "sdn", 3, 3),
}


def present(*names: str, ready: int = 1) -> dict[str, list[Workload]]:
    found: dict[str, list[Workload]] = {item.name: [] for item in BACKENDS}
    for name in names:
        agent = AGENTS[name]
        found[name].append(Workload(agent.kind, agent.namespace, agent.name, ready, 3))
    return found


@pytest.mark.parametrize(
    ("network_type", "names", "chosen"),
    [
        ("mcastlab", ["lab"], "lab"),
        ("OVNKubernetes", ["ovn-kubernetes"], "ovn-kubernetes"),
        ("ovnKubernetes", ["ovn-kubernetes"], "ovn-kubernetes"),
        ("OpenShiftSDN", ["openshift-sdn"], "openshift-sdn"),
        ("", ["ovn-kubernetes"], "ovn-kubernetes"),
        # During a migration both run, and networkType says which one carries the pods.
        ("OpenShiftSDN", ["ovn-kubernetes", "openshift-sdn"], "openshift-sdn"),
        ("Calico", ["lab"], ""),
        ("", [], ""),
        ("", ["ovn-kubernetes", "openshift-sdn"], ""),
        ("OVNKubernetes", [], ""),
        ("OVNKubernetes", ["lab"], ""),
    ],
)
def test_the_backend_is_named_and_runs(network_type: str, names: list[str], chosen: str) -> None:
    backend, why = choose_backend(network_type, present(*names))
    assert (backend.name if backend else "") == chosen
    assert network_type in why


def test_what_is_installed_but_does_not_run_is_no_backend() -> None:
    backend, why = choose_backend("OVNKubernetes", present("ovn-kubernetes", ready=0))
    assert backend is None
    assert "DaemonSet openshift-ovn-kubernetes/ovnkube-node has 0 of 3 pods ready" in why
    assert choose_backend("", present("ovn-kubernetes", ready=0))[0] is None


def test_without_a_backend_the_error_says_what_was_found_and_what_is_known() -> None:
    with pytest.raises(HostError, match="networkType is 'Calico'") as caught:
        Detection(None, "Calico", "its networkType is 'Calico'").needed()
    assert "ovn-kubernetes (networkType OVNKubernetes)" in str(caught.value)


class Cluster:
    """Objects by path, as `Kube.find` gives them."""

    def __init__(self, **objects: Any) -> None:
        self.objects = objects

    def find(self, path: str) -> Any:
        return next((item for name, item in self.objects.items() if path.endswith(name)), None)


def ovnkube(*script: str, env: dict[str, str] | None = None, name: str = "ovnkube-control-plane") -> Workload:
    container = {
        "command": ["/bin/bash", "-c", *script],
        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
    }
    return Workload("Deployment", "openshift-ovn-kubernetes", name, 1, 1, (container,))


@pytest.mark.parametrize(
    ("agent", "config", "fact", "blocked"),
    [
        (
            ovnkube("exec /usr/bin/ovnkube \\\n  --enable-multicast \\\n  --loglevel 4"),
            {},
            "enable-multicast is on",
            False,
        ),
        (ovnkube("exec ovnkube --enable-multicast=true"), {}, "enable-multicast is on", False),
        (ovnkube("exec ovnkube --enable-multicast=false"), {}, "enable-multicast is off", True),
        (ovnkube("ovnkube.sh", env={"OVN_MULTICAST_ENABLE": "true"}), {}, "OVN_MULTICAST_ENABLE=true", False),
        (ovnkube("ovnkube.sh", env={"OVN_MULTICAST_ENABLE": "false"}), {}, "enable-multicast is off", True),
        (ovnkube("x"), {"ovnkube.conf": "[ovnkubernetesfeature]\nenable-multicast=true\n"}, "ConfigMap", False),
        (ovnkube("x"), {"ovnkube.conf": "enable-multicast = false\n"}, "enable-multicast is off", True),
        # The flag that is in force is the one that is on; elsewhere the setting may be left at its default.
        (ovnkube("ovnkube --enable-multicast"), {"a": "enable-multicast=false"}, "enable-multicast is on", False),
        (ovnkube('multicast_flag="--enable-multicast"'), {}, "enable-multicast is not set anywhere", False),
        (ovnkube("ovnkube --enable-multicast-thing"), {}, "enable-multicast is not set anywhere", False),
    ],
)
def test_the_global_setting_of_ovn_kubernetes(agent: Workload, config: Any, fact: str, blocked: bool) -> None:
    cluster: Any = Cluster(**{"configmaps/ovnkube-config": {"data": config}})
    facts, obstacle = OVN.settings(cluster, [agent, AGENTS["openshift-sdn"]])
    assert fact in facts[0]
    assert bool(obstacle) == blocked
    if blocked:
        with pytest.raises(HostError, match="without effect") as caught:
            Detection(OVN, "OVNKubernetes", "", facts, obstacle).needed()
        assert "--enable-multicast" in caught.value.remedy


@pytest.mark.parametrize(
    ("plugin", "blocked"),
    [
        ("redhat/openshift-ovs-multitenant", False),
        ("redhat/openshift-ovs-networkpolicy", False),
        ("redhat/openshift-ovs-subnet", True),
    ],
)
def test_the_plug_in_of_openshift_sdn(plugin: str, blocked: bool) -> None:
    cluster: Any = Cluster(**{"clusternetworks/default": {"pluginName": plugin}})
    facts, obstacle = SDN.settings(cluster, [])
    assert facts == (f"its plug-in is {plugin}",)
    assert bool(obstacle) == blocked


def test_workloads_as_the_api_shows_them() -> None:
    template = {"spec": {"containers": [{"name": "a"}]}}
    item = {"metadata": {"namespace": "n", "name": "d"}, "spec": {"template": template}}
    item["status"] = {"numberReady": 2, "desiredNumberScheduled": 3}
    assert str(workload("DaemonSet", item)) == "DaemonSet n/d has 2 of 3 pods ready"
    item |= {"spec": {"template": template, "replicas": 2}, "status": {}}
    assert str(workload("Deployment", item)) == "Deployment n/d has 0 of 2 pods ready"


def test_a_node_that_has_not_acknowledged_is_named() -> None:
    seen: dict[str, Any] = {
        "a": {"observedGeneration": 7},
        "b": {"observedGeneration": 6},
        "c": {"observedGeneration": 9, "error": "a map is full"},
        "d": {},
    }
    assert late(["a"], seen, 7) == []
    assert late(["a", "b", "c", "d", "e"], seen, 7) == [
        "node 'b' has generation 6 of 7",
        "node 'c': a map is full",
        "node 'd' has generation 0 of 7",
        "node 'e' has no agent that reports",
    ]
    assert late([], seen, 7) == ["the cluster has no nodes"]
