"""What entries of the programs' maps are made from."""

from __future__ import annotations

import dataclasses

import pytest

from agents.multicast_policy.model import Node, Policy, Port, link_local, packed
from agents.multicast_policy.tables import space

PORT = Port("veth1", "c1", "green", "one", ("10.244.0.2", "fd00:10:244::2"), "0a:58:0a:f4:00:02", "uid-1")


def test_link_local_address_of_a_mac_address() -> None:
    assert link_local("0a:58:0a:f4:00:02") == "fe80::858:aff:fef4:2"
    for wrong in ("", "0a:58", "zz:58:0a:f4:00:02"):
        with pytest.raises(ValueError, match=r"MAC|invalid literal"):
            link_local(wrong)


def test_policy_of_the_object() -> None:
    spec = {"namespaces": [{"name": "b", "netid": 12, "by": []}, {"name": "a", "netid": 11, "by": []}]}
    policy = Policy.of({"metadata": {"generation": 7}, "spec": {**spec, "nodeGroups": ["239.1.1.1"]}})
    assert policy == Policy(7, ("a", "b"), ("239.1.1.1",), (("a", 11), ("b", 12)))
    assert Policy.of({"metadata": {"generation": 1}}) == Policy(1)
    nodes = [{"name": "k8s", "address": "10.89.0.11", "subnets": ["10.244.0.0/24", "fd00::/64"]}]
    across = {"nodes": nodes, "crossing": "10.244.255.254", "apart": "no network of their own"}
    several = Policy.of({"metadata": {"generation": 2}, "spec": {"across": across}})
    assert several.nodes == (Node("k8s", "10.89.0.11", ("10.244.0.0/24", "fd00::/64")),)
    assert (several.crossing, several.apart) == ("10.244.255.254", "no network of their own")


def test_a_port_has_no_more_addresses_than_its_entry_holds() -> None:
    PORT.check()
    for addresses in (("10.0.0.1", "10.0.0.2", "10.0.0.3"), ("fd00::1", "fd00::2", "fd00::3", "fd00::4")):
        with pytest.raises(ValueError, match="more than 2 IPv4 or 3 IPv6 addresses"):
            dataclasses.replace(PORT, addresses=addresses).check()
    with pytest.raises(ValueError, match="banana"):
        dataclasses.replace(PORT, addresses=("banana",)).check()


def test_addresses_of_both_families_have_one_form() -> None:
    assert packed("239.1.1.1") == bytes(10) + b"\xff\xff\xef\x01\x01\x01"
    assert packed("ff1e::1:1")[:2] == b"\xff\x1e"


def test_a_namespace_has_the_same_number_everywhere_and_no_other_has_it() -> None:
    names = [f"ns-{number}" for number in range(2000)] + ["a-b", "ab", "a--b"]
    assert len({space(name) for name in names}) == len(names)
    assert space("green") == 0xBA4788B226AA8DC2
