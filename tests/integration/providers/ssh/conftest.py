"""Two hosts that the tests of the SSH provider break in turn, each time repaired by the test itself."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

import pytest

from provision import config
from tests.bare_metal import BareHost, Fleet, fleet

NET, NET6 = "10.98.8", "fd00:98:8:"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    lan = config.load(None).lan
    subnets = {"subnet": IPv4Network(f"{NET}.0/24"), "subnet6": IPv6Network(f"{NET6}:/64")}
    made = [BareHost("k8s", f"{NET}.11", f"{NET6}:11"), BareHost("mcastsrc", f"{NET}.12", f"{NET6}:12")]
    with fleet("bare", tmp_path_factory.mktemp("bare"), made, lan.model_copy(update=subnets)) as started:
        yield started
