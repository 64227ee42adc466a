"""Results and their conversion between CNI versions, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from agents.netattach import results, versions
from agents.netattach.errors import CniError

DNS = {"nameservers": ["10.0.0.1"]}
OF_02 = {
    "cniVersion": "0.2.0",
    "ip4": {"ip": "10.0.0.5/24", "gateway": "10.0.0.1", "routes": [{"dst": "0.0.0.0/0"}]},
    "ip6": {"ip": "fd00::5/64", "routes": [{"dst": "::/0", "gw": "fd00::1"}]},
    "dns": DNS,
}
ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": "fd00::1"}]
INTERFACE = {"name": "eth1", "mac": "02:00:00:00:00:01", "sandbox": "/run/netns/x"}
OF_03 = {
    "cniVersion": "0.3.0",
    "interfaces": [INTERFACE],
    "ips": [{"version": "4", "address": "10.0.0.5/24", "gateway": "10.0.0.1", "interface": 0}],
    "routes": ROUTES,
    "dns": DNS,
}
OF_110 = {
    "cniVersion": "1.1.0",
    "interfaces": [{**INTERFACE, "mtu": 1500, "pciID": "0000:00:01.0", "socketPath": "/x"}],
    "ips": [{"address": "10.0.0.5/24", "gateway": "10.0.0.1", "interface": 0}, {"address": "fd00::5/64"}],
    "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.0.1", "mtu": 1400, "table": 5, "scope": 0, "priority": 3, "advmss": 9}],
    "dns": DNS,
}


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_02_to_1(version: str) -> None:
    assert results.convert(dict(OF_02), version) == {
        "cniVersion": version,
        "ips": [{"address": "10.0.0.5/24", "gateway": "10.0.0.1"}, {"address": "fd00::5/64"}],
        "routes": ROUTES,
        "dns": DNS,
    }


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0"])
def test_02_to_03(version: str) -> None:
    converted: Any = results.convert(dict(OF_02), version)
    assert [ip["version"] for ip in converted["ips"]] == ["4", "6"]


@pytest.mark.parametrize("source", ["0.3.0", "0.3.1", "0.4.0"])
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_03_to_1_drops_the_family(source: str, version: str) -> None:
    assert results.convert({**OF_03, "cniVersion": source}, version) == {
        "cniVersion": version,
        "interfaces": [INTERFACE],
        "ips": [{"address": "10.0.0.5/24", "gateway": "10.0.0.1", "interface": 0}],
        "routes": ROUTES,
        "dns": DNS,
    }


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0"])
def test_11_to_older_drops_what_they_do_not_have(version: str) -> None:
    converted: Any = results.convert(dict(OF_110), version)
    assert converted["interfaces"] == [INTERFACE]
    assert converted["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}]
    families = [ip.get("version") for ip in converted["ips"]]
    assert families == ([None, None] if version == "1.0.0" else ["4", "6"])


def test_same_version_stays_as_it_is() -> None:
    assert results.convert(OF_110, "1.1.0") is OF_110


def test_empty_result_becomes_a_minimal_one() -> None:
    assert results.convert({"cniVersion": "0.4.0"}, "1.1.0") == {"cniVersion": "1.1.0", "dns": {}}


def test_unknown_version_is_refused() -> None:
    with pytest.raises(CniError, match=r'a result has CNI version "7\.0\.0"'):
        results.convert({"cniVersion": "7.0.0"}, "1.1.0")


@pytest.mark.parametrize(
    ("interfaces", "ips", "expected"),
    [
        (
            [{"name": "cni0"}, INTERFACE],
            [{"address": "a/1", "interface": 0}, {"address": "b/1", "interface": 1}],
            ["b/1"],
        ),
        ([{"name": "cni0"}], [{"address": "a/1", "interface": 0}, {"address": "b/1"}], ["b/1"]),
        ([], [{"address": "a/1"}, {"address": "b/1", "interface": -1}], ["a/1", "b/1"]),
        ([INTERFACE], [{"address": "a/1"}], []),
    ],
)
def test_addresses_are_the_pods_own(interfaces: list[Any], ips: list[Any], expected: list[str]) -> None:
    """NPWG 5.3.3.1"""
    assert results.pod_addresses({"interfaces": interfaces, "ips": ips}) == expected


def test_default_gateways() -> None:
    assert results.default_gateways({"ips": OF_03["ips"], "routes": ROUTES}) == ["10.0.0.1", "fd00::1"]
    assert results.default_gateways({"ips": OF_03["ips"]}) == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "0.1.0"),
        ({"cniVersion": "0.3.0"}, "0.3.0"),
        ({"cniVersion": "0.4.0", "cniVersions": ["0.4.0", "1.0.0"]}, "1.0.0"),
        ({"cniVersion": "1.0.0", "cniVersions": ["9.9.9", "0.4.0"]}, "1.0.0"),
    ],
)
def test_highest_known_version_is_run(config: dict[str, object], expected: str) -> None:
    """CNI 1.1, "Version considerations\""""
    assert versions.select("x", config) == expected
