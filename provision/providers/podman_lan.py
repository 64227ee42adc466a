"""The multicast LAN as a bridge of this machine: IGMP/MLD snooping, and the querier that snooping needs."""

from __future__ import annotations

from provision.config import Lab, Lan
from provision.errors import HostError
from provision.run import as_root, run


def network_args(lab: Lab, kind: str, label: str) -> list[str]:
    """What `podman network create` is given for the lab's network of kind `mgmt` or `lan`."""
    args = ["--disable-dns", "--label", f"{label}={lab.name}"]
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
            remedy="The kernel needs CONFIG_BRIDGE_IGMP_SNOOPING",
        )
