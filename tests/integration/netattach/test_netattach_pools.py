"""Addresses that nodes share: the real whereabouts, against a real API server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from netattach_node import Node, Pod, finish, ip
from real_api import RealApi, kubectl_folder
from test_netattach_reconcile import reconcile

from agents.netattach.kubelet import Kubelet
from agents.netattach.pool_keeper import PoolKeeper
from agents.netattach.pools import NODE, Pools

RANGE = {"range": "10.0.0.0/24", "range_start": "10.0.0.13", "range_end": "10.0.0.254"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealApi]:
    made = RealApi(tmp_path_factory.mktemp("cluster"))
    try:
        add(made, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "first"}})
        pod = {"containers": [{"name": "one", "image": "none"}], "nodeName": "first"}
        add(made, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stays"}, "spec": pod})
        yield made
    finally:
        made.close()


@pytest.fixture
def api(cluster: RealApi) -> RealApi:
    """The cluster, without pools."""
    cluster.clean()
    return cluster


@pytest.fixture(autouse=True)
def kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a node it is in the path."""
    monkeypatch.setenv("PATH", f"{kubectl_folder()}:{os.environ['PATH']}")


@pytest.fixture
def conf(api: RealApi, tmp_path: Path) -> Path:
    """whereabouts' file on a node."""
    path = tmp_path / "whereabouts.conf"
    path.write_text(json.dumps({"kubernetes": {"kubeconfig": str(api.kubeconfig)}, "log_level": "error"}))
    return path


def ipam(conf: Path, **more: Any) -> dict[str, Any]:
    return {"type": "whereabouts", "configuration_path": str(conf), **RANGE, **more}


class Caller:
    """whereabouts as a main plug-in calls it, on one of two nodes."""

    def __init__(self, api: RealApi, conf: Path, cni_bin: Path) -> None:
        self.api, self.conf, self.cni_bin = api, conf, cni_bin
        self.nodes = [f"{api.netns}-{name}" for name in "ab"]
        for netns in self.nodes:
            ip("netns", "add", netns)
            api.link(netns)

    def call(self, command: str, number: int, pod: str = "") -> list[str]:
        """The addresses that container `number` got; on the first node where its number is even."""
        args = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod or f'pod-{number}'}"
        environ = {
            "PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": f"c{number}", "CNI_IFNAME": "eth1",
            "CNI_NETNS": "/run/netns/none", "CNI_PATH": str(self.cni_bin), "CNI_ARGS": args,
        }  # fmt: skip
        net = {"cniVersion": "1.0.0", "name": "lan", "type": "macvlan", "ipam": ipam(self.conf)}
        done = subprocess.run(
            ["ip", "netns", "exec", self.nodes[number % 2], str(self.cni_bin / "whereabouts")],
            input=json.dumps(net), env=environ, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout} {done.stderr}"
        return [one["address"] for one in json.loads(done.stdout)["ips"]] if done.stdout.strip() else []

    def close(self) -> None:
        for netns in self.nodes:
            ip("netns", "del", netns)


@pytest.fixture
def caller(api: RealApi, conf: Path, cni_bin: Path) -> Iterator[Caller]:
    with closing(Caller(api, conf, cni_bin)) as made:
        yield made


def keeper(api: RealApi, node: str, *, grace: float = 0, cluster: bool = False) -> PoolKeeper:
    """What the reconciler of a node of that name does."""
    return PoolKeeper(Pools(str(api.kubeconfig)), node, grace, Kubelet(str(api.administrator())) if cluster else None)


def look(api: RealApi, one: PoolKeeper, now: float, *alive: str) -> list[str]:
    with api.inside():
        return one.look(now, set(alive), {}, {})


def test_two_hundred_at_once_on_two_nodes(api: RealApi, caller: Caller) -> None:
    with ThreadPoolExecutor(200) as pods:
        got = list(pods.map(lambda number: caller.call("ADD", number), range(200)))
    assert len({address for one in got for address in one}) == 200
    assert {len(one) for one in got} == {1}
    assert {entry["id"] for entry in api.taken().values()} == {f"c{number}" for number in range(200)}
    with ThreadPoolExecutor(200) as pods:
        list(pods.map(lambda number: caller.call("DEL", number), range(200)))
    # Under such a crowd whereabouts leaves a reservation or two, or gives up after a minute and says nothing.
    assert len(api.taken()) < 100
    look(api, keeper(api, "first", cluster=True), 0)
    assert (api.taken(), api.notes()) == ({}, {})


def test_a_node_gives_back_its_own_and_nobody_elses(api: RealApi, caller: Caller) -> None:
    """Containers that are gone without a DEL: each node frees what it has noted as its own."""
    caller.call("ADD", 0)
    caller.call("ADD", 1)
    first, second = keeper(api, "first", grace=5), keeper(api, "second", grace=5)
    assert look(api, first, 0, "c0") + look(api, second, 0, "c1") == []
    assert {one["metadata"]["labels"][NODE]: one["spec"]["containerid"] for one in api.notes().values()} == {
        "first": "c0", "second": "c1",
    }  # fmt: skip
    assert look(api, first, 10) == [], "it has the time that was set"
    assert look(api, first, 14) == []
    (told,) = look(api, first, 15)
    assert told == "Freed 10.0.0.13 of pool '10.0.0.0-24': pod 'default/pod-0' had it in container c0, which is gone"
    assert [entry["id"] for entry in api.taken().values()] == ["c1"]
    assert list(api.notes()) == ["10.0.0.14"]
    assert look(api, keeper(api, "second", cluster=False), 0, "c1") == []


def test_a_pod_that_goes_to_another_node_with_its_address_keeps_it(api: RealApi, caller: Caller) -> None:
    """whereabouts knows pods by their names: a pod of that name elsewhere takes the allocation over."""
    before = caller.call("ADD", 0, "web-0")
    first, second = keeper(api, "first"), keeper(api, "second")
    look(api, first, 0, "c0")
    assert caller.call("ADD", 1, "web-0") == before
    assert look(api, first, 10) == [], "the note is of the container that was"
    assert look(api, second, 10, "c1") == []
    assert look(api, first, 20) == []
    assert [entry["id"] for entry in api.taken().values()] == ["c1"]


def test_what_nodes_had_that_are_gone_and_pods_whom_nobody_noted(api: RealApi, caller: Caller) -> None:
    for number in range(3):
        caller.call("ADD", number)
    caller.call("ADD", 3, "stays")
    look(api, keeper(api, "first"), 0, "c0")
    look(api, keeper(api, "left"), 0, "c1")
    assert look(api, keeper(api, "other"), 0) == [], "only one node has the duty"
    told = look(api, keeper(api, "first", cluster=True), 0, "c0")
    assert sorted(text.partition(" of pool")[0] for text in told) == ["Freed 10.0.0.14", "Freed 10.0.0.15"]
    assert "had it on node 'left', which the cluster no longer has" in " ".join(told)
    assert {entry["podref"] for entry in api.taken().values()} == {"default/pod-0", "default/stays"}


def add(api: RealApi, manifest: dict[str, Any]) -> None:
    path = api.folder / "object.json"
    path.write_text(json.dumps(manifest))
    api.kubectl("create", "--filename", str(path))


def test_a_reservation_without_an_allocation_goes(api: RealApi, caller: Caller) -> None:
    """A plug-in that was killed between the two leaves one, and nobody would get that address again."""
    caller.call("ADD", 0)
    one = keeper(api, "first")
    look(api, one, 0, "c0")
    api.kubectl("delete", "ippools", "--all", "--namespace=kube-system")
    look(api, keeper(api, "second"), 0)
    assert list(api.notes()) == ["10.0.0.13"]
    look(api, one, 10)
    assert api.notes() == {}


def test_the_token_may_do_what_it_needs_and_nothing_else(api: RealApi) -> None:
    words = ("auth", "can-i", "--list", "--no-headers", "--namespace=kube-system")
    rows = [line.split() for line in api.kubectl(*words, token=api.token()).splitlines() if not line.startswith(" ")]
    allowed = {(row[0], verb) for row in rows for verb in " ".join(row).rsplit("[", 1)[1].rstrip("]").split()}
    own = {(name, verb) for name, verb in allowed if not name.startswith("self")}  # what everybody may ask of himself
    assert own == {
        *(("ippools.whereabouts.cni.cncf.io", verb) for verb in ("get", "list", "create", "patch")),
        *(
            ("overlappingrangeipreservations.whereabouts.cni.cncf.io", verb)
            for verb in ("get", "list", "create", "patch", "delete")
        ),
        *(("leases.coordination.k8s.io", verb) for verb in ("create", "get", "update")),
    }
    for refused in (
        ("list", "pods"), ("get", "secrets"), ("delete", "ippools"), ("update", "ippools"), ("list", "nodes"),
        ("get", "leases/kube-scheduler"), ("update", "leases/kube-controller-manager"), ("create", "pods"),
    ):  # fmt: skip
        said = api.kubectl("auth", "can-i", *refused, "--namespace=kube-system", token=api.token(), check=False)
        assert said.strip() == "no", refused
    said = api.kubectl("auth", "can-i", "list", "ippools", "--namespace=default", token=api.token(), check=False)
    assert said.strip() == "no"


def shared(node: Node, api: RealApi, conf: Path) -> dict[str, Any]:
    """The seed's network, its addresses from whereabouts, for a node that reaches the API server."""
    api.link(node.netns)
    node.settings["poolsKubeconfig"] = str(api.kubeconfig)
    return node.macvlan("1.0.0", ipam=ipam(conf))


def address(pod: Pod) -> str:
    return pod.addresses("net1")[0]


def test_pods_of_two_nodes_by_netattach(
    node: Node, api: RealApi, conf: Path, tmp_path: Path, executable: Path, cni_bin: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Node(tmp_path / "other", executable, cni_bin)
    try:
        pods = []
        for one in (node, other):
            one.nad("lan", shared(one, api, conf))
            pods += [(one, one.pod("lan")) for _ in range(2)]
        for answer in [finish(process) for process in [one.start("ADD", pod) for one, pod in pods]]:
            answer.good()
        assert sorted(address(pod) for _, pod in pods) == [f"10.0.0.{last}" for last in (13, 14, 15, 16)]
        for one, pod in pods:
            one.call("DEL", pod).good()
        assert (api.taken(), api.notes()) == ({}, {})
    finally:
        other.close()


def test_a_pod_ends_while_the_api_server_is_away(node: Node, api: RealApi, conf: Path) -> None:
    """It does not wait, it is told, and made good once the API server is back."""
    node.nad("lan", shared(node, api, conf))
    pod = node.pod("lan")
    node.call("ADD", pod).good()
    api.stop()
    try:
        answer = node.call("DEL", pod)
        answer.good()
        assert "left to the reconciler: its address is kept by whereabouts" in answer.err
        assert "eth1" not in pod.links() or node.ports() == []
        ip("netns", "del", pod.netns)
        assert "is not freed yet, next try in" in reconcile(node).stdout
    finally:
        api.start()
    assert len(api.taken()) == 1
    assert f"Freed what pod '{pod.key}', which is gone, had of the networks default/lan" in reconcile(node).stdout
    assert (api.taken(), api.notes()) == ({}, {})
    node.nothing_left()


def test_the_first_worker_renumbers_nobody(node: Node, api: RealApi, conf: Path) -> None:
    """What host-local gave is reserved before the network changes, and is free once its pod has gone."""
    old = node.macvlan("1.0.0")
    node.nad("lan", old)
    before = node.pod("lan")
    node.call("ADD", before).good()
    new = shared(node, api, conf)
    assert "Reserved 10.0.0.13 in pool '10.0.0.0-24': host-local of network 'lan' gave it" in reserve(node)
    assert reserve(node) == "", "once"
    node.nad("lan", new)
    after = node.pod("lan")
    node.call("ADD", after).good()
    assert (address(before), address(after)) == ("10.0.0.13", "10.0.0.14")
    for pod in (before, after):
        node.call("DEL", pod).good()
    assert [entry["podref"] for entry in api.taken().values()] == [before.key]
    assert reconcile(node).stdout == "", "what follows host-local is nobody's news"
    assert (api.taken(), api.notes()) == ({}, {})
    node.nothing_left()


def test_what_host_local_gave_in_between_is_reserved_by_the_reconciler(node: Node, api: RealApi, conf: Path) -> None:
    new = shared(node, api, conf)
    node.nad("lan", node.macvlan("1.0.0"))
    node.nad("shared", new)
    first, second = node.pod("shared"), node.pod("lan,lan")
    node.call("ADD", first).good()
    node.call("ADD", second).good()
    assert address(first) == "10.0.0.13"
    assert second.addresses("net1") == ["10.0.0.13"], "each plug-in counts for itself"
    said = reconcile(node, first, second).stdout
    assert sorted(entry["podref"] for entry in api.taken().values()) == sorted([first.key, second.key])
    assert f"Two have 10.0.0.13 of pool '10.0.0.0-24': pod '{first.key}' by whereabouts" in said
    assert f"and container {second.id[:12]} by host-local of network 'lan'" in said, "what cannot be mended is told"


def test_the_last_worker_renumbers_nobody(node: Node, api: RealApi, conf: Path) -> None:
    """What whereabouts gave is host-local's to keep, until its pod has gone."""
    node.nad("lan", shared(node, api, conf))
    before = node.pod("lan")
    node.call("ADD", before).good()
    assert (
        reserve(node, "--to-host-local") == "Reserved 10.0.0.13 of network 'lan' by host-local: whereabouts gave it\n"
    )
    assert reserve(node, "--to-host-local") == "", "once"
    node.nad("lan", node.macvlan("1.0.0"))
    after = node.pod("lan")
    node.call("ADD", after).good()
    assert (address(before), address(after)) == ("10.0.0.13", "10.0.0.14")
    for pod in (before, after):
        node.call("DEL", pod).good()
    assert api.taken() == {}
    assert "Freed 10.0.0.13 of network 'lan'" in reconcile(node).stdout
    node.nothing_left()


def reserve(node: Node, what: str = "10.0.0.0/24") -> str:
    """What role netattach runs on the control plane, or a stage as networks go back."""
    words = [f"--set={json.dumps(node.own_settings())}", what]
    done = subprocess.run(
        ["ip", "netns", "exec", node.netns, str(node.executable), "reserve", *words],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
