"""What a host says of itself, judged: a recorded answer of agents/hostprobe, and what spoils it where no test can."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import config
from provision.config import Lab
from provision.providers.ssh.judge import SYSTEMS, faults

RECORDED = json.loads((Path(__file__).parent / "recorded" / "host.json").read_text())


def lab() -> Lab:
    return config.load(None)


def told(spoil: Callable[[dict[str, Any]], object], name: str = "k8s") -> list[str]:
    facts = copy.deepcopy(RECORDED)
    spoil(facts)
    return [str(problem) for problem in faults(lab(), lab().host(name), facts, "root@192.0.2.11:22")]


def test_the_recorded_host_is_good() -> None:
    assert told(lambda facts: None) == []


@pytest.mark.parametrize("feature", ["macvlan", "bridge snooping", "nftables", "vxlan"])
def test_a_kernel_that_lacks_something(feature: str) -> None:
    (answer,) = told(lambda facts: facts["kernel"].update({feature: "RTNETLINK answers: Operation not supported"}))
    module = {"bridge snooping": "bridge", "nftables": "nf_tables"}.get(feature, feature)
    assert answer == (
        f"root@192.0.2.11:22: Host 'k8s' has a kernel that cannot do {feature}\n"
        "  | RTNETLINK answers: Operation not supported\n"
        f"  remedy: Load its module (`modprobe {module}`), or boot a kernel that has it; Debian's own has"
    )


def test_an_interface_that_a_namespace_was_given_is_there() -> None:
    given = config.tenants.Tenant(namespace="video", masters=("eth1", "eth7"))
    tenants = lab().tenants.model_copy(update={"namespaces": (given,)})
    giving = lab().model_copy(update={"tenants": tenants})
    (problem,) = faults(giving, lab().host("k8s"), RECORDED, "root@192.0.2.11:22")
    assert str(problem) == (
        "root@192.0.2.11:22: Host 'k8s' has no interface 'eth7', which namespace 'video' may use\n"
        "  remedy: Remove it from what tenants.namespaces gives 'video'"
    )
    told_of_source = [str(found) for found in faults(giving, lab().host("mcastsrc"), RECORDED, "")]
    assert not any("eth7" in text for text in told_of_source)


def test_a_kernel_that_takes_no_programs_keeps_out_only_who_lists_namespaces() -> None:
    facts = RECORDED | {"programs": "bpf(): Operation not permitted"}
    where = "root@192.0.2.11:22"
    listed = lab().multicast.model_copy(update={"namespaces": ("app",)})
    listing = lab().model_copy(update={"multicast": listed})
    assert faults(lab(), lab().host("k8s"), facts, where) == []
    (problem,) = faults(listing, lab().host("k8s"), facts, where)
    assert str(problem) == (
        "root@192.0.2.11:22: Host 'k8s' has a kernel that takes no programs (eBPF) at interfaces, which"
        " `multicast.namespaces` needs\n"
        "  | bpf(): Operation not permitted\n"
        "  remedy: Leave `multicast.namespaces` empty, or use a kernel, and a container around it, that allows bpf()"
    )
    told_of_source = [str(found) for found in faults(listing, lab().host("mcastsrc"), facts, where)]
    assert not any("eBPF" in text for text in told_of_source)


def test_a_small_host() -> None:
    def shrink(facts: dict[str, Any]) -> None:
        facts["memory"] = 2**30
        facts["disk"] = {"/opt": 2**40, "/var/lib": 3 * 2**30}

    assert told(shrink) == [
        "root@192.0.2.11:22: Host 'k8s' has 1.0 GiB of memory available, 2 are needed\n  remedy: End something there",
        "root@192.0.2.11:22: Host 'k8s' has 3.0 GiB of disk free below /var/lib, 4 are needed\n"
        "  remedy: Free some there",
    ]
    assert told(lambda facts: (shrink(facts), facts.update(held=True))) == []  # the lab itself has taken it


def test_another_processor_and_another_init() -> None:
    answers = told(lambda facts: facts.update(machine="riscv64", systemd=False))
    assert [answer.splitlines()[0].split(": ", 1)[1] for answer in answers] == [
        "Host 'k8s' has a processor of kind riscv64",
        "Host 'k8s' is not run by systemd, which the roles need",
    ]


def test_no_carrier_and_no_multicast() -> None:
    def dull(facts: dict[str, Any]) -> None:
        link = next(link for link in facts["links"] if link["ifname"] == "eth1")
        link["flags"] = ["BROADCAST", "UP"]

    answers = told(dull)
    assert [answer.splitlines()[0].split(": ", 1)[1] for answer in answers] == [
        "Host 'k8s' has no carrier on interface 'eth1'",
        "Host 'k8s' has interface 'eth1' without multicast",
    ]


def test_a_firewall_of_iptables_legacy() -> None:
    (answer,) = told(lambda facts: facts["firewall"].update(legacy_drop=True))
    assert "iptables-legacy, chain FORWARD: policy DROP" in answer


def test_rules_that_let_cni0_through_are_no_problem() -> None:
    policy = {"chain": {"family": "ip", "table": "f", "name": "F", "hook": "forward", "policy": "drop"}}
    expression = [{"match": {"left": {"meta": {"key": "iifname"}}, "op": "==", "right": "cni0"}}, {"accept": None}]
    rule = {"rule": {"family": "ip", "table": "f", "chain": "F", "expr": expression}}
    assert len(told(lambda facts: facts["firewall"].update(nft={"nftables": [policy]}))) == 1
    assert told(lambda facts: facts["firewall"].update(nft={"nftables": [policy, rule]})) == []


def test_a_source_needs_little() -> None:
    def poor(facts: dict[str, Any]) -> None:
        facts["kernel"]["macvlan"] = "no"
        facts["memory"] = 2**29
        for link in facts["links"]:
            for info in link["addr_info"]:
                info["local"] = info["local"].replace("10.0.0.11", "10.0.0.12").replace("fd00:10::11", "fd00:10::12")

    assert told(poor, "mcastsrc") == []


def test_the_systems_of_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "hosts.md").read_text()
    for system, versions in SYSTEMS.items():
        for version in versions:
            assert f"{system.capitalize()} {version}" in page
