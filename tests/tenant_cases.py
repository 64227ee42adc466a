"""Networks that tenants may have, and those that they may not: for the policy itself, netattach and the API server.

A refused case changes its twin, which is allowed, in one thing. The namespace `video` was given the ranges below.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

POLICY: dict[str, Any] = {
    "networks": ["pods", "eth1-multicast"],
    "masters": ["eth1"],
    "own": {},
    "pools": True,
    "administrators": {"users": [], "groups": ["system:masters", "kubeadm:cluster-admins"]},
    "limits": {"selections": 16, "addresses": 256},
    "tenants": {
        "video": {"ranges": ["10.0.0.64/26", "fd00:10::100/120"]},
        "routed": {"types": ["ipvlan"], "masters": ["eth2"], "ranges": ["10.9.0.0/16"]},
        "trusted": {
            "types": ["bandwidth"], "masters": ["eth3"], "ranges": ["10.0.0.128/26"],
            "options": ["macvlan.linkInContainer", "macvlan.mode", "macvlan.capabilities"],
        },
    },
}  # fmt: skip

LOCAL = {"type": "host-local", "subnet": "10.0.0.0/24", "rangeStart": "10.0.0.70", "rangeEnd": "10.0.0.80"}
STATIC = {"type": "static", "addresses": [{"address": "10.0.0.90/24"}]}
MACVLAN = {"cniVersion": "0.3.1", "type": "macvlan", "master": "eth1", "mode": "bridge", "ipam": LOCAL}
TUNING = {"type": "tuning", "sysctl": {"net.ipv4.igmp_max_memberships": "100"}}


@dataclass(frozen=True)
class Case:
    """`key` is what the refusal names, empty where the network is allowed.

    `needless` ones only the API server refuses, which reads no JSON.
    """

    text: str
    key: str = ""
    namespace: str = "video"
    name: str = "net-a"
    needless: bool = False


def _with(base: Mapping[str, Any], **more: Any) -> str:
    """`base` with other values; None takes a key out."""
    return json.dumps({key: value for key, value in {**base, **more}.items() if value is not None})


def _ipam(**more: Any) -> str:
    return _with(MACVLAN, ipam={key: value for key, value in {**LOCAL, **more}.items() if value is not None})


def _pooled(**more: Any) -> str:
    pool = {"type": "whereabouts", "range": "10.0.0.64/27", "range_start": "10.0.0.70", "range_end": "10.0.0.80"}
    return _with(MACVLAN, ipam={key: value for key, value in {**pool, **more}.items() if value is not None})


def _static(*addresses: str) -> str:
    return _with(MACVLAN, ipam={"type": "static", "addresses": [{"address": address} for address in addresses]})


def _chain(*plugins: Mapping[str, Any], **top: Any) -> str:
    return json.dumps({"cniVersion": "1.0.0", "name": "chain", "plugins": list(plugins), **top})


def _other(kind: str, **keys: Any) -> str:
    return json.dumps({"cniVersion": "0.3.1", "type": kind, **keys})


_FIRST = {key: value for key, value in MACVLAN.items() if key != "cniVersion"}
_OF_A_POD = {"cniVersion": "0.3.1", "interfaces": [{"name": "veth1"}], "ips": [{"address": "10.244.0.9/24"}]}
_SETS = [[{"subnet": "10.0.0.64/27"}], [{"subnet": "fd00:10::100/120", "rangeStart": "fd00:10::110"}]]

CASES: dict[str, Case] = {
    # What is allowed.
    "the nearest to the seed": Case(json.dumps(MACVLAN)),
    "over several lines": Case(json.dumps(MACVLAN, indent=4)),
    "private": Case(_with(MACVLAN, mode="private")),
    "vepa": Case(_with(MACVLAN, mode="vepa")),
    "no mode": Case(_with(MACVLAN, mode=None)),
    "no addresses": Case(_with(MACVLAN, ipam=None)),
    "static": Case(_with(MACVLAN, ipam=STATIC)),
    "static, both families": Case(_static("10.0.0.90/24", "fd00:10::1aa/64")),
    "static with routes and names": Case(
        _with(MACVLAN, ipam={**STATIC, "routes": [{"dst": "192.168.7.0/24", "gw": "10.0.0.1"}, {"dst": "0.0.0.0/0"}],
                             "dns": {"nameservers": ["10.1.0.1"], "domain": "example.com", "search": ["example.com"]}})
    ),
    "dhcp": Case(_with(MACVLAN, ipam={"type": "dhcp"})),
    "a subnet of its range": Case(_ipam(subnet="10.0.0.64/27", rangeStart=None, rangeEnd=None)),
    "ranges": Case(_with(MACVLAN, ipam={"type": "host-local", "ranges": _SETS})),
    "a range that nodes share": Case(_pooled()),
    "a range that nodes share, whole": Case(_pooled(range="10.0.0.64/26", range_start=None, range_end=None)),
    "its size and its MAC by the pod": Case(_with(MACVLAN, mtu=1400, bcqueuelen=1000, capabilities={"mac": True})),
    "a chain": Case(_chain(_FIRST)),
    "a chain with tuning": Case(_chain(_FIRST, TUNING)),
    "a chain with sbr": Case(_chain(_FIRST, {"type": "sbr"})),
    "several versions": Case(_chain(_FIRST, cniVersions=["0.4.0", "1.0.0"], disableCheck=True)),
    "ipvlan of one who was given it": Case(
        _other("ipvlan", master="eth2", mode="l2", ipam={"type": "host-local", "subnet": "10.9.1.0/24"}),
        namespace="routed",
    ),
    "macvlan beside ipvlan": Case(_other("macvlan", master="eth1"), namespace="routed"),
    "more for one who was given it": Case(
        _chain({"type": "macvlan", "master": "eth3", "mode": "passthru", "linkInContainer": True,
                "capabilities": {"ips": True}, "ipam": {"type": "host-local", "subnet": "10.0.0.128/26"}},
               {"type": "bandwidth", "ingressRate": 1000, "shape": {"a": "b"}}),
        namespace="trusted",
    ),
    # Masters.
    "the node's own interface": Case(_with(MACVLAN, master="eth0"), "master"),
    "the pod network's bridge": Case(_with(MACVLAN, master="cni0"), "master"),
    "a pod's port": Case(_with(MACVLAN, master="vethdeadbeef"), "master"),
    "another's master": Case(_with(MACVLAN, master="eth3"), "master"),
    "no master": Case(_with(MACVLAN, master=None), "master"),
    "an empty master": Case(_with(MACVLAN, master=""), "master"),
    "no master in a chain": Case(_chain({"type": "macvlan"}), "master"),
    "macvlan on ipvlan's master": Case(_other("macvlan", master="eth2"), "master", "routed"),
    "ipvlan on macvlan's master": Case(_other("ipvlan", master="eth1"), "master", "routed"),
    # Keys, as Go reads them.
    "MASTER": Case(_with(MACVLAN, master=None, MASTER="eth0"), "master"),
    "MASTER, an allowed one": Case(_with(MACVLAN, master=None, MASTER="eth1"), needless=True),
    "MASTER beside master": Case(_with(MACVLAN, MASTER="eth0"), "MASTER"),
    "a second master": Case(json.dumps(MACVLAN)[:-1] + ', "master": "eth0"}', "master"),
    "an escaped second master": Case(json.dumps(MACVLAN)[:-1] + r', "\u006daster": "eth0"}', "master"),
    "a long s": Case(_with(MACVLAN, **{"ma\u017fter": "eth0"}), "ma"),
    "a long s, plain": Case(json.dumps({**MACVLAN, "ma\u017fter": "eth0"}, ensure_ascii=False), "ma"),
    "the Kelvin sign": Case(_with(MACVLAN, **{"lin\u212aInContainer": True}), "InContainer"),
    "an escape in a value": Case(json.dumps(MACVLAN).replace('"eth1"', r'"\u0065th1"'), needless=True),
    "an escaped type": Case(json.dumps(MACVLAN).replace('"macvlan"', r'"\u0062ridge"'), "type"),
    "a second type": Case(json.dumps(MACVLAN)[:-1] + ', "type": "bridge"}', "type"),
    "a second ipam": Case(json.dumps(MACVLAN)[:-1] + ', "ipam": {"type": "dhcp"}}', "ipam"),
    "a second subnet": Case(json.dumps(MACVLAN).replace('"rangeS', '"subnet": "10.0.0.0/8", "rangeS'), "subnet"),
    "second plugins": Case(_chain(_FIRST)[:-1] + ', "plugins": []}', "plugins"),
    "plugins beside a type": Case(_chain(_FIRST)[:-1] + ', "type": "bridge"}', "type"),
    "PLUGINS beside a type": Case(_with(MACVLAN, PLUGINS=[{"type": "bridge"}]), "plugins[0]"),
    "an unknown key": Case(_with(MACVLAN, isGateway=True), "isGateway"),
    "a key of another place": Case(_with(MACVLAN, subnet="10.0.0.64/27"), "subnet"),
    "a number as text": Case(_with(MACVLAN, mtu="1500"), "mtu"),
    "a broken number": Case(_with(MACVLAN, mtu=1.5), "mtu"),
    "blank in a value": Case(_with(MACVLAN, mode="bridge "), "mode"),
    "no JSON": Case('{"type": "macvlan",}', "config"),
    "not a number": Case('{"type": "macvlan", "mtu": NaN}', "config"),
    "a list": Case("[]", "config"),
    "two documents": Case(json.dumps(MACVLAN) + json.dumps(MACVLAN), "config"),
    "no configuration": Case("", "config"),
    "deep": Case('{"ipam":' * 700 + "1" + "}" * 700, "config"),
    "long": Case(_with(MACVLAN, ipam={"type": "static", "addresses": [{"address": "10.0.0.90/24"}] * 200}), "config"),
    # Types and modes.
    "passthru": Case(_with(MACVLAN, mode="passthru"), "mode"),
    "linkInContainer": Case(_with(MACVLAN, linkInContainer=True), "linkInContainer"),
    "ipvlan": Case(_other("ipvlan", master="eth1", mode="l2"), "type"),
    "bridge on cni0": Case(_other("bridge", bridge="cni0"), "type"),
    "BRIDGE on cni0": Case(_other("bridge", BRIDGE="cni0"), "type"),
    "bridge on cni0 as gateway": Case(_other("bridge", bridge="cni0", isGateway=True, forceAddress=True), "type"),
    "a bridge of its own": Case(_other("bridge", bridge="mine", ipMasq=True, isGateway=True, ipam=LOCAL), "type"),
    "ptp": Case(_other("ptp", ipam={"type": "static", "addresses": [{"address": "10.244.0.9/30"}]}), "type"),
    "host-device": Case(_other("host-device", device="eth1"), "type"),
    "another pod's port": Case(_other("host-device", device="veth12345678"), "type"),
    "vlan": Case(_other("vlan", master="eth1", vlanId=5), "type"),
    "vrf": Case(_chain(_FIRST, {"type": "vrf", "vrfname": "blue"}), "type"),
    "portmap in a chain": Case(_chain(_FIRST, {"type": "portmap", "capabilities": {"portMappings": True}}), "type"),
    "the kubelet's port": Case(
        _chain(_FIRST, {"type": "portmap", "runtimeConfig": {"portMappings": [{"hostPort": 10250}]}}), "type"
    ),
    "portmap for another": Case(_other("portmap", PREVRESULT=_OF_A_POD), "type"),
    "firewall for another": Case(_other("firewall", PREVRESULT=_OF_A_POD), "type"),
    "multicast-bind": Case(_other("multicast-bind", bridge="cni0", prevResult=_OF_A_POD), "type"),
    "multicast-bind in a chain": Case(_chain(_FIRST, {"type": "multicast-bind", "bridge": "cni0"}), "type"),
    "multicast-bind for addresses": Case(_with(MACVLAN, ipam={"type": "multicast-bind"}), "type"),
    "netattach": Case(_other("netattach", kubeconfig="/etc/shadow"), "type"),
    "another's type": Case(_chain(_FIRST, {"type": "bandwidth", "ingressRate": 1000}), "type"),
    "a path for a type": Case(_other("../../../bin/sh"), "type"),
    "macvlan behind macvlan": Case(_chain(_FIRST, _FIRST), "type"),
    "tuning alone": Case(json.dumps(TUNING), "type"),
    "sbr alone": Case(_other("sbr"), "type"),
    "tuning first": Case(_chain(TUNING, _FIRST), "type"),
    "no type": Case(_with(MACVLAN, type=None), "type"),
    "no type in a chain": Case(_chain({"master": "eth1"}), "type"),
    "MASTER of an added type": Case(_other("bandwidth", MASTER="eth0"), "master", "trusted"),
    "a second type of an added one": Case('{"type": "bandwidth", "type": "bridge"}', "type", "trusted"),
    "an empty chain": Case(_chain(), "plugins"),
    # Addresses.
    "a host's address": Case(_static("10.0.0.11/24"), "address"),
    "the gateway's": Case(_static("10.0.0.1/24"), "address"),
    "in IPv6's form": Case(_static("::ffff:10.0.0.11/120"), "address"),
    "one of two": Case(_static("10.0.0.90/24", "10.0.0.12/24"), "address"),
    "the other family's": Case(_static("fd00:10::11/64"), "address"),
    "a range that begins before": Case(_ipam(rangeStart="10.0.0.13"), "subnet"),
    "a range that ends behind": Case(_ipam(rangeEnd="10.0.0.200"), "subnet"),
    "a range without an end": Case(_ipam(rangeEnd=None), "subnet"),
    "a whole subnet": Case(_ipam(rangeStart=None, rangeEnd=None), "subnet"),
    "a subnet of its range, begun before": Case(_ipam(subnet="10.0.0.64/27", rangeStart="10.0.0.1"), "subnet"),
    "no subnet": Case(_ipam(subnet=None), "subnet"),
    "one of two ranges": Case(
        _with(MACVLAN, ipam={"type": "host-local", "ranges": [*_SETS, [{"subnet": "10.0.0.0/26"}]]}), "subnet"
    ),
    "a range beside ranges": Case(_with(MACVLAN, ipam={**LOCAL, "subnet": "10.0.0.0/24", "ranges": _SETS}), "subnet"),
    "a range that nodes share, a host's in it": Case(_pooled(range="10.0.0.0/24"), "range"),
    "a range that nodes share, another's": Case(_pooled(range="10.0.0.128/27"), "range"),
    "a range that nodes share, from and to": Case(_pooled(range="10.0.0.13-10.0.0.64/26"), "range"),
    "a range that nodes share, none": Case(_pooled(range=None), "range"),
    "a range that nodes share, by other credentials": Case(_pooled(kubernetes={"kubeconfig": "/etc/x"}), "kubernetes"),
    "a range that nodes share, logged": Case(_pooled(log_file="/etc/cron.d/x"), "log_file"),
    "a range that nodes share, by another file": Case(_pooled(configuration_path="/etc/x"), "configuration_path"),
    "a range that nodes share, kept waiting": Case(_pooled(sleep_for_race=600), "sleep_for_race"),
    "a range that nodes share, seen by no other": Case(_pooled(enable_overlapping_ranges=False), "enable_overlapping"),
    "another's range": Case(_ipam(rangeStart="10.0.0.130", rangeEnd="10.0.0.140"), "subnet"),
    "a range of one who has none": Case(json.dumps(MACVLAN), "subnet", "poor"),
    "addresses by the pod": Case(_with(MACVLAN, capabilities={"ips": True}), "ips"),
    "arguments": Case(_with(MACVLAN, args={"cni": {"ips": ["10.0.0.11"]}}), "args"),
    # Files, results, names.
    "dataDir": Case(_ipam(dataDir="/etc/cron.d"), "dataDir"),
    "DATADIR": Case(_ipam(DATADIR="/etc/cron.d"), "DATADIR"),
    "resolvConf": Case(_ipam(resolvConf="/etc/shadow"), "resolvConf"),
    "tuning's dataDir": Case(_chain(_FIRST, {**TUNING, "dataDir": "/etc"}), "dataDir"),
    "folder": Case(_with(MACVLAN, folder="/etc"), "folder"),
    "dhcp's socket": Case(_with(MACVLAN, ipam={"type": "dhcp", "daemonSocketPath": "/run/x"}), "daemonSocketPath"),
    "prevResult": Case(_with(MACVLAN, prevResult=_OF_A_POD), "prevResult"),
    "runtimeConfig": Case(_with(MACVLAN, runtimeConfig={"mac": "02:00:00:00:00:01"}), "runtimeConfig"),
    "a sysctl of the node": Case(_chain(_FIRST, {"type": "tuning", "sysctl": {"kernel.core_pattern": "x"}}), "kernel"),
    "a sysctl by a path": Case(
        _chain(_FIRST, {"type": "tuning", "sysctl": {"net/ipv4/../../kernel/core_pattern": "x"}}), "net/ipv4"
    ),
    "the pod network's name": Case(_with(MACVLAN, name="pods"), "name"),
    "the lab's name": Case(_with(MACVLAN, name="eth1-multicast"), "name"),
    "an object of the lab's name": Case(json.dumps(MACVLAN), "name", name="eth1-multicast"),
}  # fmt: skip
