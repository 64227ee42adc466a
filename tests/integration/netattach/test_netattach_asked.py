"""What an annotation asks for beyond a network: addresses, the default route; and who is told what came of it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from netattach_ctr import Ctr
from netattach_node import Node, Pod, ip

CLUSTER = [{"dst": "10.244.0.0/16"}, {"dst": "10.96.0.0/16"}, {"dst": "fd00:10:96::/112"}]


def pod(node: Node, **asked: Any) -> Pod:
    return node.pod(json.dumps([{"name": "lan", "interface": "eth1", **asked}]))


@pytest.mark.parametrize(
    ("ipam", "ips"),
    [("host-local", ["10.0.0.77"]), ("host-local", ["10.0.0.77/24"]), ("static", ["10.0.0.77/24", "fd00:10::77/64"])],
)
def test_addresses_are_taken_without_a_capability(node: Node, ipam: str, ips: list[str]) -> None:
    """As CNI_ARGS, which is how users of Multus know these plug-ins."""
    network = node.macvlan("1.0.0")
    node.nad("lan", network if ipam == "host-local" else {**network, "ipam": {"type": "static"}})
    made = pod(node, ips=ips, mac="02:00:00:00:00:42")
    node.call("ADD", made).good()
    wanted = [address.partition("/")[0] for address in ips]
    assert made.addresses("eth1") == wanted
    assert made.links()["eth1"]["address"] == "02:00:00:00:00:42"
    assert (
        node.api.statuses[made.key][1] | {"ips": wanted, "mac": "02:00:00:00:00:42"} == node.api.statuses[made.key][1]
    )
    node.call("CHECK", made).good()
    node.call("DEL", made).good()
    node.nothing_left()


def test_other_attachments_are_not_asked_for_it(node: Node) -> None:
    """Neither the default network nor the pod's other ones get an address that was asked of one."""
    node.nad("lan", node.macvlan("1.0.0"))
    made = node.pod(json.dumps([{"name": "lan", "ips": ["10.0.0.77"]}, {"name": "lan"}]))
    node.call("ADD", made).good()
    assert made.addresses("net1") == ["10.0.0.77"]
    assert made.addresses("net2")[0].startswith("10.0.0.")
    assert made.addresses("eth0")[0].startswith("10.244.0.")


@pytest.mark.parametrize(
    ("network", "asked", "said"),
    [
        (
            {"ipam": {}},
            {"ips": ["10.0.0.77/24"]},
            'did not give the pod 10.0.0.77/24, which its "ips" asks for none of its plug-ins (macvlan) took it: '
            'static, host-local do, and those that declare {"capabilities": {"ips": true}}',
        ),
        (
            {"type": "ptp"},
            {"mac": "02:00:00:00:00:42"},
            'did not give the pod 02:00:00:00:00:42, which its "mac" asks for none of its plug-ins (ptp, '
            "host-local) took it: macvlan, tuning do",
        ),
        ({}, {"ips": ["10.0.0.9"]}, "10.0.0.9"),
        ({}, {"ips": ["10.0.0.13"]}, "10.0.0.13 is not available"),
        ({}, {"ips": ["10.0.0.77", "10.0.0.78"]}, "10.0.0.77,10.0.0.78"),
        ({}, {"mac": "01:00:5e:00:00:01"}, '"mac" of "lan" is 01:00:5e:00:00:01, which is a group\'s'),
        ({}, {"mac": "00-00-00-00-00-00"}, '"mac" of "lan" is 00-00-00-00-00-00, which is a group\'s or nobody\'s'),
        ({}, {"mac": "02:00:00:00:00:13"}, "address already in use"),
        (
            {},
            {"default-route": ["192.0.2.1"]},
            'cannot have the default route via 192.0.2.1: it is not on the link of "eth1", whose addresses are 10.0.0.',
        ),
        ({}, {"default-route": ["10.0.0.1", "fd00:10::1"]}, "cannot have the default route via fd00:10::1"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_fails_by_name(
    node: Node, network: dict[str, Any], asked: dict[str, Any], said: str
) -> None:
    """Each beside a pod that has 10.0.0.13 and 02:…:13; nothing of the refused one is left."""
    plain = node.macvlan("1.0.0")
    node.nad("other", plain)
    first = node.pod('[{"name": "other", "interface": "eth1", "ips": ["10.0.0.13"], "mac": "02:00:00:00:00:13"}]')
    node.call("ADD", first).good()
    node.nad("lan", {**plain, "name": "other", **network})
    refused = pod(node, **asked)
    code = {True: 7, False: None}[said.startswith(("did", '"mac"', "cannot"))]
    answer = node.call("ADD", refused)
    assert said in answer.bad(code or answer.json["code"])
    assert said.partition(" which")[0] in node.api.events[0]["message"]
    assert refused.links() == {}
    node.call("DEL", first).good()
    node.nothing_left()


def routed_to(made: Pod, *destinations: str) -> list[str]:
    found = []
    for destination in destinations:
        [route] = json.loads(ip("-n", made.netns, "-j", "route", "get", destination))
        found.append(route["dev"])
    return found


def test_a_moved_default_route_leaves_the_cluster_reachable(node: Node) -> None:
    """The pod network names the subnets of pods and services, as role pod_network writes them."""
    config = json.loads(node.default_path.read_text())
    config["plugins"][0]["ipam"]["routes"] += CLUSTER
    node.default_path.write_text(json.dumps(config))
    node.nad("lan", node.macvlan("1.0.0"))
    made = pod(node, **{"default-route": ["10.0.0.1"]})
    node.call("ADD", made).good()
    assert routed_to(made, "10.96.0.10", "10.244.1.7", "203.0.113.1") == ["eth0", "eth0", "eth1"]
    assert node.api.events == []


def test_a_moved_default_route_that_loses_the_cluster_is_told(node: Node) -> None:
    node.nad("lan", node.macvlan("1.0.0"))
    made = pod(node, **{"default-route": ["10.0.0.1"]})
    node.call("ADD", made).good()
    assert routed_to(made, "10.96.0.10", "10.244.1.7") == ["eth1", "eth1"]
    [event] = node.api.events
    assert event["reason"] == "ClusterNetworkLost"
    assert event["message"].startswith(
        "the default route of IPv4 left the pod network, whose IPAM names no other route"
    )


def test_a_static_pods_mirror_gets_the_status_once_it_is_there(node: Node) -> None:
    node.nad("lan", node.macvlan("1.0.0"))
    made = node.pod("lan@eth1")
    made.annotations["kubernetes.io/config.source"] = "file"
    del node.api.pods[made.key]
    node.call("ADD", made).good()
    ctr = Ctr(node.folder / "ctr")
    ctr.knows(made)

    def reconcile() -> None:
        settings = json.dumps({**node.own_settings(), "kubeconfig": str(node.kubeconfig)})
        words = ["reconcile", "--once", f"--set={settings}", "--", str(ctr.command)]
        subprocess.run(["ip", "netns", "exec", node.netns, str(node.executable), *words], check=True, timeout=60)

    reconcile()
    node.api.pods[made.key], node.api.mirrors[made.key] = "the-mirrors-own", "of-another-pod"
    reconcile()
    assert made.key not in node.api.statuses
    node.api.mirrors[made.key] = made.uid
    reconcile()
    assert node.api.statuses[made.key][1]["interface"] == "eth1"
    asked = len(node.api.requests)
    reconcile()
    assert len(node.api.requests) == asked, "told once"


def test_a_static_pod_whose_mirror_is_there_needs_no_reconciler(node: Node) -> None:
    node.nad("lan", node.macvlan("1.0.0"))
    made = node.pod("lan@eth1")
    made.annotations["kubernetes.io/config.source"] = "file"
    node.api.pods[made.key], node.api.mirrors[made.key] = "the-mirrors-own", made.uid
    node.call("ADD", made).good()
    assert node.api.statuses[made.key][1]["interface"] == "eth1"


def test_a_network_that_is_changed_or_deleted_meanwhile(node: Node) -> None:
    """DEL frees what ADD took, whatever stands in the cluster by then; what is long is no matter either."""
    long = {**node.macvlan("1.0.0"), "comment": "x" * 1_000_000}
    node.nad("lan", long)
    changed, deleted = node.pod("lan"), node.pod("lan")
    for made in (changed, deleted):
        node.call("ADD", made).good()
    node.nad("lan", {**node.macvlan("1.0.0"), "master": "nowhere", "ipam": {"type": "static"}})
    node.call("DEL", changed).good()
    del node.api.nads["default/lan"]
    node.call("DEL", deleted).good()
    node.nothing_left()
