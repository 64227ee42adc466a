"""The whole lab in virtual machines; what only their kernel can do; and a virtual NIC that filters."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from provision.config import Lab
from tests.vm.conftest import Golden, vagrant

VIRSH = ["virsh", "--connect", "qemu:///system"]
VLAN = "eth1.100"
VIRT = "systemd-detect-virt"
CLOCK = "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"


def virsh(*args: str) -> str:
    return subprocess.run([*VIRSH, *args], capture_output=True, text=True, timeout=60, check=True).stdout


def test_vagrant_up_alone_ends_with_every_check_passed(golden: Golden) -> None:
    checks = {check["name"]: check["status"] for check in golden.report["checks"]}
    assert checks == dict.fromkeys(checks, "passed")
    assert len(checks) >= 8
    assert "mcastsrc: Running provisioner: mcastlab..." in golden.shown
    assert "k8s: Running provisioner" not in golden.shown


def test_machines_have_debians_kernel_and_cgroup_version_2(golden: Golden) -> None:
    for host in ("k8s", "mcastsrc"):
        said = golden.on(host, f"uname -v; stat -fc %T /sys/fs/cgroup; {VIRT}; systemctl is-system-running; {CLOCK}")
        version, cgroups, virt, state, clock = said.split("\n")[:5]
        assert "Debian" in version
        assert (cgroups, state) == ("cgroup2fs", "running")
        assert virt in {"qemu", "kvm"}
        assert clock in {"tsc", "kvm-clock"}, "every other one is a device"


def test_the_second_vagrant_provision_changes_nothing(golden: Golden) -> None:
    shown = vagrant(golden.folder, "provision")
    assert " s  nothing to change on k8s and mcastsrc\n" in shown


def variant(lab: Lab, name: str, *, host_part: str, interface: str, **network: str) -> Lab:
    """`lab` with its hosts at other addresses on another interface, and one network that no lab.yml can name yet."""
    old = lab.networks[0]
    ipam = old.ipam.model_copy(
        update={
            "subnet": host_part + "0/24",
            "range_start": host_part + "100",
            "range_end": host_part + "149",
        }
    )
    changed = {"name": name, "master": interface, "ipam": ipam, **network}
    hosts = [host.model_copy(update={"address": host_part + str(host.address).split(".")[3]}) for host in lab.hosts]
    return lab.model_copy(
        update={
            "networks": (old.model_copy(update=changed),),
            "lan": lab.lan.model_copy(update={"interface": interface}),
            "hosts": tuple(hosts),
        }
    )


def test_pods_receive_by_ipvlan(golden: Golden) -> None:
    lab = variant(golden.lab, "ipvlan", host_part="10.98.9.", interface="eth1", type="ipvlan", mode="l2")
    results = golden.check(lab, "networks-present", "source-to-pod", "pod-to-pod-macvlan")
    assert {name: result.status for name, result in results.items()} == dict.fromkeys(results, "passed")


@pytest.fixture
def vlan(golden: Golden) -> Iterator[Lab]:
    """VLAN 100 on the LAN's interface of both hosts, and the lab on it."""
    try:
        for host in golden.lab.hosts:
            last = str(host.address).split(".")[3]
            golden.on(
                host.name,
                f"ip link add link eth1 name {VLAN} type vlan id 100; ip address add 10.98.10.{last}/24 dev {VLAN};"
                f" ip link set {VLAN} up",
            )
        yield variant(golden.lab, "vlan100", host_part="10.98.10.", interface=VLAN)
    finally:
        for host in golden.lab.hosts:
            golden.on(host.name, f"ip link delete {VLAN} 2>/dev/null || true")


def test_a_vlan_is_heard_within_it_and_not_beside_it(golden: Golden, vlan: Lab) -> None:
    with golden.receiver("outside") as heard:
        result = golden.check(vlan, "source-to-pod")["source-to-pod"]
        assert result.status == "passed", result.reason
        assert "connected with" not in heard()
        golden.send()  # the positive twin: without a tag, it hears the same group
        assert "connected with" in heard()


@pytest.fixture
def filtered(golden: Golden) -> Iterator[None]:
    """The LAN's card of `k8s` as clouds and hypervisors have them: frames must come from the card's own address."""
    domain = f"mcastlab-{golden.lab.name}-k8s"
    described = virsh("dumpxml", domain)
    card = next(part for part in re.findall(r"<interface .*?</interface>", described, re.DOTALL) if "-lan'" in part)
    path = golden.folder / "card.xml"
    try:
        path.write_text(card.replace("</interface>", "<filterref filter='no-mac-spoofing'/></interface>"))
        virsh("update-device", domain, str(path), "--live")
        yield
    finally:
        path.write_text(card)
        virsh("update-device", domain, str(path), "--live")


def test_a_nic_that_filters_addresses_stops_pods_and_not_hosts(golden: Golden, filtered: None) -> None:
    results = golden.check(golden.lab, "host-to-host", "host-network-pod", "source-to-pod")
    assert results["host-to-host"].status == "passed"
    assert results["source-to-pod"].status == "failed", "the pod's joins leave with its own address"
    assert "a MAC filter of the hypervisor" in results["source-to-pod"].reason
    beside = results["host-network-pod"]
    assert re.search(r"0.0000-\S+ sec .* 0/4[45]\d \(0%\)", "".join(beside.evidence)), "with the node's address"
    assert "did not answer by unicast: its silence proves nothing" in beside.reason, "the bystander is a pod"


def test_pods_receive_again_without_the_filter(golden: Golden) -> None:
    assert golden.check(golden.lab, "source-to-pod")["source-to-pod"].status == "passed"


def test_vagrant_destroy_leaves_nothing(golden: Golden) -> None:
    vagrant(golden.folder, "destroy", "-f")
    assert "golden" not in virsh("list", "--all", "--name")
    assert "golden" not in virsh("net-list", "--all", "--name")
    assert "mcastlab" not in virsh("pool-list", "--all", "--name")
