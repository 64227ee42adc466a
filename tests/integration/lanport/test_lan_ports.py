"""What hosts may say on the multicast LAN: raw frames from a host's port, and who sees them on the other's."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from provision.core.paths import ROOT
from provision.core.wait import Deadline, NotYet, until
from tests.damage import DAMAGE, SAID, damage
from tests.integration.multicast_policy import frames as f
from tests.integration.multicast_policy.wire import SPACE, Wire, mac

SCRIPT = ROOT / "agents" / "lanport" / "lanport.py"
K8S, SOURCE, POD = (mac(f"0a:00:00:00:00:0{number}") for number in (1, 2, 9))
NOBODY = "0.0.0.0"  # noqa: S104 - a source address
GATEWAY4, GATEWAY6 = "10.0.0.1", "fd00:10::1"
_numbers = count(1)


class Lan:
    """A bridge of this machine with two hosts; frames go out of `k8s`, whose port is the guarded one."""

    def __init__(self, folder: Path) -> None:
        prefix = f"lan{os.getpid()}-{next(_numbers)}"
        self.here, self.k8s, self.source = (f"{prefix}{role}" for role in ("m", "k", "s"))
        self.file = folder / "k8s.json"
        for netns in (self.here, self.k8s, self.source):
            run("ip", "netns", "add", netns)
        run("ip", "-n", self.here, "link", "add", "br0", "up", "type", "bridge", "mcast_snooping", "0")
        for netns, address in ((self.k8s, "0a:00:00:00:00:01"), (self.source, "0a:00:00:00:00:02")):
            self.connect(netns, address)
        self.container = subprocess.Popen(["ip", "netns", "exec", self.k8s, "sleep", "600"])
        until("the container to be where its network is", self._is_there, Deadline.after(20), interval=0.02)

    def connect(self, netns: str, address: str) -> None:
        """A port for the host in `netns`, by the name that each of its ports has."""
        port = f"v{netns[-1]}"
        end = ("peer", "eth1", "netns", netns, "address", address)
        run("ip", "-n", self.here, "link", "add", port, "type", "veth", *end)
        run("ip", "-n", self.here, "link", "set", port, "master", "br0", "up")
        run("ip", "-n", netns, "link", "set", "eth1", "up")

    def _is_there(self) -> bool | NotYet:
        """`ip` begins in this machine's own network namespace."""
        own, wanted = Path(f"/proc/{self.container.pid}/ns/net"), Path(f"/run/netns/{self.k8s}")
        return own.stat().st_ino == wanted.stat().st_ino or NotYet("it is still this machine's")

    def describe(self, **change: Any) -> None:
        host = {
            "table": "lan-k8s", "interface": "eth1", "mac": "0a:00:00:00:00:01", "own": ["10.0.0.11", "fd00:10::11"],
            "others": ["10.0.0.12", "fd00:10::12", GATEWAY4, GATEWAY6], "other_macs": ["0a:00:00:00:00:02"],
            "router": False, **change,
        }  # fmt: skip
        self.file.write_text(json.dumps(host))

    def hook(self, state: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """The hook, as the container's runtime calls it at its start."""
        found = {"pid": self.container.pid, "annotations": {"mcastlab.lan": str(self.file)}}
        return subprocess.run(
            ["ip", "netns", "exec", self.here, sys.executable, "-I", "-S", str(SCRIPT)],
            input=json.dumps(state or found), text=True, capture_output=True, check=False, timeout=30,
        )  # fmt: skip

    def seen(self, said: dict[str, bytes]) -> set[str]:
        """Of the frames that `k8s` sends, those that `source` sees."""
        wire = Wire({"k8s": (self.k8s, "eth1"), "source": (self.source, "eth1")}, {})
        try:
            found = wire.play([("k8s", frame) for frame in said.values()])
        finally:
            wire.close()
        return {name for name, who in zip(said, found, strict=True) if "source" in who}

    def close(self) -> None:
        self.container.kill()
        self.container.wait()
        for netns in (self.here, self.k8s, self.source):
            run("ip", "netns", "del", netns)


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[Lan]:
    made = Lan(tmp_path)
    try:
        yield made
    finally:
        made.close()


def to_group(by: bytes, source: str, group: str, protocol: int, payload: bytes, tags: bytes = b"") -> bytes:
    return f.ethernet(f.group_mac(group), by, *f.ip(source, group, payload, protocol), tags=tags)


def arp(by: bytes, claims: str) -> bytes:
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + by + f.packed(claims) + f.BROADCAST + f.packed("10.0.0.12")
    return f.ethernet(f.BROADCAST, by, f.ARP, body + SPACE)


def advertised(by: bytes, source: str, target: str, kind: int = 136) -> bytes:
    """A neighbour's advertisement of `target`, or a solicitation for it."""
    message = f.icmp6(source, "ff02::1", kind, bytes(4) + f.packed(target) + b"\x02\x01" + by)
    return f.ethernet(f.group_mac("ff02::1"), by, f.IP6, f.ipv6(source, "ff02::1", f.ICMP6, message))


def mld(kind: int, *headers: int) -> bytes:
    first, payload = f.extended(f.icmp6("fe80::9", "ff02::1", kind, bytes(24)), *headers)
    return f.ethernet(f.group_mac("ff02::1"), POD, f.IP6, f.ipv6("fe80::9", "ff02::1", first, payload, hops=1))


QUERY = f.igmp(0x11, bytes(8))
TAG = struct.pack("!HH", 0x8100, 0)
# What only routers say.
ROUTERS = {
    "IGMP query": to_group(POD, "10.0.0.99", "224.0.0.1", f.IGMP, QUERY),
    "IGMP query of the lowest address": to_group(POD, "0.0.0.1", "224.0.0.1", f.IGMP, QUERY),
    "IGMP query behind a tag": to_group(POD, "10.0.0.99", "224.0.0.1", f.IGMP, QUERY, TAG),
    "IGMP query behind two tags": to_group(POD, "10.0.0.99", "224.0.0.1", f.IGMP, QUERY, TAG * 2),
    "a fragment of IGMP": f.ethernet(
        f.group_mac("224.0.0.1"), POD, f.IP4, f.ipv4("10.0.0.99", "224.0.0.1", f.IGMP, QUERY, fragment=0x2000)
    ),
    "DVMRP": to_group(POD, "10.0.0.99", "224.0.0.4", f.IGMP, f.igmp(0x13)),
    "multicast router advertisement": to_group(POD, "10.0.0.99", "224.0.0.106", f.IGMP, f.igmp(0x30)),
    "MLD query": mld(130, f.HOP),
    "MLD query without a router alert": mld(130),
    "MLD query behind an authentication header": mld(130, f.HOP, f.AH),
    "MLD query in a fragment": mld(130, f.HOP, f.FRAGMENT),
    "multicast router advertisement, IPv6": mld(151, f.HOP),
    "PIM hello": to_group(POD, "10.0.0.99", "224.0.0.13", f.PIM, b"\x20\0\0\0" + SPACE),
    "PIM hello, IPv6": to_group(POD, "fe80::9", "ff02::d", f.PIM, b"\x20\0\0\0" + SPACE),
    "router advertisement": to_group(POD, "10.0.0.99", "224.0.0.1", f.ICMP, f.icmp4(9)),
    "router advertisement, IPv6": mld(134),
    "redirect, IPv6": mld(137),
}
# What claims to be another host, or the LAN's bridge.
CLAIMS = {
    "another host's MAC address": to_group(SOURCE, "10.0.0.99", "239.1.1.1", f.UDP, f.udp()),
    "another host as source": to_group(POD, "10.0.0.12", "239.1.1.1", f.UDP, f.udp()),
    "another host as source, IPv6": to_group(POD, "fd00:10::12", "ff1e::1", f.UDP, f.udp()),
    "the bridge as source": to_group(POD, GATEWAY4, "239.1.1.1", f.UDP, f.udp()),
    "ARP for another host": arp(POD, "10.0.0.12"),
    "ARP for the bridge": arp(POD, GATEWAY4),
    "ARP for another host by the host": arp(K8S, "10.0.0.12"),
    "advertisement for another host": advertised(POD, "fe80::9", "fd00:10::12"),
    "advertisement for the bridge": advertised(POD, "fe80::9", GATEWAY6),
    "detection of a duplicate of another host": advertised(POD, "::", "fd00:10::12", 135),
    "its host's address by a pod": to_group(POD, "10.0.0.11", "239.1.1.1", f.UDP, f.udp()),
    "ARP for its host by a pod": arp(POD, "10.0.0.11"),
    "advertisement for its host by a pod": advertised(POD, "fe80::9", "fd00:10::11"),
}
ALLOWED = {
    "the host's multicast": to_group(K8S, "10.0.0.11", "239.1.1.1", f.UDP, f.udp()),
    "the host's multicast, IPv6": to_group(K8S, "fd00:10::11", "ff1e::1", f.UDP, f.udp()),
    "a pod's multicast": to_group(POD, "10.0.0.99", "239.1.1.1", f.UDP, f.udp()),
    "a pod's multicast, IPv6": to_group(POD, "fe80::9", "ff1e::1", f.UDP, f.udp()),
    "a pod's multicast without an address": to_group(POD, NOBODY, "239.1.1.1", f.UDP, f.udp()),
    "ARP for the host": arp(K8S, "10.0.0.11"),
    "ARP for a pod": arp(POD, "10.0.0.99"),
    "advertisement for the host": advertised(K8S, "fe80::1", "fd00:10::11"),
    "advertisement for a pod": advertised(POD, "fe80::9", "fd00:10::99"),
    "solicitation for another host": advertised(POD, "fe80::9", "fd00:10::12", 135),
    "IGMPv3 report": to_group(POD, "10.0.0.99", "224.0.0.22", f.IGMP, f.igmp(0x22)),
    "MLDv2 report": mld(143, f.HOP),
    "a datagram in fragments": f.ethernet(
        f.group_mac("239.1.1.1"), POD, f.IP4, f.ipv4("10.0.0.99", "239.1.1.1", f.UDP, f.udp(), fragment=0x2000)
    ),
    "precision time": f.ethernet(mac("01:1b:19:00:00:00"), POD, b"\x88\xf7", SPACE),
}
ALL = {**ROUTERS, **CLAIMS, **ALLOWED}


def test_only_what_a_host_may_say_passes_its_port(lan: Lan) -> None:
    """First all of it passes: what is dropped later would have arrived."""
    assert lan.seen(ALL) == set(ALL)
    lan.describe()
    assert lan.hook().returncode == 0
    assert lan.seen(ALL) == set(ALLOWED)


def test_a_router_says_what_routers_say_and_speaks_for_no_host(lan: Lan) -> None:
    lan.describe(router=True)
    assert lan.hook().returncode == 0
    assert lan.seen(ALL) == {*ROUTERS, *ALLOWED}


def test_a_second_start_replaces_the_rules(lan: Lan) -> None:
    """The port has another name then, and the rules of before hang at none."""
    lan.describe()
    assert lan.hook().returncode == 0
    run("ip", "-n", lan.here, "link", "set", "vk", "down")
    run("ip", "-n", lan.here, "link", "set", "vk", "name", "other")
    run("ip", "-n", lan.here, "link", "set", "other", "up")
    assert lan.hook().returncode == 0
    shown = run("ip", "netns", "exec", lan.here, "nft", "list", "tables")
    assert shown.count("table") == 1
    assert lan.seen(ALL) == set(ALLOWED)


def test_rules_do_not_hold_for_the_next_port_of_that_name(lan: Lan) -> None:
    """Which another lab's host may have, while the one that they were laid for is stopped."""
    lan.describe()
    assert lan.hook().returncode == 0
    assert lan.seen(ALL) == set(ALLOWED)
    run("ip", "-n", lan.here, "link", "del", "vk")
    lan.connect(lan.k8s, "0a:00:00:00:00:01")
    assert lan.seen(ALL) == set(ALL)
    assert lan.hook().returncode == 0
    assert lan.seen(ALL) == set(ALLOWED)


def test_a_lan_of_one_family(lan: Lan) -> None:
    lan.describe(own=["10.0.0.11"], others=["10.0.0.12"])
    assert lan.hook().returncode == 0
    assert "ARP for another host" not in lan.seen(CLAIMS)


def test_rules_that_cannot_be_laid_are_an_error(lan: Lan) -> None:
    """So that the runtime does not start the container."""
    lan.describe(mac="none")
    done = lan.hook()
    assert done.returncode != 0
    assert "the LAN's rules for port 'vk' are refused" in done.stderr
    lan.describe(interface="eth7")
    assert f"process {lan.container.pid} has no interface 'eth7'" in refused(lan)
    lan.file.unlink()
    assert f"the file '{lan.file}' cannot be opened: No such file or directory; `mcastlab up`" in refused(lan)


def refused(lan: Lan) -> str:
    """What the hook says, in one sentence, when it lays no rules."""
    done = lan.hook()
    assert done.returncode == 1
    assert done.stderr.startswith("lanport: ")
    assert done.stderr.count("\n") == 1
    assert "table" not in run("ip", "netns", "exec", lan.here, "nft", "list", "tables")
    return done.stderr


TELLS = {"a link": "is a link", "a link to nothing": "is a link",
         "a folder": "is no plain file", "100 MB": "is longer than",
         "a FIFO": "is no plain file", "cut off": "is not JSON: ", "not UTF-8": "is not JSON: "}  # fmt: skip


@pytest.mark.parametrize("kind", [*DAMAGE, "a list", "half a host"])
def test_a_damaged_description_starts_no_host(lan: Lan, kind: str) -> None:
    """Named with the remedy, at once; whose file it is does not matter, as the lab may be the user's or root's."""
    lan.describe()
    if kind == "of another owner":
        damage(lan.file, kind)
        assert lan.hook().returncode == 0
        return
    others = {"a list": "[]", "half a host": '{"interface": "eth1"}'}
    lan.file.write_text(others[kind]) if kind in others else damage(lan.file, kind)
    told = "does not describe a host" if kind in others else TELLS.get(kind, SAID[kind])
    said = refused(lan)
    assert said.startswith(f"lanport: the file '{lan.file}' {told}")
    assert "; `mcastlab up` writes it anew" in said


def test_the_querier_keeps_asking(lan: Lan) -> None:
    """Of the kind: a query from 0.0.0.1 silences the bridge's own, PIM makes a router's port; not behind the rules."""
    settings = ["mcast_snooping", "1", "mcast_querier", "1", "mcast_startup_query_count", "0"]
    attack = {name: ROUTERS[name] for name in ("IGMP query of the lowest address", "PIM hello", "MLD query")}

    def routers() -> list[str]:
        shown = json.loads(run("ip", "netns", "exec", lan.here, "bridge", "-j", "-d", "mdb", "show", "dev", "br0"))
        return [port["port"] for port in shown[0].get("router", {}).get("br0", [])]

    lan.describe()
    assert lan.hook().returncode == 0
    run("ip", "-n", lan.here, "link", "set", "br0", "type", "bridge", *settings)
    lan.seen(attack)
    assert routers() == []
    run("ip", "netns", "exec", lan.here, "nft", "flush", "ruleset")
    lan.seen(attack)
    assert routers() == ["vk"]
