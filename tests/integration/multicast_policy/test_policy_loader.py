"""The node's unit: programs loaded and given to the bridge, with what rights, and what happens where they are not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agents.multicast_policy import bind, hooks
from tests.integration.multicast_policy.lines import run
from tests.integration.multicast_policy.policy_node import BRIDGE, Node


def test_a_container_without_the_right_is_a_reason(bare_node: Node, policy_object: Path) -> None:
    """Taken from the loader itself: what it finds stands where the agent reads it, and nothing is left loaded."""
    (bare_node.folder / hooks.REFUSED).unlink()
    bare_node.exec("sh", "-c", f"mkdir -p {hooks.FOLDER}/bpf && mount -t bpf bpf {hooks.FOLDER}/bpf")
    words = [str(word) for word in bare_node.loading(policy_object)]
    at = words.index("--") + 1
    run(*words[:at], "setpriv", "--bounding-set", "-bpf,-sys_admin", *words[at:])
    assert (bare_node.folder / hooks.REFUSED).read_text() == "making map 'ports': Operation not permitted\n"
    assert bare_node.pins() == []


def test_the_kernel_takes_the_programs_with_the_agents_rights(bare_node: Node, policy_object: Path) -> None:
    """It loads them again where they are lost; without CAP_PERFMON the verifier refuses arithmetic that root may do."""
    bare_node.exec("sh", "-c", f"mkdir -p {hooks.FOLDER}/bpf && mount -t bpf bpf {hooks.FOLDER}/bpf")
    load = "data = open(sys.argv[1], 'rb').read(); print(loader.ensure(data, elf.parse(data), kind='clsact')[1])"
    script = f"import sys; from multicast_policy import elf, loader; {load}"
    granted = ("setpriv", "--bounding-set", "-all,+bpf,+net_admin", "env", f"PYTHONPATH={bind.LIBRARY}")
    assert bare_node.exec(*granted, "/usr/bin/python3", "-S", "-c", script, policy_object) == "clsact\n"


def test_ports_that_go_meanwhile_do_not_stop_the_loader(node: Node, policy_object: Path) -> None:
    """As where pods end while a node's unit is started again."""
    ports = " ".join(map(str, range(8)))
    come = f"for n in {ports}; do ip link add go$n type veth peer name og$n; ip link set go$n master {BRIDGE} up; done"
    go = f"for n in {ports}; do ip link del go$n; done"
    churn = subprocess.Popen(node.inside("sh", "-c", f"while :; do {come}; {go}; done"))
    try:
        for _ in range(8):
            node.load(policy_object)
        assert churn.poll() is None, "ports come and go"
    finally:
        churn.kill()
        churn.wait(10)


def test_without_a_bpf_file_system_nothing_is_loaded(bare_node: Node, policy_object: Path) -> None:
    (bare_node.folder / hooks.REFUSED).unlink()
    bare_node.exec("mount", "--bind", "/bin/false", "/usr/bin/mount")
    bare_node.load(policy_object)
    assert (bare_node.folder / hooks.REFUSED).read_text().startswith("no bpf file system can be mounted: ")


def test_a_node_whose_kernel_refuses_lets_pods_start(bare_node: Node) -> None:
    pod = bare_node.pod("green")
    assert (bare_node.folder / "ports" / f"{pod.id}@eth0").exists()


def test_without_loaded_programs_no_pod_starts(tmp_path: Path, cni_bin: Path) -> None:
    """Neither loaded nor refused: the unit did not run, and ADD fails closed, with what to look at."""
    node = Node(tmp_path, cni_bin)
    try:
        with pytest.raises(AssertionError, match=r"cannot be given the multicast policy's programs: .* status"):
            node.pod("green")
    finally:
        node.close()
