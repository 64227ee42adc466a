"""What stops `up` before anything is changed: each with the real cause, its exact message and exit code 3 or 2.

The causes are made in a network namespace or on a PATH of the test's own, so this machine stays as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.providers.podman.cli import Podman

MCASTLAB = Path(sys.executable).parent / "mcastlab"
LAB = """\
name: preflight
hosts:
  - {name: k8s, role: control-plane, address: 10.98.77.11, address6: "fd00:98:77::11"}
  - {name: mcastsrc, role: source, address: 10.98.77.12, address6: "fd00:98:77::12"}
lan: {subnet: 10.98.77.0/24, subnet6: "fd00:98:77::/64"}
networks:
  - name: eth1-multicast
    ipam: {subnet: 10.98.77.0/24, range_start: 10.98.77.13, range_end: 10.98.77.254}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lab.yml").write_text(LAB)
    return tmp_path


def up(folder: Path, *, before: str = "", path: str | None = None, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run `mcastlab up` in a network namespace of its own after the shell commands `before`; exit code and messages."""
    script = f'{before}\nexec "$@"'
    argv = ["unshare", "--net", "sh", "-ec", script, "sh", *prefix, str(MCASTLAB), "up"]
    environment = {**os.environ, "NO_COLOR": "1", **({"PATH": path} if path else {})}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr


def path_without(tmp_path: Path, *missing: str) -> str:
    """A PATH with every command of this one but `missing`."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for place in os.environ["PATH"].split(":"):
        if not Path(place).is_dir():
            continue
        for tool in Path(place).iterdir():
            if tool.name not in missing and not (bin_dir / tool.name).is_symlink():
                (bin_dir / tool.name).symlink_to(tool)
    return str(bin_dir)


def test_podman_absent(folder: Path) -> None:
    code, shown = up(folder, path=path_without(folder, "podman"))
    assert code == 3
    assert "Command 'podman' is missing\n  remedy: `apt-get install podman`\n" in shown


def test_podman_that_does_not_work(folder: Path) -> None:
    path = path_without(folder, "podman")
    broken = Path(path) / "podman"
    broken.write_text("#!/bin/sh\necho 'Error: no storage' >&2\nexit 125\n")
    broken.chmod(0o755)
    code, shown = up(folder, path=path)
    assert code == 3
    assert (
        "Podman is installed but does not work\n  | Error: no storage\n  remedy: Mend what `podman info` says\n"
        in shown
    )


def test_neither_root_nor_sudo(folder: Path) -> None:
    folder.chmod(0o777)
    for parent in folder.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/tmp/nobody")
    path = path_without(folder, "sudo")
    code, shown = up(folder, path=path, prefix=nobody)
    assert code == 3
    assert (
        "Neither root nor passwordless sudo: hosts with network interfaces of their own need root\n"
        "  remedy: Run it as root, or as root `echo 'nobody ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/mcastlab`\n"
    ) in shown


def test_a_subnet_that_this_machine_has_already(folder: Path) -> None:
    taken = "ip link add taken type bridge; ip address add 10.98.0.1/16 dev taken; ip link set taken up"
    code, shown = up(folder, before=taken)
    assert code == 2
    assert (
        "lab.yml: lan: Subnet 10.98.77.0/24 of the lab overlaps 10.98.0.0/16, which this machine has on 'taken'\n"
        "  remedy: Give the lab another `lan.subnet` (and its hosts and networks other addresses)\n"
    ) in shown


@pytest.fixture
def other_labs_network() -> Iterator[str]:
    podman, name = Podman(), "mcastlab-preflight-other-lan"
    args = ["--internal", "--disable-dns", "--label", "mcastlab.lab=preflight-other", "--subnet", "10.98.77.128/25"]
    podman.ensure_network(name, args)
    yield name
    podman.run(["network", "rm", "-f", name])


@pytest.mark.usefixtures("other_labs_network")
def test_a_subnet_of_another_lab_which_this_machine_has_no_route_to(folder: Path) -> None:
    code, shown = up(folder)
    assert code == 2
    assert (
        "lab.yml: lan: Subnet 10.98.77.0/24 of the lab overlaps 10.98.77.128/25, which lab 'preflight-other' has\n"
        "  remedy: Give the lab another `lan.subnet` (and its hosts and networks other addresses)\n"
    ) in shown


@pytest.fixture
def strangers_container() -> Iterator[str]:
    podman, name = Podman(), "mcastlab-preflight-k8s"
    podman.run(["create", "--name", name, "--rootfs", "/usr", "true"])
    yield name
    podman.run(["rm", "-f", name])


def test_a_container_of_somebody_else_with_our_name(folder: Path, strangers_container: str) -> None:
    code, shown = up(folder)
    assert code == 3
    assert (
        f"A container named '{strangers_container}' exists and is not mcastlab's\n"
        "  remedy: Remove or rename it, or give the lab another `name`\n"
    ) in shown


DROP_ALL = "add chain bridge guard forward { type filter hook forward priority 0 ; policy drop ; }"
JUMP = [
    "add chain bridge guard forward { type filter hook forward priority 0 ; }",
    "add chain bridge guard user",
    "add rule bridge guard user drop",
    "add rule bridge guard forward jump user",
]


def guard(*rules: str) -> str:
    """Shell commands that make a bridge table with `rules`."""
    return "; ".join(f"nft '{rule}'" for rule in ("add table bridge guard", *rules))


@pytest.mark.parametrize(
    ("rules", "named"),
    [([DROP_ALL], "bridge guard forward: policy drop"), (JUMP, "bridge guard forward: jump user: drop")],
)
def test_a_firewall_that_drops_bridged_traffic_is_named_by_its_rule(folder: Path, rules: list[str], named: str) -> None:
    code, shown = up(folder, before=guard(*rules))
    assert code == 3
    assert f"A firewall rule of this machine drops bridged traffic: '{named}'\n  remedy: Accept the lab's" in shown


def test_dockers_forward_policy_is_named_where_bridged_frames_pass_ip_rules(folder: Path) -> None:
    sysctl = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    assert shutil.which("iptables"), "scripts/install dev installs iptables"
    docker = f"echo 1 > {sysctl}; iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER"
    code, shown = up(folder, before=docker)
    assert code == 3
    assert "A firewall rule of this machine drops bridged traffic: 'ip filter FORWARD: policy drop'\n" in shown


def test_nothing_was_changed_by_any_of_these(folder: Path) -> None:
    up(folder, before=guard(DROP_ALL))
    assert {path.name for path in folder.iterdir()} <= {"lab.yml", ".mcastlab"}
    assert Podman().run(["ps", "-aq", "--filter", "label=mcastlab.lab=preflight"]).stdout == ""
