"""What Podman is told, decided on probes of machines.

The probes of the reference host (cgroup v1) and of Debian 12 (v2) were recorded there, the latter in a virtual machine
(recorded/probe-debian-12.txt); the others are put together from those systems' defaults.
"""

import ast
import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from provision.core.errors import HostError
from provision.providers.podman.cli import bridge_name, mac_address
from provision.providers.podman.settings import HostFacts, podman_settings, probe_host, ulimits

# Podman 4.3; Debian 12 in a small VM, root without CAP_SYS_RESOURCE, hybrid cgroups, no systemd
REFERENCE = HostFacts(
    cgroup_version=1,
    systemd_pid1=False,
    hard_nofile=20000,
    hard_nproc=96365,
    pid_max=32768,
    sys_resource=False,
    runtimes=("runc",),
)


def recorded(name: str) -> HostFacts:
    """A probe as `print` shows it, below comments that say how it was recorded."""
    text = (Path(__file__).parent / "recorded" / f"{name}.txt").read_text()
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    return HostFacts(**{str(item.arg): ast.literal_eval(item.value) for item in call.keywords})


# Podman 4.3
DEBIAN_12 = recorded("probe-debian-12")
# Podman 5.5
FEDORA_42 = HostFacts(
    cgroup_version=2,
    systemd_pid1=True,
    hard_nofile=524288,
    hard_nproc=62544,
    pid_max=4194304,
    sys_resource=True,
    runtimes=("crun",),
)
# Podman 4.9
UBUNTU_24 = HostFacts(
    cgroup_version=2,
    systemd_pid1=True,
    hard_nofile=1048576,
    hard_nproc=31430,
    pid_max=4194304,
    sys_resource=True,
    runtimes=("crun", "runc"),
)
PLACES = {"run": "/run/mcastlab/0123", "networks": "/cache/podman/networks", "hooks": "/cache/hooks"}


def settings(facts: HostFacts) -> dict[str, Any]:
    return tomllib.loads(podman_settings(facts, PLACES))


@pytest.mark.parametrize(
    ("facts", "runtime", "manager", "limits"),
    [
        (REFERENCE, "runc", "cgroupfs", ["nofile=20000:20000", "nproc=32768:32768"]),
        (DEBIAN_12, "crun", "systemd", []),
        (FEDORA_42, "crun", "systemd", []),
        (UBUNTU_24, "crun", "systemd", []),
        (dataclasses.replace(REFERENCE, runtimes=("crun", "runc")), "runc", "cgroupfs", None),
        (dataclasses.replace(DEBIAN_12, runtimes=("runc",)), "runc", "systemd", None),
    ],
)
def test_what_a_machine_gets(facts: HostFacts, runtime: str, manager: str, limits: list[str] | None) -> None:
    found = settings(facts)
    assert found["engine"]["runtime"] == runtime
    assert found["engine"]["cgroup_manager"] == manager
    if limits is not None:
        assert found["containers"]["default_ulimits"] == limits


@pytest.mark.parametrize("facts", [REFERENCE, DEBIAN_12, FEDORA_42, UBUNTU_24])
def test_everywhere_state_is_our_own_and_locks_are_not_shared_with_the_users_podman(facts: HostFacts) -> None:
    found = settings(facts)
    assert found["engine"]["lock_type"] == "file"
    assert found["engine"]["tmp_dir"] == "/run/mcastlab/0123/libpod"
    assert found["network"]["network_config_dir"] == "/cache/podman/networks"
    assert found["network"]["default_subnet_pools"] == [{"base": "10.213.0.0/16", "size": 24}]


def test_limits_are_left_alone_where_they_can_be_had() -> None:
    assert ulimits(dataclasses.replace(REFERENCE, hard_nofile=1048576, hard_nproc=4194304)) == []
    assert ulimits(dataclasses.replace(REFERENCE, sys_resource=True)) == []
    assert ulimits(dataclasses.replace(REFERENCE, pid_max=4194304))[1] == "nproc=96365:96365"


def test_no_usable_runtime_is_an_error_with_its_remedy() -> None:
    with pytest.raises(HostError) as caught:
        settings(dataclasses.replace(REFERENCE, runtimes=("crun",)))
    assert str(caught.value) == (
        "Podman has no container runtime that works: crun refuses this machine's cgroup version 1\n"
        "  remedy: `apt-get install runc`"
    )
    with pytest.raises(HostError, match="neither crun nor runc is here"):
        settings(dataclasses.replace(DEBIAN_12, runtimes=()))


def test_this_machine_can_be_probed() -> None:
    facts = probe_host()
    assert facts.cgroup_version in {1, 2}
    assert facts.hard_nofile > 0
    assert facts.pid_max > 0


def test_bridge_names_are_short_stable_and_distinct() -> None:
    names = {bridge_name(f"mcastlab-{lab}-{kind}") for lab in ("one", "two") for kind in ("lan", "mgmt")}
    assert len(names) == 4
    assert all(len(name) <= 15 for name in names)  # IFNAMSIZ less the closing zero
    assert bridge_name("mcastlab-one-lan") == bridge_name("mcastlab-one-lan")


def test_a_host_keeps_its_mac_addresses_and_shares_them_with_nobody() -> None:
    places = [(host, network) for host in ("mcastlab-a-k8s", "mcastlab-b-k8s") for network in ("mgmt", "lan")]
    found = [mac_address(*place) for place in places]
    assert found == [mac_address(*place) for place in places]
    assert len(set(found)) == len(found)
    # An interface's own (bit 0 of the first byte is not set) and locally administered (bit 1 is).
    assert all(re.fullmatch(r"0a(:[0-9a-f]{2}){5}", address) for address in found)
