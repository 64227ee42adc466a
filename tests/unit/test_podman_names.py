"""Names and addresses that Podman's hosts have at every start."""

from __future__ import annotations

import re

from provision.providers.podman_cli import bridge_name, mac_address


def test_a_host_keeps_its_mac_addresses_and_shares_them_with_nobody() -> None:
    places = [(host, network) for host in ("mcastlab-a-k8s", "mcastlab-b-k8s") for network in ("mgmt", "lan")]
    found = [mac_address(*place) for place in places]
    assert found == [mac_address(*place) for place in places]
    assert len(set(found)) == len(found)
    # The second hexadecimal digit: bit 0 is group, which an interface's own address never is, bit 1 locally administered.
    assert all(re.fullmatch(r"0a(:[0-9a-f]{2}){5}", address) for address in found)


def test_a_bridges_name_fits_into_an_interfaces() -> None:
    assert len(bridge_name("mcastlab-" + "x" * 63 + "-mgmt")) < 16
