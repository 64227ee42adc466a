"""The multicast LAN as a bridge of this machine: snooping, the querier that it needs, and what hosts may say on it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

from provision.config import Host, Lab, Lan
from provision.core.errors import HostError
from provision.core.files import ensure_text
from provision.core.paths import ROOT
from provision.core.run import as_root, run
from provision.providers.podman.cli import Podman, bridge_name, mac_address

ANNOTATION = "mcastlab.lan"
MANAGEMENT_MTU = 1600
_SCRIPT = ROOT / "agents" / "lanport" / "lanport.py"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HOOK_SECONDS = 20


def network_args(lab: Lab, kind: str, label: str) -> list[str]:
    """What `podman network create` is given for the lab's network of kind `mgmt` or `lan`."""
    args = ["--disable-dns", "--label", f"{label}={lab.name}"]
    if kind == "mgmt":
        # What carries pods' datagrams to other nodes adds up to 70 octets to each (RFC 7348, with IPv6 inside and out).
        args += ["--opt", f"mtu={MANAGEMENT_MTU}", *(["--ipv6"] if lab.dual_stack else [])]
    if kind == "lan":
        args += ["--internal", "--subnet", str(lab.lan.subnet)]
        if lab.lan.subnet6 and lab.dual_stack:
            args += ["--ipv6", "--subnet", str(lab.lan.subnet6)]
    return args


def set_snooping(bridge: str, lan: Lan) -> None:
    """Set snooping and querier of `bridge` as lab.yml says; raises HostError where the kernel refuses.

    Snooping without a querier lets memberships age out after 260 s (RFC 3376, 8.4). Version 3 (MLD version 2)
    queries keep hosts from falling back to version 2, which has no source-specific joins (RFC 3376, 7.2.1).
    """
    on = {True: "1", False: "0"}
    settings = ["mcast_snooping", on[lan.snooping], "mcast_igmp_version", "3", "mcast_mld_version", "2"]
    settings += ["mcast_querier", on[lan.querier], "mcast_query_use_ifaddr", "1"]
    argv = as_root(["ip", "link", "set", "dev", bridge, "type", "bridge", *settings])
    done = run(argv, timeout=10, check=False)
    if done.returncode != 0:
        raise HostError(
            "Multicast snooping could not be set on the LAN's bridge",
            where=bridge,
            detail=done.stderr,
            remedy="Use a kernel with CONFIG_BRIDGE_IGMP_SNOOPING",
        )


class LanPorts:
    """The rules at the hosts' ports of the LAN's bridge: no host speaks for another, none that is no router as one.

    They are laid by a hook of the container's runtime, since a port is another one after each start, whoever starts it.
    """

    def __init__(self, podman: Podman, network: str) -> None:
        self._podman = podman
        self._network = network
        self._changed = False

    def file(self, container: str) -> Path:
        """Where the host in `container` is described, for the hook."""
        return self._podman.home / "lan" / f"{container}.json"

    def describe(self, lab: Lab, container: Callable[[Host], str]) -> None:
        """Write the hook, and what it is to know of each host."""
        hooks = self._podman.hooks
        hooks.mkdir(parents=True, exist_ok=True)
        script = hooks / _SCRIPT.name
        argv = [str(Path(sys.executable).resolve()), "-I", "-S", str(script)]
        hook = {"path": argv[0], "args": argv, "env": [f"PATH={_PATH}"], "timeout": _HOOK_SECONDS}
        when = {"annotations": {f"^{ANNOTATION}$": ".+"}}
        self._write(script, _SCRIPT.read_text())
        self._write(
            hooks / "lan.json",
            json.dumps({"version": "1.0.0", "hook": hook, "when": when, "stages": ["createRuntime"]}, indent=1),
        )
        for host in lab.hosts:
            path = self.file(container(host))
            path.parent.mkdir(exist_ok=True)
            self._write(path, json.dumps(self._description(lab, host, container), indent=1))

    def _description(self, lab: Lab, host: Host, container: Callable[[Host], str]) -> dict[str, Any]:
        others = [other for other in lab.hosts if other != host]
        bridge = [subnet[1] for subnet in (lab.lan.subnet, lab.lan.subnet6 if lab.dual_stack else None) if subnet]
        return {
            "table": self._table(container(host)),
            "interface": lab.lan.interface,
            "mac": mac_address(container(host), "lan"),
            "own": _addresses(lab, [host]),
            "others": [*_addresses(lab, others), *map(str, bridge)],
            "other_macs": [mac_address(container(other), "lan") for other in others],
            "router": host.name in lab.lan.routers,
        }

    def guard(self, containers: Sequence[str], known: Container[str]) -> None:
        """Lay the rules where they are missing, or others than when a container that was `known` before was started."""
        there = port_tables()
        for name in containers:
            if (self._changed and name in known) or self._table(name) not in there:
                pid = self._podman.run(["inspect", "--format", "{{.State.Pid}}", name]).stdout.strip()
                argv = [sys.executable, "-I", "-S", str(self._podman.hooks / _SCRIPT.name), str(self.file(name)), pid]
                run(as_root(["env", f"PATH={_PATH}", *argv]), timeout=_HOOK_SECONDS)

    def forget(self) -> list[str]:
        """Remove the rules of all hosts of the LAN, and the descriptions."""
        for path in (self._podman.home / "lan").glob(f"{self._network.removesuffix('-lan')}-*.json"):
            path.unlink()
        tables = [name for name in port_tables() if name.startswith(self._table(""))]
        for name in tables:
            drop_port_table(name)
        return [f"rules {name}" for name in tables]

    def _table(self, container: str) -> str:
        """The name of a port's table; of no container, what all of the LAN begin with."""
        return f"{bridge_name(self._network)}-{container}"

    def _write(self, path: Path, text: str) -> None:
        self._changed |= ensure_text(path, text, mode=0o644)


def port_tables() -> list[str]:
    """The tables of this machine that may be of a LAN's port, by name: those of nftables' family netdev."""
    if not shutil.which("nft", path=_PATH):
        return []
    shown = run(as_root(["nft", "-j", "list", "tables", "netdev"]), timeout=10).stdout
    return [item["table"]["name"] for item in json.loads(shown)["nftables"] if "table" in item]


def drop_port_table(name: str) -> None:
    """Remove a port's rules."""
    run(as_root(["nft", "delete", "table", "netdev", name]), timeout=10)


def _addresses(lab: Lab, hosts: Sequence[Host]) -> list[str]:
    sixes = [host.address6 for host in hosts if host.address6 and lab.dual_stack]
    return [str(address) for address in (*(host.address for host in hosts), *sixes)]
