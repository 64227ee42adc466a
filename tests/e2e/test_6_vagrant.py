"""A real lab by Vagrant: its Docker provider on Podman's socket, first driven by python-vagrant, then by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.providers.podman.cli import Podman
from provision.providers.vagrant.engine import podmans_socket
from tests.e2e.conftest import CliLab, make_lab

ROOT = Path(__file__).resolve().parents[2]
TRAFFIC = {"host-to-host", "source-to-pod", "pod-to-pod-macvlan", "host-network-pod"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CliLab, dict[str, Any]]]:
    """The lab and the report of its `up`; lab.yml names Podman, and the command line Vagrant."""
    lab = make_lab(tmp_path_factory.mktemp("vagrant"), "e2e-vagrant", 6)
    with (lab.folder / "lab.yml").open("a") as stream:
        stream.write("vagrant: {machines: docker}\n")
    try:
        yield lab, lab.report("up", "--provider", "vagrant")
    finally:
        lab("down", "--provider", "vagrant")


def by_hand(lab: CliLab, *args: str) -> str:
    """Run `vagrant ARGS` as a user would, beside lab.yml and with Podman behind DOCKER_HOST."""
    own = {"MCASTLAB_LAB": str(lab.folder / "lab.yml"), "VAGRANT_DOTFILE_PATH": str(lab.state / "vagrant")}
    with podmans_socket(Podman(), print) as engine:
        done = subprocess.run(
            ["vagrant", *args],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", "VAGRANT_CHECKPOINT_DISABLE": "1", **own, **engine},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def left(lab: CliLab) -> str:
    """Containers and networks of the lab in Podman."""
    podman, label = Podman(), f"label=mcastlab.vagrant={lab.name}"
    return podman.run(["ps", "-aq", "--filter", label]).stdout + podman.run(["network", "ls", "-q", "-f", label]).stdout


def test_up_by_vagrant_counts_multicast_on_every_path(up: tuple[CliLab, dict[str, Any]]) -> None:
    lab, report = up
    assert report["provider"] == "vagrant"
    checks = {check["name"]: check["status"] for check in report["checks"]}
    assert set(checks) >= TRAFFIC
    assert checks == dict.fromkeys(checks, "passed")
    shown = (lab.folder / "shown.txt").read_text()
    assert "Bringing machine 'k8s' up with 'docker' provider..." in shown
    assert "mcastsrc: Machine not provisioned because `--no-provision` is specified." in shown


def test_hosts_have_their_addresses_names_and_a_cgroup_namespace_of_their_own(
    up: tuple[CliLab, dict[str, Any]],
) -> None:
    lab, _ = up
    status = json.loads(lab("status", "--provider", "vagrant", "--json").stdout)
    assert {host["name"]: host["state"] for host in status["hosts"]} == {"k8s": "running", "mcastsrc": "running"}
    for host, last in (("k8s", 11), ("mcastsrc", 12)):
        command = "hostname; ip -br address show dev eth1; readlink /proc/1/ns/cgroup"
        name, addresses, namespace = lab("ssh", "--provider", "vagrant", host, "--", "sh", "-c", command).stdout.split(
            "\n"
        )[:3]
        assert name == host
        assert f" 10.98.6.{last}/24 fd00:98:6::{last}/64 " in addresses
        assert namespace != str(Path("/proc/self/ns/cgroup").readlink())


def test_vagrant_provision_by_hand_changes_nothing_and_checks_again(up: tuple[CliLab, dict[str, Any]]) -> None:
    shown = by_hand(up[0], "provision")
    assert " s  nothing to change on k8s and mcastsrc\n" in shown
    assert re.search(r"✓ checks +[\d.]+ s +\d+ passed", shown)


def test_vagrant_destroy_leaves_nothing(up: tuple[CliLab, dict[str, Any]]) -> None:
    lab, _ = up
    assert left(lab)
    by_hand(lab, "destroy", "-f")
    assert left(lab) == ""
    status = json.loads(lab("status", "--provider", "vagrant", "--json").stdout)
    assert {host["state"] for host in status["hosts"]} == {"absent"}
