"""What attachments leave behind, and who frees it: the failed ADD itself, or the node's reconciler."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from netattach_ctr import Ctr
from netattach_node import Node, Pod, ip, until

from agents.netattach import multus_cache
from agents.netattach.store import Store

NOWHERE = {"type": "bandwidthx"}


def reconcile(node: Node, *known: Pod, grace: float = 0, command: str = "") -> subprocess.CompletedProcess[str]:
    """One look of the reconciler of this node, whose runtime knows these pods."""
    ctr = Ctr(node.folder / "ctr")
    ctr.knows(*known)
    words = [
        "--once",
        f"--grace={grace}",
        f"--set={json.dumps(node.own_settings())}",
        "--",
        command or str(ctr.command),
    ]
    return subprocess.run(
        ["ip", "netns", "exec", node.netns, str(node.executable), "reconcile", *words],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def script(node: Node, name: str, body: str) -> dict[str, Any]:
    """A plug-in of this node's own."""
    path = node.folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    if str(path.parent) not in node.settings["binDirs"]:
        node.settings["binDirs"] = [*node.settings["binDirs"], str(path.parent)]
    return {"type": name}


@pytest.mark.parametrize("chain", [[{"range": True}, NOWHERE], [NOWHERE]], ids=["behind", "alone"])
def test_a_plugin_that_is_missing_costs_no_address(node: Node, chain: list[dict[str, Any]]) -> None:
    """Three starts of a pod: a range of three is as whole as before, without a DEL, and the mended network attaches."""
    small = node.macvlan("1.0.0")
    small["ipam"] |= {"rangeEnd": "10.0.0.15"}
    plugins = [small if "range" in item else item for item in chain]
    node.nad("lan", {"cniVersion": "1.0.0", "plugins": plugins})
    for _ in range(3):
        pod = node.pod("lan")
        assert 'plug-in "bandwidthx" is missing' in node.call("ADD", pod).bad(104)
        node.nothing_left()
        node.call("DEL", pod).good()
    node.nad("lan", small)
    for _ in range(3):
        node.call("ADD", node.pod("lan")).good()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_failure_at_any_network_leaves_nothing(node: Node, place: int) -> None:
    node.nad("lan", node.macvlan())
    node.nad("bad", node.macvlan(master="no-such-link"))
    names = ["lan", "lan", "lan"]
    names[place] = "bad"
    node.call("ADD", node.pod(",".join(names))).bad(999)
    node.nothing_left()


def test_a_killed_add_is_freed_by_the_reconciler(node: Node) -> None:
    """The runtime never asks again; the reconciler does, once the pod is gone and not a moment before."""
    began = node.folder / "began"
    slow = script(node, "slow", f'[ "$CNI_COMMAND" = ADD ] && touch {began} && sleep 3; exit 0')
    node.nad("lan", {"cniVersion": "1.0.0", "plugins": [node.macvlan("1.0.0"), slow]})
    pod = node.pod("lan")
    process = node.start("ADD", pod)
    until("the plug-in behind the one that takes the address", began.exists)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert reconcile(node, pod).stdout == ""
    assert reconcile(node).stdout == "", "its network namespace is there"
    ip("netns", "del", pod.netns)
    assert reconcile(node, grace=600).stdout == "", "it has the time that was set"
    assert node.leases("lan") == {"10.0.0.13"}
    wanted = f"Freed what pod '{pod.key}', which is gone, had of the networks pods, default/lan"
    # The plug-in that was left behind holds the record until it ends.
    until("what the pod had to be freed", lambda: wanted in reconcile(node).stdout, every=0.2)
    node.nothing_left()


def lost_and_stuck(node: Node) -> Pod:
    """A pod that is gone and of whose network a plug-in failed at ADD and fails at DEL."""
    node.nad("lan", {"cniVersion": "1.0.0", "plugins": [script(node, "stuck", "exit 1")]})
    pod = node.pod("lan")
    node.call("ADD", pod).bad(103)
    ip("netns", "del", pod.netns)
    return pod


def test_what_does_not_answer_is_tried_again(node: Node) -> None:
    pod = lost_and_stuck(node)
    said = reconcile(node).stdout
    assert f"What pod '{pod.key}', which is gone, had is not freed yet, next try in" in said
    assert 'plug-in "stuck" ended with status 1' in said
    script(node, "stuck", "exit 0")
    assert "Freed what pod" in reconcile(node).stdout
    node.nothing_left()


def test_pauses_between_tries_grow(node: Node) -> None:
    from agents.netattach.reconcile import Reconciler
    from agents.netattach.settings import Settings

    lost_and_stuck(node)
    said: list[str] = []
    reconciler = Reconciler(Settings(node.own_settings()), set, said.append, grace=1)
    tries = [now for now in range(100) if reconciler.look(float(now))]
    assert [later - sooner for sooner, later in pairwise(tries)] == [2, 4, 8, 16, 32]
    assert len(said) == len(tries)


def test_addresses_that_no_record_knows_are_given_back(node: Node) -> None:
    """As a power cut leaves them; those of the living stay, and so does what is no lease."""
    node.nad("lan", node.macvlan())
    alive, dead = node.pod("lan"), node.pod("lan")
    for pod in (alive, dead):
        node.call("ADD", pod).good()
    (node.cache / f"{dead.id}@eth0.json").unlink()
    folder = node.leases_dir / "lan"
    (folder / "10.0.0.90").symlink_to("/etc/passwd")
    (folder / "10.0.0.91").mkdir()
    (folder / "10.0.0.92").write_bytes(b"")
    (folder / "10.0.0.93").write_bytes(b"\xff\xfe\n")
    os.mkfifo(folder / "10.0.0.94")
    strange = {f"10.0.0.{last}" for last in range(90, 95)}
    said = reconcile(node, alive).stdout
    assert f"Freed 10.0.0.14 of network 'lan', which container {dead.id[:12]}, which is gone, had" in said
    assert node.leases("lan") == {"10.0.0.13", *strange}
    assert all(f'kept as it is: the file "{folder}/{name}"' in said for name in strange)
    assert "Freed" not in reconcile(node, alive).stdout


def test_what_multus_left_is_freed_without_its_daemon(node: Node, tmp_path: Path) -> None:
    node.nad("lan", node.macvlan())
    pod = node.pod("lan")
    node.call("ADD", pod).good()
    store, folder = Store(str(node.cache)), str(node.folder / "multus")
    record = store.load(pod.id, "eth0")
    assert record is not None
    multus_cache.hand_over(store, folder, record)
    assert reconcile(node, pod).stdout == ""
    ip("netns", "del", pod.netns)
    assert "Freed what container" in reconcile(node).stdout
    assert not (node.folder / "multus" / pod.id).exists()
    node.nothing_left()


@pytest.mark.parametrize("command", ["false", "no-such-command"])
def test_where_the_runtime_says_nothing_nothing_is_freed(node: Node, command: str) -> None:
    node.nad("lan", node.macvlan())
    pod = node.pod("lan")
    node.call("ADD", pod).good()
    ip("netns", "del", pod.netns)
    done = reconcile(node, command=command)
    assert done.returncode == 1
    assert "Nothing is freed or watched meanwhile" in done.stderr
    assert node.leases("lan") == {"10.0.0.13"}


def test_a_full_range_recovers_without_a_hand(node: Node) -> None:
    """Twelve pods that a power cut took hold all there is; twelve new ones have it after one look."""
    small = node.macvlan()
    small["ipam"] |= {"rangeEnd": "10.0.0.24"}
    node.nad("lan", small)
    lost = [node.pod("lan") for _ in range(12)]
    for pod in lost:
        node.call("ADD", pod).good()
    assert "no IP addresses available" in node.call("ADD", node.pod("lan")).bad(999)
    for pod in lost:
        ip("netns", "del", pod.netns)
    assert reconcile(node).stdout.count("Freed what pod") == 12
    for _ in range(12):
        node.call("ADD", node.pod("lan")).good()


def test_two_hundred_pods_that_fail_to_start_leave_nothing(node: Node) -> None:
    node.nad("lan", {"cniVersion": "1.0.0", "plugins": [node.macvlan("1.0.0"), NOWHERE]})
    pods = [node.pod("lan") for _ in range(200)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda pod: node.call("ADD", pod), pods))
    assert {answer.json["code"] for answer in answers} == {104}
    node.nothing_left()


@pytest.fixture
def full(node: Node) -> Iterator[Path]:
    """The folder of records on a file system that has no room left."""
    node.cache.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(node.cache)], check=True)
    try:
        yield node.cache
    finally:
        subprocess.run(["umount", str(node.cache)], check=True)


def test_a_full_disk_is_an_error_that_leaves_nothing(node: Node, full: Path) -> None:
    node.nad("lan", node.macvlan())
    node.call("DEL", node.pod("lan")).good()
    fill = full / "fill"
    handle = os.open(fill, os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match="No space"):
            while True:
                os.write(handle, bytes(4096))
    finally:
        os.close(handle)
    pod = node.pod("lan")
    assert "cannot be written" in node.call("ADD", pod).bad(5)
    fill.unlink()
    assert pod.links() == {}
    assert node.leases("lan") == set()
    node.call("ADD", pod).good()
