"""The playbooks without the mcastlab command, on Debian 13: from the checkout, and from the collection it builds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest
import yaml

from provision import artifacts, config
from provision.core.paths import ROOT
from provision.providers.podman.cli import Podman
from tests import debian13
from tests.bare_metal import BareHost, Fleet, fleet

NET, NET6 = "10.98.10", "fd00:98:a:"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    lan = config.load(None).lan
    subnets = {"subnet": IPv4Network(f"{NET}.0/24"), "subnet6": IPv6Network(f"{NET6}:/64")}
    made = [BareHost("k8s", f"{NET}.11", f"{NET6}:11"), BareHost("mcastsrc", f"{NET}.12", f"{NET6}:12")]
    folder = tmp_path_factory.mktemp("e2e-plain")
    with fleet("e2e-plain", folder, made, lan.model_copy(update=subnets), debian13.image()) as started:
        yield started


def write_inventory(hosts: Fleet) -> Path:
    """The example inventory with these hosts in it, and the folder of a bundle."""
    folder = hosts.folder / "inventory"
    shutil.copytree(ROOT / "playbooks" / "inventory.example", folder)
    lines = (folder / "hosts.ini").read_text()
    for host, address, last in zip(hosts.hosts, ("192.0.2.11", "192.0.2.12"), ("11", "12"), strict=True):
        lines = lines.replace(address, host.management).replace(f"10.0.0.{last}", host.address)
        lines = lines.replace(f"fd00:10::{last}", host.address6)
    (folder / "hosts.ini").write_text(lines)
    variables = folder / "group_vars" / "all.yml"
    given = yaml.safe_load(variables.read_text())
    given["mcastlab_bundle_source"] = str(artifacts.ensure(lambda _line: None, Podman()).path)
    given |= {"mcastlab_lan_subnet": f"{NET}.0/24", "mcastlab_lan_subnet6": f"{NET6}:/64"}
    variables.write_text(yaml.safe_dump(given))
    return folder


def play(hosts: Fleet, playbook: str, *, cwd: Path, **environment: str) -> dict[str, int]:
    """Run ansible-playbook as a user would; how much each host was changed, by its name."""
    ssh = f"-o UserKnownHostsFile={hosts.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    argv = [str(BIN / "ansible-playbook"), "-i", str(hosts.folder / "inventory"), f"--private-key={hosts.key}"]
    done = subprocess.run(
        [*argv, f"--ssh-common-args={ssh}", playbook],
        cwd=cwd,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    return {name: int(changed) for name, changed in re.findall(r"^(\w+)\s+: ok=\d+\s+changed=(\d+)", done.stdout, re.M)}


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the collection installed in it from its archive, built from a checkout of another name."""
    folder = tmp_path_factory.mktemp("any-name")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).exists():
            (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "checkout" / name)
    galaxy = [str(BIN / "ansible-galaxy"), "collection"]
    build, install = (
        ["build", "--output-path", str(folder)],
        ["install", "--offline", "-p", str(folder / "collections")],
    )
    home = {**os.environ, "ANSIBLE_HOME": str(folder / "home")}
    subprocess.run([*galaxy, *build], cwd=folder / "checkout", env=home, check=True, timeout=120)
    (archive,) = folder.glob("mcastlab-mcastlab-*.tar.gz")
    subprocess.run([*galaxy, *install, str(archive)], cwd=folder, env=home, check=True, timeout=120)
    return folder / "collections"


def test_the_checkout_brings_a_cluster_up_and_the_collection_agrees_and_takes_it_back(
    hosts: Fleet, collections: Path
) -> None:
    write_inventory(hosts)
    assert hosts.on("k8s", "cat /etc/debian_version").startswith("13")
    before = {host.name: hosts.snapshot(host.name) for host in hosts.hosts}
    first = play(hosts, "playbooks/site.yml", cwd=ROOT)
    assert min(first.values()) > 0
    nodes = json.loads(hosts.on("k8s", "kubectl wait --for=condition=Ready node/k8s --timeout=120s -o json"))
    assert nodes["metadata"]["name"] == "k8s"
    assert "224.0.0.0/4 dev eth1" in hosts.on("mcastsrc", "ip route")

    anywhere = {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_PIPELINING": "True"}
    again = play(hosts, "mcastlab.mcastlab.site", cwd=hosts.folder, **anywhere)
    assert again == {"k8s": 0, "mcastsrc": 0}

    play(hosts, "mcastlab.mcastlab.reset", cwd=hosts.folder, **anywhere)
    for name, was in before.items():
        now = hosts.snapshot(name)
        assert (sorted(set(now) - set(was)), sorted(set(was) - set(now))) == ([], []), name


def test_a_host_of_another_cluster_is_refused_by_the_playbook_itself(hosts: Fleet) -> None:
    hosts.on("k8s", "rm -rf /etc/mcastlab; mkdir -p /etc/kubernetes; touch /etc/kubernetes/kubelet.conf")
    try:
        with pytest.raises(AssertionError, match="This host is in another cluster already, one of kubeadm"):
            play(hosts, "playbooks/site.yml", cwd=ROOT)
        assert hosts.on("k8s", "ls /etc/kubernetes; ls /etc/mcastlab 2>/dev/null || true") == "kubelet.conf\n"
    finally:
        hosts.on("k8s", "rm -r /etc/kubernetes")
