"""Counters and memberships, from a recorded snapshot."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provision.hosts.interface import parse_igmp, parse_snapshot, snapshot_argv

GROUP = IPv4Address("224.0.67.67")
TEXT = (Path(__file__).parent / "recorded" / "snapshot.txt").read_text()


def test_snapshot() -> None:
    seen = parse_snapshot(TEXT)
    assert (seen.received, seen.sent) == (5833, 130)
    assert seen.joined(GROUP) == {"eth1"}
    assert seen.joined(IPv4Address("224.0.0.1")) == {"lo", "eth1"}
    assert seen.joined(IPv4Address("224.0.67.68")) == frozenset()


def test_the_command_reads_what_the_parser_expects() -> None:
    assert snapshot_argv("eth1")[1:] == [
        "/sys/class/net/eth1/statistics/rx_packets",
        "/sys/class/net/eth1/statistics/tx_packets",
        "/proc/net/igmp",
    ]


def test_a_missing_interface_is_no_zero() -> None:
    igmp = TEXT.split("\n", 2)[2]
    for text in ("", igmp, "12\n"):
        with pytest.raises(ValueError, match=r"."):
            parse_snapshot(text)


def test_igmp_of_an_interface_with_a_longer_name_and_no_groups() -> None:
    text = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n17\tmacvlan-lan-0123:     0      V3\n"
    assert parse_igmp(text) == {"macvlan-lan-0123": frozenset()}
    assert parse_igmp("") == {}
