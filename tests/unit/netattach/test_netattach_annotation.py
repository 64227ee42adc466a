"""The annotation k8s.v1.cni.cncf.io/networks, as a table (NPWG 1.3, section 4.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.netattach.add import interface_names
from agents.netattach.annotation import parse
from agents.netattach.errors import CniError
from agents.netattach.request import NETWORKS


def selected(value: str) -> list[tuple[str, str]]:
    return [(selection.title, selection.interface) for selection in parse(value, "home")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("  ", []),
        ("[]", []),
        ("a", [("home/a", "")]),
        ("a,b", [("home/a", ""), ("home/b", "")]),
        (" a , other/b\n", [("home/a", ""), ("other/b", "")]),
        ("a@eth1", [("home/a", "eth1")]),
        ("other/a@eth1,a@eth2", [("other/a", "eth1"), ("home/a", "eth2")]),
        ("net.with.dots-1", [("home/net.with.dots-1", "")]),
        ('[{"name":"a"}]', [("home/a", "")]),
        ('[{"name":"a","namespace":"other","interface":"eth1"}]', [("other/a", "eth1")]),
        ('[{"name":"a","namespace":""}]', [("home/a", "")]),
        ('[{"name":"a","org.example.note":[1]}]', [("home/a", "")]),
    ],
)
def test_selects(value: str, expected: list[tuple[str, str]]) -> None:
    assert selected(value) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a,", '"" is not of the form [namespace/]name[@interface]'),
        ("A", '"A" is not of the form'),
        ("a b", '"a b" is not of the form'),
        ("x/y/z", '"x/y/z" is not of the form'),
        ("/a", '"/a" is not of the form'),
        ("../a", '"../a" is not of the form'),
        ("a@", 'asks for the interface ""'),
        ("a@this-name-is-too-long", 'asks for the interface "this-name-is-too-long", which is not a valid name'),
        ("a@e/1", 'asks for the interface "e/1"'),
        ("[{", "it begins like JSON and is not"),
        ('{"name":"a"}', "its JSON form is a list of objects"),
        ('["a"]', "its JSON form is a list of objects"),
        ("[{}]", 'an element needs the "name" of a network, not "None"'),
        ('[{"name":"a/b"}]', 'an element needs the "name" of a network, not "a/b"'),
        ('[{"name":"a","namespace":"B"}]', '"namespace" of "a" is not a namespace: "B"'),
        (
            '[{"name":"a","interface":"eth1","interfaceRequest":"eth2"}]',
            '"interfaceRequest" of "a" is not valid: "eth2"',
        ),
        ('[{"name":"a","ips":["10.0.0.300"]}]', '"ips" of "a" is not valid'),
        ('[{"name":"a","ips":[1]}]', '"ips" of "a" is not valid'),
        ('[{"name":"a","ips":"10.0.0.1"}]', '"ips" of "a" is not valid'),
        ('[{"name":"a","mac":"02:00:00:00:00"}]', '"mac" of "a" is not valid'),
        ('[{"name":"a","interface":"eth 1"}]', '"a" asks for the interface "eth 1", which is not a valid name'),
        ('[{"name":"a","interface":"this-name-is-too-long"}]', "choose one of at most 15 octets"),
        ('[{"name":"a","cni-args":[1]}]', '"cni-args" of "a" is not valid'),
        ('[{"name":"a","default-route":["x"]}]', '"default-route" of "a" is not valid'),
        ('[{"name":"a","default-route":"10.0.0.1"}]', '"default-route" of "a" is not valid'),
        ('[{"name":"a","portMappings":[{"hostPort":0,"containerPort":80}]}]', '"portMappings" of "a" is not valid'),
        ('[{"name":"a","portMappings":[{"hostPort":80}]}]', '"portMappings" of "a" is not valid'),
        (
            '[{"name":"a","portMappings":[{"hostPort":1,"containerPort":2,"protocol":"icmp"}]}]',
            '"portMappings" of "a" is not valid',
        ),
        ('[{"name":"a","bandwidth":{"ingressBurst":5}}]', '"bandwidth" of "a" is not valid'),
        ('[{"name":"a","bandwidth":{"ingressRate":0}}]', '"bandwidth" of "a" is not valid'),
        ('[{"name":"a","infiniband-guid":"24:8a:07:03:00:8d:ae:2f"}]', '"infiniband-guid" of "a" is not supported'),
        (
            '[{"name":"a","default-route":["10.0.0.1"]},{"name":"b","default-route":[]}]',
            '"default-route" stands on 2 networks; only one may have it',
        ),
        ('[{"name":"a","ips":["10.0.0.1"],"ipam-claim-reference":"c"}]', 'has both "ips" and "ipam-claim-reference"'),
    ],
)
def test_refuses(value: str, said: str) -> None:
    with pytest.raises(CniError) as caught:
        parse(value, "home")
    assert caught.value.code == 7
    assert caught.value.msg.startswith(f'the annotation "{NETWORKS}" is not valid: ')
    assert said in caught.value.msg


@pytest.mark.parametrize(
    ("key", "value", "capability", "handed_on"),
    [
        ("ips", ["10.2.2.42/24", "2001:db8::5"], "ips", ["10.2.2.42/24", "2001:db8::5"]),
        ("mac", "02:23:45:67:89:01", "mac", "02:23:45:67:89:01"),
        (
            "portMappings",
            [{"hostPort": 8080, "containerPort": 80}, {"hostPort": 53, "containerPort": 53, "protocol": "UDP"}],
            "portMappings",
            [
                {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
                {"hostPort": 53, "containerPort": 53, "protocol": "udp"},
            ],
        ),
        ("bandwidth", {"ingressRate": 2048}, "bandwidth", {"ingressRate": 2048, "ingressBurst": 2**32 - 1}),
        (
            "bandwidth",
            {"egressRate": 8000, "egressBurst": 200},
            "bandwidth",
            {"egressRate": 8000, "egressBurst": 200},
        ),
        ("ipam-claim-reference", "vm123.tenantblue", "ipam-claim-reference", "vm123.tenantblue"),
    ],
)
def test_becomes_a_capability(key: str, value: Any, capability: str, handed_on: Any) -> None:
    (selection,) = parse(json.dumps([{"name": "a", key: value}]), "home")
    assert selection.capability_args == {capability: handed_on}


def test_cni_args_and_default_route() -> None:
    text = '[{"name":"a","cni-args":{"spoofchk":"on"},"default-route":["10.0.0.1","2001:DB8::1"]},{"name":"b"}]'
    first, second = parse(text, "home")
    assert (first.cni_args, first.default_route) == ({"spoofchk": "on"}, ["10.0.0.1", "2001:db8::1"])
    assert (second.cni_args, second.default_route) == ({}, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a,b", ["net1", "net2"]),
        ("a@eth1,b", ["eth1", "net2"]),
        ("a,b@net1", ["net2", "net1"]),
        ("a,b@net2,c", ["net1", "net2", "net3"]),
    ],
)
def test_interfaces_are_named_by_place(value: str, expected: list[str]) -> None:
    assert interface_names(parse(value, "home"), "eth0") == expected


@pytest.mark.parametrize(
    "key", ["ips", "mac", "interface", "portMappings", "bandwidth", "ipam-claim-reference", "cni-args"]
)
@pytest.mark.parametrize("nothing", ["null", '""', "[]", "{}"])
def test_a_value_that_a_template_left_empty_is_none(key: str, nothing: str) -> None:
    (found,) = parse(f'[{{"name":"a","{key}":{nothing}}}]', "ns")
    (plain,) = parse('[{"name":"a"}]', "ns")
    assert vars(found) == vars(plain)


def test_an_empty_default_route_is_one() -> None:
    (found,) = parse('[{"name":"a","default-route":[]}]', "ns")
    assert found.default_route == []
    (found,) = parse('[{"name":"a","default-route":null}]', "ns")
    assert found.default_route is None


def test_the_older_name_of_interface() -> None:
    for text in ('{"name":"a","interfaceRequest":"eth1"}', '{"name":"a","interface":"eth1","interfaceRequest":"eth1"}'):
        (found,) = parse(f"[{text}]", "ns")
        assert found.interface == "eth1"


def test_keys_that_say_nothing_are_passed_over() -> None:
    """Of published charts: a UPF's `gateway`, a device's id; and what is mistyped."""
    text = '[{"name":"n3","interface":"n3","gateway":["10.0.0.1"],"deviceID":"0000:00:01.0","nmespace":"b","x.y/z":1}]'
    (found,) = parse(text, "ns")
    assert found.passed_over == ["gateway", "deviceID", "nmespace"]
    assert (found.namespace, found.interface) == ("ns", "n3")
