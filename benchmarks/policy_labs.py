"""Bridges in network namespaces with what judges there, each design on its own: what multicast_rules.py measures."""

from __future__ import annotations

import ctypes
import hashlib
import socket
import string
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from agents.multicast_policy import elf, hooks, loader  # noqa: E402
from agents.multicast_policy.model import Policy, Port  # noqa: E402
from agents.multicast_policy.tables import Tables, Wanted  # noqa: E402
from provision.artifacts import bpf_object, golang  # noqa: E402

GROUP, BRIDGE, BRIDGE_MAC = "239.1.1.1", "cni0", "02:00:00:00:00:01"
UDP_PORTS = {"multicast": 5005, "unicast": 5006}
FOLDER = Path(hooks.FOLDER)
LIBC = ctypes.CDLL(None, use_errno=True)
EMPTY = 'struct { unsigned a, b, c, d; } release __attribute__((section("maps"), used)) = {2, 4, 32, 1};\n'
EMPTY += 'char terms[] __attribute__((section("license"))) = "Apache-2.0";\n'
EMPTY += "".join(f'__attribute__((section("tc.{name}"), used)) int {name}(void *skb) {{ return -1; }}\n'
                 for _, name in (*hooks.POD, *hooks.BRIDGE))  # fmt: skip


def sh(*argv: str, lines: Iterable[str] = ()) -> None:
    """Run a command; end all with what it said when it fails."""
    done = subprocess.run(
        argv, check=False, capture_output=True, text=True, input="".join(f"{line}\n" for line in lines)
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv)}: {done.stderr.strip()[:2000]}")


def make_bridge(*options: str) -> None:
    """The bridge as the role pod_network makes it."""
    sh("ip", *options, "-batch", "-", lines=[
        f"link add {BRIDGE} address {BRIDGE_MAC} type bridge mcast_snooping 1 mcast_querier 1 mcast_igmp_version 3",
        f"address add 10.244.0.1/16 dev {BRIDGE}", f"link set {BRIDGE} up", "link set lo up"])  # fmt: skip


def port_of(number: int, namespace: str) -> Port:
    """A pod's port, with what its record would say."""
    high, low = divmod(number + 2, 250)
    mac, addresses = f"0a:58:0a:f4:{high:02x}:{low:02x}", (f"10.244.{high}.{low}", f"fd00:10:244::{number + 2:x}")
    return Port(f"veth{number}", f"c{number}", namespace, f"pod-{number}", addresses, mac, f"uid-{number}")


def compiled(source: Path) -> bytes:
    """The object of programs."""
    bpf_object.make_object(FOLDER, golang.architecture(), lambda _said: None, source)
    return (FOLDER / bpf_object.OBJECT).read_bytes()


def load(name: str, data: bytes) -> str:
    """Load programs, with maps of their own; the folder with their pins."""
    pins = FOLDER / "bpf" / name
    pins.mkdir()
    loader.load(pins, elf.parse(data), hashlib.sha256(data).digest())
    return str(pins)


@contextmanager
def inside(netns: str) -> Iterator[None]:
    """This thread in a network namespace: sockets that are made there stay there."""
    with Path("/proc/thread-self/ns/net").open() as back, Path(f"/run/netns/{netns}").open() as there:
        if LIBC.setns(there.fileno(), 0):
            raise OSError(ctypes.get_errno(), f"network namespace '{netns}'")
        try:
            yield
        finally:
            LIBC.setns(back.fileno(), 0)


class Lab:
    """A bridge with two pods of namespace green, one of blue, and 20 more ports; the first says, others hear."""

    def __init__(self, number: int) -> None:
        self.node, self.indices = f"bench{number}", list[int]()
        self.tables: Tables | None = None
        self.ports = [port_of(n, name) for n, name in enumerate(("green", "green", "blue", *("green", "blue") * 10))]
        sh("ip", "netns", "add", self.node)
        make_bridge("-n", self.node)
        for port in self.ports:
            peer, pod = f"peer{port.name}", f"{self.node}-{port.container}"
            if port in self.ports[:3]:
                peer = f"eth0 address {port.mac} netns {pod}"
                sh("ip", "netns", "add", pod)
            sh("ip", "-n", self.node, "-batch", "-", lines=[f"link add {port.name} type veth peer name {peer}",
                                                            f"link set {port.name} master {BRIDGE} up"])  # fmt: skip
            if port in self.ports[:3]:
                sh("ip", "-n", pod, "-batch", "-", lines=[f"address add {port.v4[0]}/16 dev eth0", "link set eth0 up",
                                                          "route add default via 10.244.0.1"])  # fmt: skip
        self.says, self.hears = {}, {}
        for kind, hearer, target in (("multicast", 1, GROUP), ("unicast", 2, self.ports[2].v4[0])):
            self.says[kind], self.hears[kind] = self._socket(0), self._socket(hearer)
            self.says[kind].connect((target, UDP_PORTS[kind]))
            self.hears[kind].setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE, asm-generic/socket.h
            self.hears[kind].bind(("", UDP_PORTS[kind]))
        member = struct.pack("=4sl", socket.inet_aton(GROUP), 0)
        self.hears["multicast"].setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)

    def _socket(self, pod: int) -> socket.socket:
        with inside(f"{self.node}-{self.ports[pod].container}"):
            return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def old_table(self) -> None:
        """Load what judged before."""
        each = [{"port": p.name, "space": p.namespace, "v4": p.v4[0], "v6": ", ".join(p.v6)} for p in self.ports]
        spaces = [{"space": name, "members": ", ".join(e["port"] for e in each if e["space"] == name)}
                  for name in ("blue", "green")]  # fmt: skip
        rules = []
        for line in (ROOT / "benchmarks/old_table.nft").read_text().splitlines():
            given: Sequence[Mapping[str, str]] = each if "$port" in line else spaces if "$space" in line else [{}]
            rules += [string.Template(line).substitute(values) for values in given if line[:1] != "#"]
        sh("ip", "netns", "exec", self.node, "nft", "-f", "-", lines=rules)

    def programs(self, pins: str, kind: str) -> None:
        """Attach programs to the bridge and its ports; raises HookError."""
        programs, names = hooks.Programs(pins), [port.name for port in self.ports]
        with inside(self.node):
            for devices, each in (([BRIDGE], hooks.BRIDGE), (names, hooks.POD)):
                hooks.attach(kind, devices, each, programs)
                if lacking := hooks.without(kind, devices, each, programs):
                    raise hooks.HookError(f"{kind} is not there after it was attached: {lacking}")

    def policy(self, data: bytes, kind: str) -> None:
        """Attach the policy, its maps filled; raises HookError."""
        pins = load(self.node, data)
        self.programs(pins, kind)
        with inside(self.node):
            bridge, *self.indices = [socket.if_nametoindex(name) for name in (BRIDGE, *(p.name for p in self.ports))]
        ports = dict(zip(self.indices, self.ports, strict=True))
        self.tables = Tables(pins)
        self.tables.write(Wanted(ports, Policy(1, ("blue", "green")), (bridge, BRIDGE_MAC)))

    def check(self) -> None:
        """End all if a policy did not count what was sent."""
        if self.tables:
            found = self.tables.counts(self.indices)
            sent, heard = found[self.indices[0]].received, found[self.indices[1]].delivered
            if not sent or sent != heard:
                sys.exit(f"the policy counted {sent} sent and {heard} delivered")


def make_labs() -> dict[str, Lab]:
    """A lab for each design; the first two are what all are compared with."""
    source = FOLDER / "empty.c"
    source.write_text(EMPTY)
    data, empty = compiled(bpf_object.SOURCE), load("empty", compiled(source))
    made: dict[str, Callable[[Lab], None]] = {"bare": lambda _lab: None, "bare, again": lambda _lab: None}
    made["old table"] = Lab.old_table
    made |= {f"hooks, {kind}": partial(Lab.programs, pins=empty, kind=kind) for kind in hooks.KINDS}
    made |= {f"policy, {kind}": partial(Lab.policy, data=data, kind=kind) for kind in hooks.KINDS}
    labs = {name: Lab(number) for number, name in enumerate(made)}
    for name, make in made.items():
        try:
            make(labs[name])
        except hooks.HookError as error:
            print(f"{name}: not with this kernel: {error}")
            del labs[name]
    return labs
