"""What Podman must be told about this machine: a probe of facts, and the settings that follow from them."""

from __future__ import annotations

import os
import re
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.core.errors import HostError
from provision.core.packages import apt_get

# What Podman gives a container of root unless told otherwise (libpod/define: RLimitDefaultValue, and four times it).
_NOFILE = 1048576
_NPROC = 4194304
_CAP_SYS_RESOURCE = 24  # capability.h


@dataclass(frozen=True)
class HostFacts:
    """This machine as Podman meets it.

    `cgroup_version` is 2 for a unified hierarchy and 1 for anything else, hybrid included; the limits are the hard
    ones; `pid_max` is the kernel's (Podman lowers its own hard limit of processes to it); `sys_resource` says whether
    root has CAP_SYS_RESOURCE here.
    """

    cgroup_version: int
    systemd_pid1: bool
    hard_nofile: int
    hard_nproc: int
    pid_max: int
    sys_resource: bool
    runtimes: tuple[str, ...]


def probe_host() -> HostFacts:
    """Look at this machine; nothing is changed and nothing needs root."""
    status = Path("/proc/self/status").read_text()
    bounding = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.MULTILINE)
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return HostFacts(
        cgroup_version=2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        systemd_pid1=Path("/run/systemd/system").is_dir(),  # sd_booted(3)
        hard_nofile=_hard_limit(resource.RLIMIT_NOFILE),
        hard_nproc=_hard_limit(resource.RLIMIT_NPROC),
        pid_max=int(Path("/proc/sys/kernel/pid_max").read_text()),
        sys_resource=bool(bounding and int(bounding[1], 16) >> _CAP_SYS_RESOURCE & 1),
        runtimes=tuple(name for name in ("crun", "runc") if shutil.which(name, path=path)),
    )


def _hard_limit(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return 2**63 - 1 if hard == resource.RLIM_INFINITY else hard


def runtime(facts: HostFacts) -> str:
    """crun where it works and is there, else runc; raises HostError where neither can be used."""
    if facts.cgroup_version == 2 and "crun" in facts.runtimes:
        return "crun"
    if "runc" in facts.runtimes:
        return "runc"
    why = (
        "crun refuses this machine's cgroup version 1" if "crun" in facts.runtimes else "neither crun nor runc is here"
    )
    raise HostError(f"Podman has no container runtime that works: {why}", remedy=apt_get(["runc"]))


def ulimits(facts: HostFacts) -> list[str]:
    """The limits a container gets, where Podman's own cannot be had: raising a hard limit needs CAP_SYS_RESOURCE."""
    if facts.sys_resource or (facts.hard_nofile >= _NOFILE and facts.hard_nproc >= _NPROC):
        return []
    nofile, nproc = min(_NOFILE, facts.hard_nofile), min(_NPROC, facts.hard_nproc, facts.pid_max)
    return [f"nofile={nofile}:{nofile}", f"nproc={nproc}:{nproc}"]


def podman_settings(facts: HostFacts, places: Mapping[str, str]) -> str:
    """A containers.conf(5) for `facts`; `places` gives the folders `run` (per boot), `networks` and `hooks`.

    Raises HostError where no runtime works. Locks are files, because the shared-memory ones belong to every
    Podman of root on the machine: an instance with a storage of its own would free the locks of the user's. The
    subnet pool lies outside of Podman's default ones, so that the user's networks that are down cannot be hit.
    """
    manager = "systemd" if facts.systemd_pid1 else "cgroupfs"
    limits = ", ".join(f'"{limit}"' for limit in ulimits(facts))
    lines = [
        "[containers]",
        f"default_ulimits = [{limits}]",
        'log_driver = "k8s-file"',
        "[engine]",
        f'runtime = "{runtime(facts)}"',
        f'cgroup_manager = "{manager}"',
        'events_logger = "file"',
        'lock_type = "file"',
        f'tmp_dir = "{places["run"]}/libpod"',
        f'hooks_dir = ["{places["hooks"]}"]',
        "[network]",
        f'network_config_dir = "{places["networks"]}"',
        'default_subnet_pools = [{"base" = "10.213.0.0/16", "size" = 24}]',
    ]
    return "\n".join(lines) + "\n"
