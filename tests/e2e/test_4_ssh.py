"""The whole lab on hosts that were there before, one of them by sudo; `down` gives them back as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from provision import config
from tests import image_archives
from tests.bare_metal import BareHost, Fleet, fleet
from tests.e2e.conftest import UP_SECONDS, CliLab

NET, NET6 = "10.98.9", "fd00:98:9:"
_ADMIN = (
    "useradd --create-home keeper; echo 'keeper ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/keeper;"
    " install -d -o keeper -m 700 /home/keeper/.ssh;"
    " install -o keeper -m 600 /root/.ssh/authorized_keys /home/keeper/.ssh/"
)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    lan = config.load(None).lan
    subnets = {"subnet": IPv4Network(f"{NET}.0/24"), "subnet6": IPv6Network(f"{NET6}:/64")}
    made = [BareHost("k8s", f"{NET}.11", f"{NET6}:11"), BareHost("mcastsrc", f"{NET}.12", f"{NET6}:12")]
    with fleet("e2e-ssh", tmp_path_factory.mktemp("e2e-ssh"), made, lan.model_copy(update=subnets)) as started:
        started.on("k8s", _ADMIN)
        yield started


def write_lab(hosts: Fleet) -> CliLab:
    k8s, source = hosts.hosts
    (hosts.folder / "hosts.ini").write_text(
        f"""\
[control_plane]
k8s ansible_host={k8s.management} ansible_user=keeper mcastlab_address={k8s.address} mcastlab_address6={k8s.address6}

[sources]
mcastsrc ansible_host={source.management}

[sources:vars]
ansible_user=root
mcastlab_address={source.address}
mcastlab_address6={source.address6}
"""
    )
    (hosts.folder / "lab.yml").write_text(
        f"""\
name: e2e-ssh
provider: ssh
ssh: {{inventory: hosts.ini, known_hosts: known_hosts, key: id_ed25519}}
cluster: {{attacher: netattach}}
lan: {{subnet: {NET}.0/24, subnet6: "{NET6}:/64"}}
networks:
  - name: eth1-multicast
    ipam: {{range_start: {NET}.100, range_end: {NET}.254}}
"""
    )
    return CliLab(Path(hosts.folder), "e2e-ssh")


def test_up_proves_multicast_and_down_gives_the_hosts_back_as_they_were(hosts: Fleet) -> None:
    lab = write_lab(hosts)
    before = {host.name: hosts.snapshot(host.name) for host in hosts.hosts}
    report = lab.report("up")
    assert {check["status"] for check in report["checks"]} == {"passed"}
    assert {"source-to-pod", "host-to-host", "pod-to-pod-macvlan"} <= {check["name"] for check in report["checks"]}
    assert report["provider"] == "ssh"

    again = lab("up", "--verbose", timeout=UP_SECONDS).stderr
    assert " s  nothing to change on k8s and mcastsrc\n" in again
    assert lab.on("k8s", "id", "-un") == lab.on("k8s", "id -un; true") == "root\n"
    lab("load", str(image_archives.write(hosts.folder / "app.tar", "theirs/app:1")))
    assert "docker.io/theirs/app:1" in lab.on("k8s", "ctr images ls --quiet").splitlines()
    assert "Nobody can be asked" in lab("down", code=2).stderr
    assert lab.on("k8s", "cat", "/etc/mcastlab/lab") == "e2e-ssh\n"

    shown = lab("down", "--yes").stderr
    assert re.findall(r"Removed lab 'e2e-ssh' from host '(\w+)'", shown) == ["k8s", "mcastsrc"]
    for name, was in before.items():
        now = hosts.snapshot(name)
        assert (sorted(set(now) - set(was)), sorted(set(was) - set(now))) == ([], []), name
    assert "nothing: the lab was not up" in lab("down", "--yes").stderr
