"""What the controller does to a cluster, decided without one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.multicast_policy.desired import BY, OPENSHIFT, OVN, US, World, actions, enabled, netids

NETWORK = {"name": "eth1-multicast", "namespaces": ["default"], "spec": {"config": "{}"}}


def item(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= {key: more.pop(key) for key in ("annotations", "labels", "deletionTimestamp") if key in more}
    return {"metadata": metadata, **more}


def nad(namespace: str, ours: bool = True, config: str = "{}") -> dict[str, Any]:
    return item("eth1-multicast", namespace, labels={BY: US} if ours else {}, spec={"config": config})


def config(networks: list[dict[str, Any]], groups: list[str] | None = None) -> dict[str, Any]:
    data = {"networks.json": json.dumps(networks), "node-groups.json": json.dumps(groups or [])}
    return item("multicast-networks", "mcastlab-system", data=data)


def done(world: World) -> list[str]:
    return [str(action) for action in actions(world)]


def spec(world: World) -> Any:
    return next(action.body["spec"] for action in actions(world) if "multicastpolicies" in action.path)


@pytest.mark.parametrize(
    ("value", "on"), [("true", True), ("True", False), ("1", False), ("yes", False), ("", False), (" true", False)]
)
def test_exactly_true(value: str, on: bool) -> None:
    by_namespace = World(namespaces=[item("a", annotations={OVN: value})])
    by_netnamespace = World([item("a")], [item("a", annotations={OPENSHIFT: value}, netid=11)])
    assert enabled(by_namespace) == ({"a": [OVN]} if on else {})
    assert enabled(by_netnamespace) == ({"a": [OPENSHIFT]} if on else {})


def test_either_annotation_on_its_own_object_only() -> None:
    swapped = World(
        [item("a", annotations={OPENSHIFT: "true"})], [item("a", annotations={OVN: "true"}, netid=11)]
    )  # fmt: skip
    assert enabled(swapped) == {}
    both = World([item("a", annotations={OVN: "true"})], [item("a", annotations={OPENSHIFT: "true"}, netid=11)])
    assert enabled(both) == {"a": [OVN, OPENSHIFT]}
    orphan = World([], [item("gone", annotations={OPENSHIFT: "true"}, netid=11)])
    assert enabled(orphan) == {}


def test_from_nothing() -> None:
    world = World([item("default"), item("a", annotations={OVN: "true"})], nodes=[item("k8s")], configs=[config([])])
    assert done(world) == [
        "PATCH /apis/mcastlab.io/v1alpha1/multicastpolicies/cluster",
        "POST /apis/network.openshift.io/v1/netnamespaces",
        "POST /apis/network.openshift.io/v1/netnamespaces",
        "POST /apis/mcastlab.io/v1alpha1/nodemulticasts",
    ]
    assert spec(world) == {"namespaces": [{"name": "a", "netid": netids(world)["a"], "by": [OVN]}], "nodeGroups": []}


def test_when_all_is_as_it_shall_be_nothing_is_done() -> None:
    first = World([item("a", annotations={OVN: "true"})], nodes=[item("k8s")], configs=[config([NETWORK])])
    ids = netids(first)
    world = World(
        first.namespaces, [item("a", netid=ids["a"])], first.nodes, [item("k8s")],
        [item("cluster", spec=spec(first))], [nad("a")], first.configs,
    )  # fmt: skip
    assert done(world) == []


def test_what_is_gone_is_removed() -> None:
    world = World(netnamespaces=[item("gone", netid=11)], node_multicasts=[item("gone")], nads=[nad("gone")])
    assert [str(action) for action in actions(world) if action.method == "DELETE"] == [
        "DELETE /apis/network.openshift.io/v1/netnamespaces/gone",
        "DELETE /apis/mcastlab.io/v1alpha1/nodemulticasts/gone",
        "DELETE /apis/k8s.cni.cncf.io/v1/namespaces/gone/network-attachment-definitions/eth1-multicast",
    ]


def test_netids_are_stable_and_never_shared() -> None:
    names = [item(f"ns-{number}") for number in range(3000)]
    ids = netids(World(names))
    assert len(set(ids.values())) == 3000
    assert all(10 <= value < 2**24 for value in ids.values())
    kept = [item("ns-5", netid=77), item("other", netid=ids["ns-7"])]
    again = netids(World(names, kept))
    assert again["ns-5"] == 77, "what is assigned stays"
    assert again["ns-7"] != ids["ns-7"], "what another has is not given again"
    assert again["ns-9"] == ids["ns-9"], "the rest follows from the name"


def networks_of(world: World) -> list[str]:
    return [line for line in done(world) if "network-attachment" in line]


PATH = "/apis/k8s.cni.cncf.io/v1/namespaces/{}/network-attachment-definitions/eth1-multicast"


def test_networks_come_and_go_with_the_switch_but_listed_ones_stay() -> None:
    on = {"annotations": {OVN: "true"}}
    configs = [config([NETWORK])]
    assert networks_of(World([item("a", **on), item("default")], configs=configs)) == [f"PATCH {PATH.format('a')}"]
    off = World([item("a"), item("default")], nads=[nad("a"), nad("default")], configs=configs)
    assert networks_of(off) == [f"DELETE {PATH.format('a')}"]
    listed = World([item("default", **on)], nads=[nad("default", ours=False)], configs=configs)
    assert networks_of(listed) == []


def test_networks_of_others_are_left_alone() -> None:
    on = item("a", annotations={OVN: "true"})
    configs = [config([NETWORK])]
    assert networks_of(World([on], nads=[nad("a", ours=False, config="{1}")], configs=configs)) == []
    assert networks_of(World([item("a")], nads=[nad("a", ours=False)], configs=configs)) == []
    assert networks_of(World([on], nads=[nad("a", config="{1}")], configs=configs)) == [f"PATCH {PATH.format('a')}"]


def test_no_network_for_a_namespace_that_is_going() -> None:
    going = item("a", annotations={OVN: "true"}, deletionTimestamp="2026-01-01T00:00:00Z")
    assert networks_of(World([going], configs=[config([NETWORK])])) == []


def test_node_groups_come_from_the_lab() -> None:
    assert spec(World(configs=[config([], ["239.1.1.1", "ff1e::1"])]))["nodeGroups"] == ["239.1.1.1", "ff1e::1"]


def node(
    name: str, *addresses: str, subnets: tuple[str, ...] = ("10.244.0.0/24", "fd00:10:244::/64")
) -> dict[str, Any]:
    listed = [{"type": "InternalIP", "address": address} for address in addresses]
    return item(name, spec={"podCIDRs": list(subnets)}, status={"addresses": listed})


def across(nodes: list[dict[str, Any]], **changes: Any) -> Any:
    given = {"lans": ["10.0.0.0/24"], "over_lan": False, "crossing": "10.244.255.254", **changes}
    settings = item("multicast-networks", data={"across.json": json.dumps(given)})
    return spec(World([item("a")], nodes=nodes, configs=[settings])).get("across")


def test_where_tunnels_lead_is_told_of_several_nodes_that_have_all_that_is_needed() -> None:
    first, second = node("k8s", "fd00::11", "10.89.0.11"), node("w1", "10.89.0.12", subnets=("10.244.1.0/24",))
    assert across([first]) is None
    assert across([first, node("w1")]) is None, "it has no address yet"
    assert across([first, node("w1", "10.89.0.12", subnets=())]) is None, "and no part of the pods' subnets"
    assert across([second, first]) == {
        "nodes": [
            {"name": "k8s", "address": "10.89.0.11", "subnets": ["10.244.0.0/24", "fd00:10:244::/64"]},
            {"name": "w1", "address": "10.89.0.12", "subnets": ["10.244.1.0/24"]},
        ],
        "crossing": "10.244.255.254",
        "apart": "",
    }


def test_over_the_multicast_lan_nothing_crosses_until_that_is_allowed() -> None:
    nodes = [node("k8s", "10.0.0.11"), node("w1", "10.89.0.12")]
    assert across(nodes)["apart"].startswith(
        "multicast does not cross nodes: the only network of 'k8s' is the multicast LAN"
    )
    assert across(nodes, over_lan=True)["apart"] == ""


def test_a_lab_of_before_says_nothing_of_it() -> None:
    nodes = [node("k8s", "10.89.0.11"), node("w1", "10.89.0.12")]
    assert "across" not in spec(World([item("a")], nodes=nodes, configs=[config([])]))
