"""What the enforcer does with more than there is room for."""

from __future__ import annotations

from agents.multicast_policy.enforcer import fitting
from agents.multicast_policy.model import Port


def test_the_oldest_ports_fit_and_the_others_are_told() -> None:
    ports = {index: Port(f"veth{index}", "c", "green", "p", (), "0a:58:0a:f4:00:02") for index in (30, 7, 12, 99)}
    assert fitting(ports, 4) == (ports, "")
    found, note = fitting(ports, 2)
    assert list(found) == [7, 12]
    assert note == "4 ports are more than the policy's maps hold, 2: the newest stay closed for groups"
