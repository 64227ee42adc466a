"""ADD, CHECK and DEL with the real plug-ins: what a pod gets, and that nothing stays behind."""

from __future__ import annotations

import json

import pytest
from netattach_node import Node


def test_pod_without_annotation_gets_the_default_network_and_costs_no_api_call(node: Node) -> None:
    pod = node.pod()
    result = node.call("ADD", pod).good()
    assert result["cniVersion"] == "1.1.0"
    assert list(pod.links()) == ["eth0"]
    assert pod.addresses("eth0") == [ip["address"].split("/")[0] for ip in result["ips"]]
    assert node.api.requests == []
    node.call("CHECK", pod).good()
    node.call("DEL", pod).good()
    assert pod.links() == {}
    node.nothing_left()


def test_pod_without_annotation_needs_no_credentials(node: Node) -> None:
    node.kubeconfig.unlink()
    pod = node.pod()
    node.call("ADD", pod).good()
    node.call("DEL", pod).good()


def test_seed_network_at_0_3_0(node: Node) -> None:
    """The seed's NetworkAttachmentDefinition, word for word but for the lease folder."""
    node.nad("eth1-multicast", node.macvlan())
    pod = node.pod("eth1-multicast@eth1")
    result = node.call("ADD", pod).good()
    assert pod.addresses("eth1") == ["10.0.0.13"]
    assert pod.links()["eth1"]["linkinfo"]["info_data"]["mode"] == "bridge"
    names = [interface["name"] for interface in result["interfaces"]]
    assert "eth0" in names and "eth1" not in names, "kubelet is told of the default network only"
    first, second = node.api.statuses[pod.key]
    assert (first["name"], first["interface"], first["default"]) == ("pods", "eth0", True)
    assert first["ips"] == pod.addresses("eth0")
    assert second == {
        "name": "default/eth1-multicast",
        "interface": "eth1",
        "ips": ["10.0.0.13"],
        "mac": pod.links()["eth1"]["address"],
        "default": False,
    }
    node.call("CHECK", pod).good()
    node.call("DEL", pod).good()
    assert pod.links() == {}
    node.nothing_left()
    assert node.api.events == []


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_each_network_runs_at_its_own_version(node: Node, version: str) -> None:
    node.nad("lan", node.macvlan(version))
    pod = node.pod("lan")
    node.call("ADD", pod).good()
    saved = json.loads((node.cache / f"{pod.id}@eth0.json").read_text())
    default, second = saved["attachments"]
    assert (default["result"]["cniVersion"], second["result"]["cniVersion"]) == ("1.0.0", version)
    assert second["result"]["ips"][0].get("version") == ("4" if version < "1" else None)
    node.call("CHECK", pod).good()
    node.call("DEL", pod).good()
    node.nothing_left()


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0", "1.1.0"])
def test_check_sees_a_lost_interface(node: Node, version: str) -> None:
    node.nad("lan", node.macvlan(version))
    pod = node.pod("lan@eth1")
    node.call("ADD", pod).good()
    from netattach_node import ip

    ip("-n", pod.netns, "link", "del", "eth1")
    answer = node.call("CHECK", pod)
    assert answer.status != 0
    assert 'network "default/lan" on "eth1"' in answer.json["msg"]
    node.call("DEL", pod).good()
    node.nothing_left()


def test_check_passes_over_a_network_below_0_4_0(node: Node) -> None:
    node.nad("lan", node.macvlan("0.3.1"))
    pod = node.pod("lan@eth1")
    node.call("ADD", pod).good()
    from netattach_node import ip

    ip("-n", pod.netns, "link", "del", "eth1")
    node.call("CHECK", pod).good()
    node.call("DEL", pod).good()


def test_check_of_an_unknown_container(node: Node) -> None:
    assert "has no attachment" in node.call("CHECK", node.pod()).bad(3)


def test_chain_passes_the_result_on(node: Node) -> None:
    """macvlan, then tuning: the MAC that tuning sets stands in the result and in the status."""
    chain = {
        "cniVersion": "0.4.0",
        "plugins": [
            {key: value for key, value in node.macvlan().items() if key != "cniVersion"},
            {"type": "tuning", "capabilities": {"mac": True}, "sysctl": {"net.ipv4.conf.IFNAME.log_martians": "1"}},
        ],
    }
    node.nad("tuned", chain)
    pod = node.pod('[{"name": "tuned", "interface": "eth1", "mac": "02:00:00:00:00:42"}]')
    node.call("ADD", pod).good()
    assert pod.links()["eth1"]["address"] == "02:00:00:00:00:42"
    assert node.api.statuses[pod.key][1]["mac"] == "02:00:00:00:00:42"
    node.call("CHECK", pod).good()
    node.call("DEL", pod).good()
    node.nothing_left()


def test_json_annotation_asks_for_an_address(node: Node) -> None:
    config = node.macvlan("1.0.0", capabilities={"ips": True}, ipam={"type": "static"})
    node.nad("fixed", config)
    pod = node.pod('[{"name": "fixed", "interface": "eth1", "ips": ["10.0.0.77/24", "fd00:10::77/64"]}]')
    node.call("ADD", pod).good()
    assert pod.addresses("eth1") == ["10.0.0.77", "fd00:10::77"]
    assert node.api.statuses[pod.key][1]["ips"] == ["10.0.0.77", "fd00:10::77"]
    node.call("DEL", pod).good()


def test_capability_that_no_plugin_has_is_refused(node: Node) -> None:
    node.nad("lan", node.macvlan())
    pod = node.pod('[{"name": "lan", "bandwidth": {"ingressRate": 1000}}]')
    assert 'the network "default/lan" cannot take "bandwidth"' in node.call("ADD", pod).bad(7)
    node.nothing_left()


def test_cni_args_reach_the_plugin(node: Node) -> None:
    """host-local takes an address from args.cni.ips (CNI conventions)."""
    node.nad("lan", node.macvlan("1.0.0", args={"cni": {"ips": ["10.0.0.50"], "other": "kept"}}))
    pod = node.pod('[{"name": "lan", "interface": "eth1", "cni-args": {"ips": ["10.0.0.99"]}}]')
    node.call("ADD", pod).good()
    assert pod.addresses("eth1") == ["10.0.0.99"]
    node.call("DEL", pod).good()
    node.nothing_left()


def test_default_route_moves(node: Node) -> None:
    node.nad("lan", node.macvlan("1.0.0"))
    pod = node.pod('[{"name": "lan", "interface": "eth1", "default-route": ["10.0.0.2", "10.0.0.3"]}]')
    result = node.call("ADD", pod).good()
    assert pod.default_routes() == [("10.0.0.2", "eth1"), ("10.0.0.3", "eth1")]
    assert pod.default_routes("-6") == [("fd00:10:244::1", "eth0")], "the other family stays"
    assert [route["dst"] for route in result["routes"]] == ["::/0"]
    assert [ip.get("gateway") for ip in result["ips"]] == [None, "fd00:10:244::1"]
    first, second = node.api.statuses[pod.key]
    assert (first["default-route"], second["default-route"]) == (["fd00:10:244::1"], ["10.0.0.2", "10.0.0.3"])
    node.call("CHECK", pod).good()
    node.call("DEL", pod).good()
    node.nothing_left()


def test_empty_default_route_takes_the_networks_own_gateway(node: Node) -> None:
    config = node.macvlan("1.0.0")
    config["ipam"] |= {"gateway": "10.0.0.1", "routes": [{"dst": "0.0.0.0/0"}]}
    node.nad("lan", config)
    pod = node.pod('[{"name": "lan", "interface": "eth1", "default-route": []}]')
    node.call("ADD", pod).good()
    assert pod.default_routes() == [("10.0.0.1", "eth1")]
    node.call("DEL", pod).good()


def test_default_route_that_cannot_be_set_undoes_all(node: Node) -> None:
    node.nad("lan", node.macvlan("1.0.0"))
    pod = node.pod('[{"name": "lan", "interface": "eth1", "default-route": ["10.0.0.1", "10.0.0.255"]}]')
    assert "10.0.0.1, 10.0.0.255" in node.call("ADD", pod).bad(103)
    assert pod.links() == {}
    node.nothing_left()


def test_one_network_twice_is_two_attachments(node: Node) -> None:
    node.nad("lan", node.macvlan())
    pod = node.pod("lan, lan")
    node.call("ADD", pod).good()
    assert list(pod.links()) == ["eth0", "net1", "net2"]
    assert [entry["interface"] for entry in node.api.statuses[pod.key]] == ["eth0", "net1", "net2"]
    assert len(node.leases("lan")) == 2
    assert sum("network-attachment-definitions" in request for request in node.api.requests) == 1
    node.call("DEL", pod).good()
    node.nothing_left()


def test_network_without_configuration_is_found_on_disk(node: Node) -> None:
    (node.net_d / "90-other.conflist").write_text(json.dumps({**_listed(node), "name": "on-disk"}))
    (node.net_d / "80-single.conf").write_text(json.dumps({**node.macvlan(), "name": "on-disk", "mode": "vepa"}))
    node.nad("on-disk", None)
    pod = node.pod("on-disk")
    node.call("ADD", pod).good()
    assert pod.links()["net1"]["linkinfo"]["info_data"]["mode"] == "bridge", "lists come before single configurations"
    node.call("DEL", pod).good()
    node.nothing_left()


def _listed(node: Node) -> dict[str, object]:
    return {"cniVersion": "1.0.0", "plugins": [node.macvlan()]}


def test_port_mappings_reach_the_default_network_only(node: Node) -> None:
    chain = {
        "cniVersion": "1.0.0",
        "plugins": [node.macvlan(), {"type": "portmap", "capabilities": {"portMappings": True}}],
    }
    node.nad("lan", chain)
    pod = node.pod("lan")
    runtime = {
        "io.kubernetes.cri.pod-annotations": pod.annotations,
        "portMappings": [{"hostPort": 18080, "containerPort": 80, "protocol": "tcp"}],
    }
    node.call("ADD", pod, runtimeConfig=runtime).good()
    saved = json.loads((node.cache / f"{pod.id}@eth0.json").read_text())
    assert saved["attachments"][0]["capabilityArgs"]["portMappings"][0]["hostPort"] == 18080
    assert saved["attachments"][1]["capabilityArgs"] == {}
    assert "18080" in _nat_rules(node)
    node.call("DEL", pod).good()
    assert "18080" not in _nat_rules(node), "DEL got the port mappings from the record"


def _nat_rules(node: Node) -> str:
    import subprocess

    shown = [
        subprocess.run(["ip", "netns", "exec", node.netns, *argv], capture_output=True, text=True, check=False).stdout
        for argv in (["nft", "list", "ruleset"], ["iptables-save", "-t", "nat"])
    ]
    return "".join(shown)


def test_chunked_answers_are_read(node: Node) -> None:
    node.api.chunked = True
    node.nad("lan", node.macvlan())
    pod = node.pod("lan")
    node.call("ADD", pod).good()
    assert len(node.api.statuses[pod.key]) == 2


def test_keys_that_say_nothing_are_told_and_passed_over(node: Node) -> None:
    """N12: published charts have them, and start under Multus."""
    node.nad("n3", node.macvlan())
    pod = node.pod('[{"name":"n3","interface":"n3","mac":"","ips":null,"gateway":["10.0.0.1"]}]')
    node.call("ADD", pod).good()
    assert list(pod.links()) == ["eth0", "n3"]
    (event,) = node.api.events
    assert event["reason"] == "NetworkKeysPassedOver"
    assert event["message"] == 'netattach knows nothing of "gateway" of "default/n3" and passed it over'
    assert [entry["interface"] for entry in node.api.statuses[pod.key]] == ["eth0", "n3"]


BOTH = {"addresses": [{"address": "10.0.0.77/24", "gateway": "10.0.0.1"},
                      {"address": "fd00:10::77/64", "gateway": "fd00:10::1"}]}  # fmt: skip


@pytest.mark.parametrize(
    "routes", [[], [{"dst": "0.0.0.0/0"}], [{"dst": "::/0"}], [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]]
)
def test_a_networks_own_default_route_moves_nothing_unless_asked(node: Node, routes: list[dict[str, str]]) -> None:
    """N10; and N7: asked, both families of its gateways move, whichever it has routes for."""
    node.nad("lan", {**node.macvlan("1.0.0"), "ipam": {"type": "static", **BOTH, "routes": routes}})
    pod = node.pod("lan@eth1")
    node.call("ADD", pod).good()
    assert pod.default_routes() == [("10.244.0.1", "eth0")]
    assert pod.default_routes("-6") == [("fd00:10:244::1", "eth0")]
    first, second = node.api.statuses[pod.key]
    assert first["default-route"] == ["10.244.0.1", "fd00:10:244::1"]
    assert "default-route" not in second
    node.call("CHECK", pod).good()
    node.call("DEL", pod).good()
    asking = node.pod('[{"name": "lan", "interface": "eth1", "default-route": []}]')
    node.call("ADD", asking).good()
    assert asking.default_routes() == [("10.0.0.1", "eth1")]
    assert asking.default_routes("-6") == [("fd00:10::1", "eth1")]
    node.call("CHECK", asking).good()
