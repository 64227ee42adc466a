"""Hosts that a test treats as bare metal: systemd and sshd in containers, and from there on only an SSH endpoint.

They are started without the Podman provider, so that nothing of a lab is in them: no mounted bundle, no labels that a
provider would find. What they have of the multicast LAN is an interface with addresses, as a real host would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from provision import artifacts
from provision.config import Lan
from provision.providers.podman.cli import Podman, bridge_name
from provision.providers.podman.keys import hand_over, make_key
from provision.providers.podman.lan import set_snooping
from provision.providers.podman.provider import INIT_V1

LABEL = "mcastlab.test"
# A plain host has none of these; the node image does.
_NOT_PLAIN = "rmdir /opt/mcastlab /opt/cni/bin /opt/cni /etc/cni/net.d /etc/cni 2>/dev/null; true"


# Everything that a lab could leave behind, one thing a line: files with their sizes and checksums where they are
# settings, packages, users, units, packet filter, kernel settings, links and routes. What any hour of a running system
# changes by itself is left out.
_SNAPSHOT = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log \) -prune \
  -o -type f ! -path '/var/lib/*' -printf 'file %p %s %m\n' -o ! -type f -printf '%y %p %m\n'
find /var/lib -path /var/lib/systemd -prune -o -printf '%y %p\n'
find /etc /usr/local -type f ! -name ld.so.cache -exec sha256sum {} +
dpkg-query --show --showformat='package ${Package} ${Version} ${db:Status-Status}\n'
systemctl list-unit-files --no-legend --no-pager | sed 's/^/unit /'
systemctl list-units --no-legend --no-pager --plain --type=service --state=active | awk '{print "running", $1}'
nft list ruleset | sed 's/^/nft /'
sysctl -a 2>/dev/null | grep ^net | grep -vE 'nf_conntrack_count|\.neigh\.|stable_secret'
ip -br link | awk '{print "link", $1}'
ip route show table all | sed 's/^/route /'
ip -6 route show table all | sed 's/ pref .*//; s/^/route6 /'
ip rule show | sed 's/^/rule /'
ip -6 rule show | sed 's/^/rule6 /'
"""


@dataclass
class BareHost:
    name: str
    address: str
    address6: str
    management: str = ""
    host_key: str = ""

    def container(self, fleet: str) -> str:
        return f"mcastlab-{fleet}-{self.name}"


@dataclass
class Fleet:
    """Hosts on one LAN; `folder` gets the key, `known_hosts` and whatever a test writes there."""

    name: str
    folder: Path
    hosts: list[BareHost]
    image: str = ""
    podman: Podman = field(default_factory=Podman)

    @property
    def key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def host(self, name: str) -> BareHost:
        return next(host for host in self.hosts if host.name == name)

    def on(self, name: str, script: str, *, timeout: float = 60) -> str:
        """What a shell script prints on a host, run past SSH: the test's own hands on the machine."""
        args = ["exec", self.host(name).container(self.name), "sh", "-ec", script]
        return self.podman.run(args, timeout=timeout).stdout

    def snapshot(self, name: str) -> list[str]:
        """All that a lab could leave behind on a host, sorted."""
        return sorted(set(self.on(name, _SNAPSHOT, timeout=120).splitlines()))

    def start(self, lan: Lan) -> None:
        image = self.image or artifacts.ensure(lambda _line: None, Podman()).node_image
        make_key(self.key, f"mcastlab-{self.name}")
        for kind in ("mgmt", "lan"):
            args = ["--disable-dns", "--label", f"{LABEL}={self.name}"]
            if kind == "lan":
                args += ["--internal", "--subnet", str(lan.subnet), "--ipv6", "--subnet", str(lan.subnet6)]
            self.podman.ensure_network(f"mcastlab-{self.name}-{kind}", args)
        for host in self.hosts:
            self._start(host, lan, image)
        set_snooping(bridge_name(f"mcastlab-{self.name}-lan"), lan)
        self.known_hosts.write_text("".join(f"{host.management} {host.host_key}\n" for host in self.hosts))

    def _start(self, host: BareHost, lan: Lan, image: str) -> None:
        name = host.container(self.name)
        init = ["sh", "-c", INIT_V1] if self.podman.facts.cgroup_version == 1 else ["/sbin/init"]
        self.podman.run(["volume", "create", "--label", f"{LABEL}={self.name}", f"{name}-lib"])
        args = ["run", "-d", "--name", name, "--hostname", host.name, "--privileged", "--systemd=always"]
        args += ["--cgroupns=private", "--pids-limit=-1", "--label", f"{LABEL}={self.name}"]
        args += ["--network", f"mcastlab-{self.name}-mgmt:interface_name=eth0"]
        lan_end = f"mcastlab-{self.name}-lan:interface_name={lan.interface},ip={host.address},ip6={host.address6}"
        # An overlay file system cannot be the upper layer of another, so what containerd will use is on a volume; all
        # of /var/lib, since a host that nobody prepared has no mount where containerd's folder will be.
        args += ["--network", lan_end, "-v", f"{name}-lib:/var/lib"]
        self.podman.run([*args, image, *init], timeout=120)
        host.host_key = hand_over(self.podman, name, self.key.with_suffix(".pub").read_text())
        self.on(host.name, _NOT_PLAIN)
        described = json.loads(self.podman.run(["inspect", name]).stdout)[0]
        host.management = described["NetworkSettings"]["Networks"][f"mcastlab-{self.name}-mgmt"]["IPAddress"]

    def remove(self) -> None:
        filters = ["--filter", f"label={LABEL}={self.name}"]
        for listing, remove in (
            (["ps", "-aq"], ["rm", "-f", "-t", "2", "-v"]),
            (["volume", "ls", "-q"], ["volume", "rm", "-f"]),
            (["network", "ls", "-q"], ["network", "rm", "-f"]),
        ):
            if names := self.podman.run([*listing, *filters]).stdout.split():
                self.podman.run([*remove, *names], timeout=120)
        self.podman.release()


@contextmanager
def fleet(name: str, folder: Path, hosts: Sequence[BareHost], lan: Lan, image: str = "") -> Iterator[Fleet]:
    """The hosts, running; all of them are removed at the end, as is what an earlier run left under the same name."""
    made = Fleet(name, folder, list(hosts), image)
    made.remove()
    try:
        made.start(lan)
        yield made
    finally:
        made.remove()
