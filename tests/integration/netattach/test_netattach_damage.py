"""Files that others have touched, under the real plug-ins: every kind of damage, every verb, and the reconciler.

What each file's reader says is tests/unit/netattach/test_netattach_files.py's. Here it is that nobody hangs or crashes,
that what is in use stays, and that the others go on. One node for all kinds: a node costs more than a pod.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from netattach_node import Answer, Node, Pod, ip
from test_netattach_reconcile import reconcile

from tests.damage import DAMAGE, SAID, damage


def record(node: Node, pod: Pod) -> Path:
    return node.cache / f"{pod.id}@eth0.json"


def attached(node: Node, networks: str | None = None) -> dict[str, Pod]:
    """A pod for each kind of damage, attached, and its record damaged so; `networks` are the first one's."""
    pods = {kind: node.pod(None if number else networks) for number, kind in enumerate(DAMAGE)}
    for kind, pod in pods.items():
        node.call("ADD", pod).good()
        damage(record(node, pod), kind)
    return pods


def repair(path: Path) -> None:
    """Take away what `damage` has put there, as the remedy says."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()


def no_crash(answer: Answer) -> Answer:
    assert "Traceback" not in answer.err
    assert answer.status == 0 or answer.json["code"] in {5, 6}, answer.json
    return answer


def test_a_pod_whose_record_is_damaged_is_refused_checked_and_deleted(node: Node) -> None:
    """ADD and CHECK name the file and touch nothing; DEL frees what is known, so that no pod stays for ever."""
    for kind, pod in attached(node).items():
        for verb in ("ADD", "CHECK"):
            said = json.dumps(no_crash(node.call(verb, pod)).json, ensure_ascii=False)
            assert f"{record(node, pod)}" in said and SAID[kind] in said and "remove the file" in said
        assert list(pod.links()) == ["eth0"]
        answer = no_crash(node.call("DEL", pod))
        answer.good()
        assert f'the file "{record(node, pod)}" {SAID[kind]}' in answer.err
        assert pod.links() == {}
        assert node.leases("pods") == set().union(*(one.addresses("eth0") for one in node.pods if one.links()))
    assert [name for name in node.records() if not name.endswith("~")] == [f"{node.pods[4].id}@eth0.json"], "the folder"


def test_gc_frees_nothing_of_a_pod_whose_record_is_damaged(node: Node) -> None:
    """Its second network would be asked to free what the damaged records cannot name; a stale pod is freed."""
    node.nad("lan", node.macvlan("1.1.0"))
    node.write_default("1.1.0")
    pods, stale, sound = attached(node, "lan@eth1"), node.pod("lan@eth1"), node.pod("lan@eth1")
    for pod in (stale, sound):
        node.call("ADD", pod).good()
    living = [*pods.values(), sound]
    valid = [{"containerID": pod.id, "ifname": "eth0"} for pod in living]
    answer = no_crash(node.call("GC", **{"cni.dev/valid-attachments": valid}))
    said = f"{answer.json['msg']} {answer.json['details']}"
    assert all(f'"{record(node, pod)}"' in said for pod in pods.values())
    assert "no plug-in is asked to free anything while a record is damaged" in said
    assert stale.links() == {}
    addresses = [pod.addresses(ifname) for pod in living for ifname in pod.links()]
    assert node.leases("lan") | node.leases("pods") == set().union(*addresses)
    assert len(node.leases("lan")) == 2
    for pod in pods.values():
        repair(record(node, pod))
    node.call("GC", **{"cni.dev/valid-attachments": valid}).good()


def test_gc_keeps_whoever_the_runtimes_cache_has_in_a_damaged_file(node: Node) -> None:
    node.write_default("1.1.0")
    pods = {kind: node.pod() for kind in DAMAGE}
    for kind, pod in pods.items():
        node.call("ADD", pod).good()
        entry = node.results / f"pods-{pod.id}-eth0"
        entry.write_text(json.dumps({"kind": "cniCacheV1", "containerId": pod.id, "ifName": "eth0",
                                     "networkName": "pods"}))  # fmt: skip
        record(node, pod).unlink()  # as from before netattach came
        damage(entry, kind)
    answer = no_crash(node.call("GC", **{"cni.dev/valid-attachments": []}))
    assert all(f'"{node.results}/pods-{pod.id}-eth0"' in answer.json["details"] for pod in pods.values())
    held = {address for pod in pods.values() for address in pod.addresses("eth0")}
    assert node.leases("pods") == held
    for pod in pods.values():
        no_crash(node.call("DEL", pod)).good()
    assert node.leases("pods") == set()


def test_the_reconciler_passes_over_what_is_damaged_and_goes_on(node: Node) -> None:
    """netattach's records, Multus' and host-local's; each is told with the remedy, and freed when that was followed."""
    node.nad("lan", node.macvlan())
    pods, gone = attached(node, "lan@eth1"), node.pod("lan@eth1")
    node.call("ADD", gone).good()
    kept, multus = node.leases("pods") - set(gone.addresses("eth0")), node.folder / "multus"
    multus.mkdir()
    of_multus = list(pods.values())[:2]  # of both kinds of record, to see that neither one is taken for the other
    for pod in of_multus:
        repair(record(node, pod))
        (multus / pod.id).write_text("[]")
    strange = node.leases_dir / "lan" / "10.0.0.99"
    strange.write_text(gone.id[:60])
    for pod in node.pods:
        ip("netns", "del", pod.netns)
    done = reconcile(node)
    assert (done.returncode, done.stderr) == (0, "")
    paths = [record(node, pod) for pod in pods.values() if pod not in of_multus]
    for path in [*paths, *(multus / pod.id for pod in of_multus), strange]:
        assert f'Passed over, and kept as it is: the file "{path}"' in done.stdout
    assert done.stdout.count("remove") == len(done.stdout.splitlines()) - 1 == len(pods) + 1
    assert f"Freed what pod '{gone.key}'" in done.stdout
    assert node.leases("pods") == kept
    assert node.leases("lan") == {"10.0.0.13", "10.0.0.99"}
    for path in [*paths, *(multus / pod.id for pod in of_multus), strange]:
        repair(path)
    assert reconcile(node).stdout.count("of network 'pods'") == len(kept)
    assert node.leases("lan") | node.leases("pods") == set()


@pytest.mark.parametrize("kind", ["a folder", "a link"])
def test_a_lock_that_is_none_is_named_and_the_others_go_on(node: Node, kind: str) -> None:
    pods = [node.pod(), node.pod()]
    for pod in pods:
        node.call("ADD", pod).good()
    lock = node.cache / f"{pods[0].id}@eth0.lock"
    lock.touch()
    damage(lock, kind)
    assert f'"{lock}" cannot be locked' in no_crash(node.call("DEL", pods[0])).bad(5)
    for pod in pods:
        ip("netns", "del", pod.netns)
    said = reconcile(node).stdout
    assert f'not freed yet, next try in 2 s: the file "{lock}" cannot be locked' in said
    assert f"Freed what pod '{pods[1].key}'" in said
    repair(lock)
    node.call("DEL", pods[0]).good()


def test_a_damaged_default_network_is_named_at_once(node: Node) -> None:
    """STATUS tells kubelet before any pod is tried, ADD fails, and a DEL goes on by the record."""
    pod, text = node.pod(), node.default_path.read_bytes()
    started = time.monotonic()
    node.call("ADD", pod).good()
    node.call("DEL", pod).good()
    usual = time.monotonic() - started
    for kind in [kind for kind in DAMAGE if "link" not in kind]:
        damage(node.default_path, kind)
        started = time.monotonic()
        assert f'"{node.default_path}"' in no_crash(node.call("ADD", node.pod())).json["msg"]
        assert SAID[kind] in node.call("STATUS").bad(50)
        assert time.monotonic() - started < 3 * usual + 10, "it waited for something"
        repair(node.default_path)
        node.default_path.write_bytes(text)
    node.nothing_left()


def test_damaged_policy_and_credentials_are_named(node: Node) -> None:
    node.tenants({})
    node.nad("lan", node.macvlan())
    tenants, kubeconfig = node.folder / "tenants.json", node.kubeconfig.read_bytes()
    damage(tenants, "a FIFO")
    node.tenants_nad("own", json.dumps(node.macvlan()), "default")
    assert f'the file "{tenants}" is a FIFO' in node.call("ADD", node.pod("own")).bad(7)
    repair(tenants)
    damage(node.kubeconfig, "a FIFO")
    assert f'the file "{node.kubeconfig}" is a FIFO' in node.call("ADD", node.pod("lan")).bad(11)
    repair(node.kubeconfig)
    node.kubeconfig.write_bytes(kubeconfig)
    node.call("ADD", node.pod("lan")).good()


def test_a_folder_of_records_that_is_none_is_named(node: Node) -> None:
    node.cache.write_text("")
    for verb in ("ADD", "DEL", "STATUS"):
        message = node.call(verb, node.pod()).bad(50 if verb == "STATUS" else 5)
        assert f'"{node.cache}" cannot be made' in message and "remove what is in its place" in message
    node.cache.unlink()
    node.call("ADD", node.pod()).good()
    shutil.rmtree(node.cache)
