"""What the Podman provider needs of this machine, probed before anything is changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any, Protocol

from provision.config import Host, Lab
from provision.core import labels, packages
from provision.core.errors import CommandError, HostError, InputError, McastlabError
from provision.core.paths import cache_dir
from provision.core.run import as_root, never_root, run
from provision.hosts.firewall import drops
from provision.providers import programs
from provision.providers.podman.cli import Podman

Probe = Callable[[], Iterable[McastlabError]]

_MEMORY_GIB = 3.0
# inotify instances that a node's systemd, kubelet, container runtime and pods take (counted: 37 on a new node).
_INOTIFY = 45
_INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_WORKER_GIB = 1.0  # a node that carries no control plane
_DISK_GIB = 8.0
_NF_CALL = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
# netavark runs iptables, and without it says no more than "No such file or directory".
_TOOLS = ("ip", "nft", "ssh", "ssh-keygen", "podman", "iptables")
# What the nodes will do, tried in a network namespace that ends with the command.
_KERNEL = (
    ("macvlan on a bridge", "ip link add b0 type bridge && ip link add link b0 name m0 type macvlan mode bridge"),
    ("bridge snooping", "ip link add b0 type bridge mcast_snooping 1 mcast_querier 1"),
    ("veth pairs", "ip link add v0 type veth peer name v1"),
    ("nftables", "nft add table ip t"),
    (
        "nftables at interfaces",
        "ip link add v0 type veth peer name v1 && nft add table netdev t"
        " && nft 'add chain netdev t c { type filter hook ingress device \"v0\" priority 0 ; }'",
    ),
)


class OnPodman(Protocol):
    """What is asked of the provider: its Podman, and what its lab's parts are called."""

    podman: Podman

    def bridges(self) -> frozenset[str]: ...

    def containers(self, lab: Lab) -> dict[str, dict[str, Any]]: ...

    def container(self, host: Host) -> str: ...


def problems(lab: Lab, provider: OnPodman) -> list[McastlabError]:
    """Every reason why the lab could not come up here."""
    basic = [*_privilege(), *_missing_tools()]
    if basic:
        return basic  # the rest could only repeat these
    more: tuple[Probe, ...] = (
        lambda: _podman(provider),
        lambda: _names(lab, provider),
        lambda: _other_labs(lab, provider),
    )
    return _answers((*more, *_for_containers(lab, provider.bridges())))


def of_containers(lab: Lab, bridges: frozenset[str]) -> list[McastlabError]:
    """Every reason why containers, whoever makes them, could not be hosts here; `bridges` are the lab's own."""
    return [*_privilege(), *_missing_tools()] or _answers(_for_containers(lab, bridges))


def _for_containers(lab: Lab, bridges: frozenset[str]) -> tuple[Probe, ...]:
    mine: tuple[Probe, ...] = (_kernel, lambda: _programs(lab), lambda: _room(lab), lambda: _watches(lab))
    return (*mine, lambda: _subnets(lab, bridges), lambda: _firewall(lab, bridges))


def _answers(probes: tuple[Probe, ...]) -> list[McastlabError]:
    with ThreadPoolExecutor(len(probes)) as pool:
        return [problem for answer in pool.map(_answer, probes) for problem in answer]


def _answer(probe: Probe) -> list[McastlabError]:
    """What a probe found, or that its command failed."""
    try:
        return list(probe())
    except CommandError as error:
        return [error]


def _privilege() -> Iterable[McastlabError]:
    if refused := never_root():
        yield refused


def _missing_tools() -> Iterable[McastlabError]:
    if error := packages.missing(_TOOLS):
        yield error


def _podman(provider: OnPodman) -> Iterable[McastlabError]:
    done = provider.podman.run(["info", "--format", "json"], check=False)
    if done.returncode != 0:
        yield HostError(
            "Podman is installed but does not work", detail=done.stderr[-2000:], remedy="Mend what `podman info` says"
        )
        return
    version = str(json.loads(done.stdout)["version"]["Version"])
    if int(version.split(".", maxsplit=1)[0]) < 4:
        yield HostError(
            f"Podman {version} is too old: two named interfaces need 4.0", remedy="Install Podman 4.0 or later"
        )


def _kernel() -> Iterable[McastlabError]:
    for what, commands in _KERNEL:
        done = run(as_root(["unshare", "--net", "sh", "-ec", commands]), timeout=20, check=False)
        if done.returncode != 0:
            yield HostError(
                f"This kernel cannot do {what}",
                detail=done.stderr,
                remedy="Load its module, or use a kernel that has it",
            )


def _programs(lab: Lab) -> Iterable[McastlabError]:
    if not lab.multicast.namespaces:
        return
    done = run(as_root(programs.argv_here()), timeout=30, check=False)
    if done.returncode != 0:
        yield HostError(
            "This machine's kernel takes no programs (eBPF) at interfaces, without which namespaces are not kept apart",
            where=programs.WHERE,
            detail=done.stderr,
            remedy=programs.REMEDY,
        )


def available_gib() -> float:
    """Memory that new processes can have, in GiB."""
    meminfo = Path("/proc/meminfo").read_text()
    return next(int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemAvailable")) / 2**20


def _room(lab: Lab) -> Iterable[McastlabError]:
    free, needed = available_gib(), _MEMORY_GIB + _WORKER_GIB * len(lab.workers)
    if free < needed:
        fits = int((free - _MEMORY_GIB) // _WORKER_GIB)
        fewer = f"Leave no more than {fits} workers in lab.yml, or end something" if fits > 0 else "End something"
        yield HostError(
            f"{free:.1f} GiB of memory are available, the lab '{lab.name}' needs {needed:.0f}",
            remedy=f"{fewer}, or `mcastlab down --lab FILE` with another lab's file",
        )
    place = next(parent for parent in [cache_dir(), *cache_dir().parents] if parent.exists())
    room = shutil.disk_usage(place).free / 2**30
    if room < _DISK_GIB:
        yield HostError(
            f"{room:.1f} GiB of disk are free, {_DISK_GIB:.0f} are needed",
            where=str(place),
            remedy="Free some, or set MCASTLAB_CACHE to another disk",
        )


def _watches(lab: Lab) -> Iterable[McastlabError]:
    """Where they run out, kube-proxy and others end again and again, with "too many open files"."""
    most, needed = int(_INOTIFY_LIMIT.read_text()), _INOTIFY * len(lab.nodes)
    if most < needed:
        more = -(-2 * needed // 128) * 128
        yield HostError(
            f"A user here can have {most} inotify instances, and the lab's {len(lab.nodes)} nodes need {needed}",
            where=str(_INOTIFY_LIMIT),
            remedy=f"Run `sysctl fs.inotify.max_user_instances={more}` as root; a file in /etc/sysctl.d keeps it",
        )


def _subnets(lab: Lab, own: frozenset[str]) -> Iterable[McastlabError]:
    for family in ("-4", "-6"):
        for route in json.loads(run(["ip", family, "-j", "route", "show"], timeout=10).stdout or "[]"):
            if route["dst"] != "default" and route.get("dev") not in own:
                yield from _overlaps(lab, route["dst"], f"which this machine has on '{route.get('dev')}'")


def _other_labs(lab: Lab, provider: OnPodman) -> Iterable[McastlabError]:
    """Networks of other labs: this machine has no route to a lab's LAN, and no bridge of one that is stopped."""
    for network in json.loads(provider.podman.run(["network", "ls", "--format", "json"]).stdout or "[]"):
        owner = network.get("labels", {}).get(labels.LAB)
        if owner not in (None, lab.name):
            for entry in network.get("subnets") or []:
                yield from _overlaps(lab, entry["subnet"], f"which lab '{owner}' has")


def _overlaps(lab: Lab, text: str, whose: str) -> Iterable[McastlabError]:
    taken = ip_network(text, strict=False)
    for subnet in (lab.lan.subnet, lab.lan.subnet6 if lab.dual_stack else None):
        if subnet and subnet.version == taken.version and subnet.overlaps(taken):
            yield InputError(
                f"Subnet {subnet} of the lab overlaps {taken}, {whose}",
                where="lab.yml: lan",
                remedy="Give the lab another `lan.subnet` (and its hosts and networks other addresses)",
            )


def _names(lab: Lab, provider: OnPodman) -> Iterable[McastlabError]:
    ours = provider.containers(lab)
    for host in lab.hosts:
        name = provider.container(host)
        exists = provider.podman.run(["container", "exists", name], check=False).returncode == 0
        if exists and name not in ours:
            yield HostError(
                f"A container named '{name}' exists and is not mcastlab's",
                remedy="Remove or rename it, or give the lab another `name`",
            )


def _firewall(lab: Lab, own: frozenset[str]) -> Iterable[McastlabError]:
    ruleset = json.loads(run(as_root(["nft", "-j", "list", "ruleset"]), timeout=20).stdout or "{}")
    nf_call = _NF_CALL.exists() and _NF_CALL.read_text().strip() == "1"
    for drop in drops(ruleset, nf_call=nf_call, lab_names={_as_nft(lab.lan.subnet), *own}):
        yield HostError(
            f"A firewall rule of this machine drops bridged traffic: '{drop}'",
            remedy="Accept the lab's bridges in that chain, or set net.bridge.bridge-nf-call-iptables=0 where bridged"
            " traffic need not pass the ip rules",
        )


def _as_nft(subnet: IPv4Network) -> str:
    """`subnet` as it stands in nft's JSON."""
    return f'"addr": "{subnet.network_address}", "len": {subnet.prefixlen}'
