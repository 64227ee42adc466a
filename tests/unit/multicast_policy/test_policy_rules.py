"""From policy and ports to nftables' JSON, to the letter; the integration tests give the same documents to a kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.multicast_policy.model import Policy, Port, link_local
from agents.multicast_policy.rules import Present, as_name, as_namespace, document
from provision.templating import render_file
from tests.golden_files import compare

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def port(number: int, namespace: str, *addresses: str) -> Port:
    """Port vethN of pod-N."""
    name = f"pod-{number}"
    return Port(f"veth{number}", f"c{number}", namespace, name, addresses, f"0a:58:0a:f4:00:{number:02x}")


PORTS = (
    port(2, "green", "10.244.0.2", "fd00:10:244::2"),
    port(3, "green", "10.244.0.3"),
    port(4, "blue-sky", "10.244.0.4", "fd00:10:244::4"),
    port(5, "red", "fd00:10:244::5"),
)
BASE = Present(
    frozenset({"prerouting", "forward", "sent", "from_node", "to_node"}),
    frozenset({"dropped_forged", "node_received"}),
)
USED = Present(
    BASE.chains | {"port_veth1", "port_veth2", "ns_green", "ns_gone"},
    BASE.counters | {"sent_veth1", "sent_veth2", "delivered_gone", "dropped_in_gone", "delivered_green"},
)
CASES = {
    "nothing": (Policy(1), (), BASE),
    "off": (Policy(1), PORTS, BASE),
    "on": (Policy(2, ("blue-sky", "green")), PORTS, BASE),
    "node-groups": (Policy(3, ("green",), ("239.1.1.1", "ff1e::1:1")), PORTS[:1], BASE),
    "again": (Policy(4, ("green",)), PORTS[:2], USED),
    "no-ports": (Policy(5, ("green",)), (), USED),
}


@pytest.mark.parametrize("name", CASES)
def test_document(name: str) -> None:
    policy, ports, present = CASES[name]
    text = "\n".join(json.dumps(command) for command in document(policy, ports, present)["nftables"])
    compare(text + "\n", HERE / "golden" / f"{name}.jsonl")


def test_the_order_of_ports_changes_nothing() -> None:
    policy = Policy(2, ("blue-sky", "green"))
    assert document(policy, PORTS, USED) == document(policy, PORTS[::-1], USED)


@pytest.mark.parametrize("scoped", [False, True])
def test_the_default_drop(scoped: bool) -> None:
    values = {"multicast_policy_bridge": "cni0", "scoped": scoped}
    text = render_file(ROOT / "roles/multicast_policy/templates/base.nft.j2", values)
    compare(text, HERE / "golden" / f"base{'-scoped' if scoped else ''}.nft")


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{name}.jsonl" for name in CASES} | {"base.nft", "base-scoped.nft"}
    assert {path.name for path in (HERE / "golden").iterdir()} == wanted


def test_names_of_namespaces_stay_apart() -> None:
    names = ["a-b", "ab", "a--b", "node", "to-node", "control"]
    assert [as_namespace(as_name(name)) for name in names] == names
    assert len({as_name(name) for name in names}) == len(names)


def test_link_local_address_of_a_mac_address() -> None:
    assert link_local("0a:58:0a:f4:00:02") == "fe80::858:aff:fef4:2"
    for wrong in ("", "0a:58", "zz:58:0a:f4:00:02"):
        with pytest.raises(ValueError, match=r"MAC|invalid literal"):
            link_local(wrong)


def test_policy_of_the_object() -> None:
    spec = {"namespaces": [{"name": "b", "netid": 12, "by": []}, {"name": "a", "netid": 11, "by": []}]}
    policy = Policy.of({"metadata": {"generation": 7}, "spec": {**spec, "nodeGroups": ["239.1.1.1"]}})
    assert policy == Policy(7, ("a", "b"), ("239.1.1.1",))
    assert Policy.of({"metadata": {"generation": 1}}) == Policy(1)
