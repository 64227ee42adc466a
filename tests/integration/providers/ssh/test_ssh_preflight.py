"""What keeps a host from being a lab's: each cause made for real on a host, and what the user is told to the letter.

The answers are in tests/errors/hosts/, with the two hosts' changing addresses replaced by their names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from provision import config
from provision.core.errors import McastlabError, Problems
from provision.core.paths import StateDir
from provision.providers.ssh.provider import SshProvider
from tests.bare_metal import Fleet
from tests.golden_files import compare
from tests.integration.providers.ssh.conftest import NET, NET6

ANSWERS = Path(__file__).resolve().parents[3] / "errors" / "hosts"
MCASTLAB = Path(sys.executable).parent / "mcastlab"


def lab_data(hosts: Fleet, **ssh: Any) -> dict[str, Any]:
    """lab.yml for the two hosts; `ssh` changes how k8s is reached."""
    listed = [
        {"name": host.name, "role": role, "address": host.address, "address6": host.address6}
        | {"ssh": {"address": host.management} | (ssh if host.name == "k8s" else {})}
        for host, role in zip(hosts.hosts, ("control-plane", "source"), strict=True)
    ]
    return {
        "name": "bare",
        "provider": "ssh",
        "ssh": {"known_hosts": "known_hosts", "key": "id_ed25519"},
        "hosts": listed,
        "lan": {"subnet": f"{NET}.0/24", "subnet6": f"{NET6}:/64"},
        "networks": [{"name": "eth1-multicast", "ipam": {"range_start": f"{NET}.100", "range_end": f"{NET}.200"}}],
    }


def told(hosts: Fleet, data: dict[str, Any]) -> str:
    """Everything that preflight says, without the addresses that change from run to run."""
    file = hosts.folder / "lab.yml"
    file.write_text(yaml.safe_dump(data))
    lab = config.load(file)
    problems: list[McastlabError] = SshProvider(lab, StateDir.of(file, lab.name)).preflight(lab)
    text = f"{Problems(problems)}\n" if problems else ""
    return plain(hosts, text)


def plain(hosts: Fleet, text: str) -> str:
    for host in hosts.hosts:
        text = text.replace(host.management, host.name.upper())
    return re.sub(r"[\w./-]*/bare\d+/", "", text)


@contextmanager
def broken(hosts: Fleet, name: str, breaking: str, mending: str) -> Iterator[None]:
    hosts.on(name, breaking)
    try:
        yield
    finally:
        hosts.on(name, mending)


def test_good_hosts_have_no_problem(hosts: Fleet) -> None:
    assert told(hosts, lab_data(hosts)) == ""


# Cause by name of its answer: host, how it is broken and how mended.
BROKEN = {
    "unsupported-os": (
        "k8s",
        "rm /etc/os-release; echo ID=fedora > /etc/os-release; echo VERSION_ID=43 >> /etc/os-release;"
        " echo 'PRETTY_NAME=\"Fedora Linux 43\"' >> /etc/os-release",
        "ln -sf ../usr/lib/os-release /etc/os-release",
    ),
    "kubeadm-cluster": (
        "k8s",
        "mkdir -p /etc/kubernetes; touch /etc/kubernetes/kubelet.conf",
        "rm -r /etc/kubernetes",
    ),
    "k3s-agent": ("mcastsrc", "mkdir -p /var/lib/rancher/k3s", "rm -r /var/lib/rancher"),
    "another-lab": ("mcastsrc", "mkdir /etc/mcastlab; echo theirs > /etc/mcastlab/lab", "rm -r /etc/mcastlab"),
    "containerd-of-its-own": ("k8s", "mkdir -p /etc/containerd", "rmdir /etc/containerd"),
    "interface-down": (
        "mcastsrc",
        "ip link set eth1 down",
        f"ip link set eth1 up; ip address replace {NET6}:12/64 dev eth1",
    ),
    "interface-in-a-bridge": (
        "k8s",
        "ip link add br0 type bridge; ip link set eth1 master br0",
        "ip link delete br0",
    ),
    "no-address": (
        "mcastsrc",
        f"ip address delete {NET}.12/24 dev eth1",
        f"ip address add {NET}.12/24 dev eth1",
    ),
    "bridge-cni0": ("k8s", "ip link add cni0 type bridge", "ip link delete cni0"),
    "pod-subnet-taken": (
        "k8s",
        "ip link add docker0 type bridge; ip address add 10.244.3.1/24 dev docker0; ip link set docker0 up",
        "ip link delete docker0",
    ),
    "firewall": (
        "k8s",
        "nft add table ip filter;"
        " nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'",
        "nft delete table ip filter",
    ),
    "port-taken": (
        "k8s",
        "python3 -c 'import socket,time; s=socket.create_server((\"0.0.0.0\",6443)); time.sleep(600)' >/dev/null 2>&1 &"
        " echo $! > /run/taker; for n in $(seq 300); do ss -Hltn | grep -q :6443 && exit 0; sleep 0.1; done; exit 1",
        "kill $(cat /run/taker)",
    ),
    "no-python": ("mcastsrc", "mv /usr/bin/python3 /usr/bin/python3.away", "mv /usr/bin/python3.away /usr/bin/python3"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_host_that_cannot_be_a_labs(name: str, hosts: Fleet) -> None:
    host, breaking, mending = BROKEN[name]
    with broken(hosts, host, breaking, mending):
        compare(told(hosts, lab_data(hosts)), ANSWERS / f"{name}.txt")


def test_a_host_that_takes_no_programs_is_refused_only_where_namespaces_are_listed(hosts: Fleet) -> None:
    """systemd forbids bpf() to sshd, and with it to all that comes by SSH."""
    folder, again = "/etc/systemd/system/ssh.service.d", "systemctl daemon-reload; systemctl restart ssh"
    lines = "[Service]\\nSystemCallFilter=~bpf\\nSystemCallErrorNumber=EPERM\\n"
    breaking = f"mkdir -p {folder}; printf '{lines}' > {folder}/no-bpf.conf; {again}"
    with broken(hosts, "k8s", breaking, f"rm -r {folder}; {again}"):
        assert told(hosts, lab_data(hosts)) == ""
        listed = lab_data(hosts) | {"multicast": {"namespaces": ["app"]}}
        compare(told(hosts, listed), ANSWERS / "no-programs.txt")


def test_an_interface_that_does_not_exist(hosts: Fleet) -> None:
    data = lab_data(hosts)
    data["lan"]["interface"] = "eth7"
    compare(re.sub(r"'eth[01]', 'eth[01]'", "'eth0', 'eth1'", told(hosts, data)), ANSWERS / "interface-absent.txt")


def test_two_names_for_one_machine(hosts: Fleet) -> None:
    data = lab_data(hosts)
    data["hosts"][1]["ssh"] = data["hosts"][0]["ssh"]
    assert "Hosts 'k8s' and 'mcastsrc' are one machine" in told(hosts, data)


def test_sudo_is_refused_and_then_allowed(hosts: Fleet) -> None:
    guest = (
        "useradd -m guest; install -d -o guest -m 700 /home/guest/.ssh;"
        " install -o guest -m 600 /root/.ssh/authorized_keys /home/guest/.ssh/"
    )
    with broken(hosts, "k8s", guest, "userdel -rf guest 2>/dev/null; rm -f /etc/sudoers.d/guest"):
        compare(told(hosts, lab_data(hosts, user="guest")), ANSWERS / "sudo-refused.txt")
        compare(told(hosts, lab_data(hosts, user="guest", become=False)), ANSWERS / "not-root.txt")
        hosts.on("k8s", "echo 'guest ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/guest")
        assert told(hosts, lab_data(hosts, user="guest")) == ""


def test_nobody_answers(hosts: Fleet) -> None:
    compare(told(hosts, lab_data(hosts, port=2222)), ANSWERS / "unreachable.txt")


def test_a_key_that_the_host_does_not_know(hosts: Fleet) -> None:
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", hosts.folder / "other"], check=True)
    compare(told(hosts, lab_data(hosts, key="other")), ANSWERS / "wrong-key.txt")


def test_a_key_that_cannot_be_used(hosts: Fleet) -> None:
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "secret", "-f", hosts.folder / "locked"], check=True)
    compare(told(hosts, lab_data(hosts, key="locked")), ANSWERS / "key-with-passphrase.txt")
    compare(told(hosts, lab_data(hosts, key="absent")), ANSWERS / "key-absent.txt")


def test_host_keys_come_from_known_hosts_only(hosts: Fleet) -> None:
    good = hosts.known_hosts.read_text()
    first, second = (line.split(" ", 1) for line in good.splitlines())
    try:
        hosts.known_hosts.write_text(f"{second[0]} {second[1]}\n")
        compare(told(hosts, lab_data(hosts)), ANSWERS / "unknown-host-key.txt")
        hosts.known_hosts.write_text(f"{first[0]} {second[1]}\n{second[0]} {second[1]}\n")
        compare(told(hosts, lab_data(hosts)), ANSWERS / "changed-host-key.txt")
        hosts.known_hosts.unlink()
        assert told(hosts, lab_data(hosts)).count("has no pinned host key") == 2
    finally:
        hosts.known_hosts.write_text(good)


def test_up_tells_all_of_all_hosts_at_once_and_changes_none(hosts: Fleet) -> None:
    data = lab_data(hosts)
    (hosts.folder / "lab.yml").write_text(yaml.safe_dump(data))
    before = {host.name: hosts.snapshot(host.name) for host in hosts.hosts}
    cluster, down = BROKEN["kubeadm-cluster"], BROKEN["interface-down"]
    with broken(hosts, *cluster), broken(hosts, *down), broken(hosts, *BROKEN["k3s-agent"]):
        done = subprocess.run(
            [MCASTLAB, "up"], cwd=hosts.folder, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 3
    shown = plain(hosts, done.stderr)
    assert re.search(r"^✗ preflight", shown, re.MULTILINE)
    compare(shown.split(" s\n", 1)[1], ANSWERS / "all-at-once.txt")
    assert {host.name: hosts.snapshot(host.name) for host in hosts.hosts} == before


def test_down_refuses_to_ask_nobody_and_to_touch_what_is_not_its_own(hosts: Fleet) -> None:
    (hosts.folder / "lab.yml").write_text(yaml.safe_dump(lab_data(hosts)))

    def down(*options: str) -> subprocess.CompletedProcess[str]:
        argv = [MCASTLAB, "down", *options]
        stdin = subprocess.DEVNULL
        return subprocess.run(
            argv, cwd=hosts.folder, stdin=stdin, capture_output=True, text=True, timeout=120, check=False
        )

    asked = down()
    assert asked.returncode == 2
    assert "Nobody can be asked, for there is no terminal\n  remedy: Repeat it with --yes" in asked.stderr
    with broken(hosts, *BROKEN["kubeadm-cluster"]):
        done = down("--yes")
        assert done.returncode == 0
        assert "from host" not in done.stderr
        assert hosts.on("k8s", "ls /etc/kubernetes") == "kubelet.conf\n"
    with broken(hosts, *BROKEN["another-lab"]):
        done = down("--yes")
        assert done.returncode == 2
        assert "Host 'mcastsrc' is a host of lab 'theirs', not of this one" in done.stderr


def test_every_answer_has_a_test() -> None:
    source = Path(__file__).read_text()
    assert [path.stem for path in ANSWERS.glob("*.txt") if f'"{path.stem}' not in source] == []
