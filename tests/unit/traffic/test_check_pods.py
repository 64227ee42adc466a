"""The pods of a run: how they are made, and that none outlives it."""

from __future__ import annotations

from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

import pytest

from provision.core.errors import HostError, WaitError
from provision.traffic.pods import NAME_PREFIX, CheckPods
from provision.traffic.testbed import neighbour


class Cluster:
    """Pods by name; stands for `Kube` and `Pods` both."""

    def __init__(self, *left: str) -> None:
        self.manifests: dict[str, Any] = {
            name: {"metadata": {"namespace": "default", "name": name}, "spec": {}} for name in left
        }
        self.starts = True
        self.deleted: list[str] = []
        self.ends: list[str] = []

    def items(self, path: str, labelSelector: str) -> list[Any]:
        assert (path, labelSelector) == ("/api/v1/pods", "mcastlab.check")
        return list(self.manifests.values())

    def create(self, manifest: Any, _deadline: object) -> None:
        self.manifests[manifest["metadata"]["name"]] = manifest

    def wait(self, _namespace: str, name: str, _deadline: object) -> None:
        if not self.starts:
            raise WaitError(f"Waited 60 s for pod '{name}' to run")

    def delete(self, _namespace: str, name: str, grace: int = 1) -> None:
        self.manifests.pop(name, None)
        self.deleted.append(name)
        self.ends.append(f"{name} after {grace} s")

    def wait_gone(self, _namespace: str, name: str, _deadline: object) -> None:
        assert name not in self.manifests
        self.ends.append(f"{name} gone")


def pods_of(cluster: Any, networks: int = 1) -> CheckPods:
    network = SimpleNamespace(name="eth1-multicast", namespaces=("default", "second"))
    lab: Any = SimpleNamespace(
        networks=(network,) * networks,
        control_plane=SimpleNamespace(name="k8s"),
        lan=SimpleNamespace(interface="ens4"),
    )
    return CheckPods(lab, cluster, cluster, "localhost/mcastlab/tools:1")


def test_an_attached_pod() -> None:
    cluster = Cluster()
    place = pods_of(cluster).start("source-to-pod", ["iperf", "-s"])
    assert (place.label, place.interface) == ("pod 'default/mcastlab-check-source-to-pod'", "eth1")
    manifest = cluster.manifests["mcastlab-check-source-to-pod"]
    assert manifest["metadata"]["annotations"] == {"k8s.v1.cni.cncf.io/networks": "eth1-multicast@eth1"}
    assert manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] == "mcastlab"
    container = manifest["spec"]["containers"][0]
    assert (container["command"], container["imagePullPolicy"]) == (["iperf", "-s"], "Never")
    assert manifest["spec"]["nodeName"] == "k8s"


def test_a_host_network_pod_has_the_hosts_interface_and_no_attachment() -> None:
    cluster = Cluster()
    place = pods_of(cluster).start("host", ["iperf", "-s"], host_network=True)
    manifest = cluster.manifests[place.name]
    assert (place.interface, manifest["spec"]["hostNetwork"]) == ("ens4", True)
    assert "annotations" not in manifest["metadata"]


def test_leftovers_of_a_killed_run_go_first_and_all_goes_last() -> None:
    cluster = Cluster("mcastlab-check-dns", "mcastlab-check-bystander")
    made = pods_of(cluster)
    made.start("dns", ["true"], attach=False)
    assert cluster.deleted == ["mcastlab-check-dns", "mcastlab-check-bystander"]
    made.close()
    assert cluster.manifests == {}


@pytest.mark.parametrize(
    ("one_by_one", "ends"),
    [
        (False, ["a after 0 s", "b after 0 s", "a gone", "b gone"]),
        (True, ["a after 1 s", "a gone", "b after 1 s", "b gone"]),
    ],
)
def test_pods_end_all_at_once_or_each_after_the_other(one_by_one: bool, ends: list[str]) -> None:
    cluster = Cluster()
    made = pods_of(cluster)
    made.start("a", ["true"])
    made.start("b", ["true"])
    made.close(one_by_one=one_by_one)
    assert [end.removeprefix(NAME_PREFIX) for end in cluster.ends] == ends


def test_a_pod_that_does_not_start_is_removed_too() -> None:
    cluster = Cluster()
    cluster.starts = False
    made = pods_of(cluster)
    with pytest.raises(WaitError):
        made.start("dns", ["true"])
    made.close()
    assert cluster.manifests == {}


def test_nothing_starts_after_the_end() -> None:
    cluster = Cluster()
    made = pods_of(cluster)
    made.close()
    with pytest.raises(HostError, match="being stopped"):
        made.start("dns", ["true"])
    assert cluster.manifests == {}


def test_a_pod_made_while_all_is_being_stopped_is_removed_by_its_maker() -> None:
    cluster = Cluster()
    made = pods_of(cluster)
    create = cluster.create

    def create_late(manifest: Any, deadline: object) -> None:
        made.close()
        create(manifest, deadline)

    cluster.create = create_late  # type: ignore[method-assign]
    with pytest.raises(HostError, match="being stopped"):
        made.start("dns", ["true"])
    assert cluster.manifests == {}


def test_a_lab_without_networks_is_named() -> None:
    with pytest.raises(HostError, match="no network that a pod could attach to"):
        pods_of(Cluster(), networks=0).start("dns", ["true"])


def test_groups_of_the_streams_differ_and_stay_in_their_slash_24() -> None:
    lab = IPv4Address("224.0.67.67")
    assert [str(neighbour(lab, index)) for index in range(3)] == ["224.0.67.67", "224.0.67.68", "224.0.67.69"]
    assert str(neighbour(IPv4Address("239.1.1.254"), 1)) == "239.1.1.1"
    for last in range(256):
        groups = [neighbour(IPv4Address((239 << 24) + last), index) for index in range(4)]
        assert len(set(groups)) == 4
