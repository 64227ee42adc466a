"""The main job: up ends with multicast counted in a pod, again and again, and checks can fail."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import xml.etree.ElementTree as ET
from subprocess import PIPE
from typing import Any

from tests.e2e.conftest import MCASTLAB, CliLab

TRAFFIC = {"host-to-host", "source-to-pod", "pod-to-pod-macvlan", "host-network-pod"}
OTHERS = {
    "nodes-ready",
    "system-pods-ready",
    "cluster-dns",
    "networks-present",
    "tenant-networks",
    "attachments-whole",
}


def by_name(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in report["checks"]}


def figures(check: dict[str, Any]) -> dict[str, float]:
    return {figure["name"]: figure["value"] for figure in check["figures"]}


def test_up_from_nothing_counts_multicast_on_every_path(first_up: tuple[CliLab, dict[str, Any], float]) -> None:
    _, report, _ = first_up
    checks = by_name(report)
    assert set(checks) >= TRAFFIC | OTHERS
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(checks, "passed")
    for name in TRAFFIC:
        counted = figures(checks[name])
        assert counted["sent"] > 400, name
        assert counted["received"] >= 0.99 * counted["sent"], name
        assert counted["bystander"] == 0, name
    assert report["attacher"]["name"] == "netattach"
    assert report["artifacts"]["source"]


def test_keys_and_kubeconfig_are_private(lab: CliLab) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in lab.state.iterdir() if path.is_file()}
    assert modes["kubeconfig"] == modes["id_ed25519"] == 0o600
    assert lab.state.stat().st_mode & 0o777 == 0o700
    assert lab("kubeconfig").stdout.strip() == str(lab.state / "kubeconfig")


def test_second_up_changes_nothing_on_any_host(lab: CliLab) -> None:
    shown = lab("up", "--verbose").stderr
    assert " s  nothing to change on k8s and mcastsrc\n" in shown


def test_dual_stack_is_the_default(lab: CliLab) -> None:
    kubectl = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get")
    node = json.loads(lab.on("k8s", *kubectl, "node", "k8s", "-o", "json"))
    addresses = [item["address"] for item in node["status"]["addresses"] if item["type"] == "InternalIP"]
    own = json.loads(lab.on("k8s", "ip", "-json", "address", "show", "dev", "eth0", "scope", "global"))
    assert addresses == [entry["local"] for entry in own[0]["addr_info"] if entry], "on the management network"
    assert [":" in address for address in addresses] == [False, True]
    assert len(node["spec"]["podCIDRs"]) == 2
    dns = json.loads(lab.on("k8s", *kubectl, "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "-o", "json"))
    assert all(len(pod["status"]["podIPs"]) == 2 for pod in dns["items"])


def test_status_ssh_and_logs_say_what_runs(lab: CliLab) -> None:
    status = json.loads(lab("status", "--json").stdout)
    assert {host["name"]: host["state"] for host in status["hosts"]} == {"k8s": "running", "mcastsrc": "running"}
    assert status["nodes"] == [{"name": "k8s", "ready": True, "version": status["nodes"][0]["version"]}]
    assert lab.on("mcastsrc", "hostname") == "mcastsrc\n"
    lab("logs", "collected")
    files = {
        path.relative_to(lab.folder / "collected").as_posix() for path in (lab.folder / "collected").rglob("*.txt")
    }
    assert {"k8s/cluster-objects.txt", "k8s/journal.txt", "k8s/bridge-mdb.txt", "mcastsrc/memberships.txt"} <= files
    assert "pods" in json.loads((lab.folder / "collected/k8s/multicast-figures.txt").read_text())
    token = re.compile(r"BEGIN [A-Z ]*PRIVATE KEY|eyJhbGciOi")
    for path in (lab.folder / "collected").rglob("*"):
        if path.is_file():
            assert not token.search(path.read_text(errors="replace")), f"a secret in {path}"


def test_ssh_passes_on_lines_arguments_input_and_exit_codes(lab: CliLab) -> None:
    assert lab.on("k8s", "echo $USER 'a  b'; exit 7", code=7) == "root a  b\n"
    assert lab.on("k8s", "echo", "$USER", "a  b; exit 7") == "$USER a  b; exit 7\n"
    process = subprocess.Popen([MCASTLAB, "ssh", "k8s", "--", "wc", "-c"], cwd=lab.folder, stdin=PIPE, stdout=PIPE)
    assert process.communicate(bytes(3 << 20), timeout=60)[0] == b"3145728\n"


def test_ssh_gives_a_command_a_terminal_where_there_is_one(lab: CliLab) -> None:
    shown = on_a_terminal(lab, "ssh", "k8s", typed=b"stty size; exit 5\n", code=5)
    assert "24 80" in shown
    proxy = lab.on("k8s", "kubectl -n kube-system get pods -l k8s-app=kube-proxy -o name").strip()
    inside = ("kubectl", "-n", "kube-system", "exec", "-it", proxy, "--", "sh")
    shown = on_a_terminal(lab, "ssh", "k8s", "--", *inside, typed=b"test -t 0 && echo termi''nal; exit 6\n", code=6)
    assert "terminal" in shown


def on_a_terminal(lab: CliLab, *args: str, typed: bytes = b"", code: int = 0) -> str:
    """What a person sees who types on a terminal of 24 lines: `typed` goes in once there is a prompt."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(lab.folder)
        os.execv(MCASTLAB, ["mcastlab", *args])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown, deadline = b"", time.monotonic() + 60
    try:
        while time.monotonic() < deadline and (ready := select.select([terminal], [], [], 60)[0]):
            assert ready
            shown += os.read(terminal, 4096)
            if typed and b"#" in shown:
                os.write(terminal, typed)
                typed = b""
    except OSError:  # the other end is closed: it has ended
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code, shown
    return shown.decode()


def test_a_key_that_is_lost_is_named(lab: CliLab) -> None:
    key = lab.state / "id_ed25519"
    away = key.rename(lab.state / "away")
    try:
        shown = lab("ssh", "k8s", "--", "true", code=3).stderr
    finally:
        away.rename(key)
    assert shown == f"{key}: The lab's key is gone\n  remedy: `mcastlab up` makes a new one\n"


INGRESS_DROP = (
    "add table netdev broken",
    "add chain netdev broken arriving { type filter hook ingress device eth1 priority 0 ; }",
    "add rule netdev broken arriving ip daddr 224.0.0.0/4 udp dport 5001 drop",
)


def test_dropped_datagrams_fail_the_check_and_the_command(lab: CliLab) -> None:
    for rule in INGRESS_DROP:
        lab.on("k8s", "nft", rule)
    try:
        report = lab.report("check", "source-to-pod", code=1)
    finally:
        lab.on("k8s", "nft", "delete table netdev broken")
    failed = by_name(report)["source-to-pod"]
    assert failed["status"] == "failed"
    assert figures(failed)["received"] == 0
    assert by_name(lab.report("check", "source-to-pod"))["source-to-pod"]["status"] == "passed"


def test_junit_holds_every_check(lab: CliLab) -> None:
    lab("check", "nodes-ready", "cluster-dns", "--junit", "junit.xml")
    suite = ET.parse(lab.folder / "junit.xml").getroot()  # noqa: S314 - our own file
    assert sorted(case.attrib["name"] for case in suite.iter("testcase")) == ["cluster-dns", "nodes-ready"]


def test_an_unknown_check_is_named_with_its_nearest(lab: CliLab) -> None:
    shown = lab("check", "source-to-pot", code=2).stderr
    assert "source-to-pot" in shown
    assert "source-to-pod" in shown
