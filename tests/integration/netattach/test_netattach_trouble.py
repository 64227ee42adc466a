"""What goes wrong: each failure has its code and its message, leaves nothing behind, and the pod's reader is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

import pytest
from netattach_node import Node, Pod, finish, ip, until

ANNOTATED = "lan@eth1"


def failed(node: Node, pod: Pod, code: int) -> str:
    """ADD fails with `code`, nothing stays behind, and DEL afterwards is well."""
    message = node.call("ADD", pod).bad(code)
    assert pod.links() == {}
    node.nothing_left()
    node.call("DEL", pod).good()
    return message


def test_later_failure_undoes_all_in_reverse(node: Node) -> None:
    node.nad("lan", node.macvlan())
    node.nad("broken", node.macvlan(master="no-such-link"))
    pod = node.pod("lan@eth1,broken@eth2,lan@eth3")
    message = failed(node, pod, 999)  # macvlan's own code
    assert 'network "default/broken" on "eth2": plug-in "macvlan":' in message
    (event,) = node.api.events
    assert (event["type"], event["reason"]) == ("Warning", "FailedNetworkAttachment")
    assert event["involvedObject"]["uid"] == pod.uid
    assert 'network "default/broken" on "eth2"' in event["message"]
    assert node.api.statuses == {}


def test_chain_that_fails_in_its_middle_frees_its_address(node: Node) -> None:
    chain = {"cniVersion": "1.0.0", "plugins": [node.macvlan(), {"type": "tuning", "sysctl": {"net.no.such": "1"}}]}
    node.nad("lan", chain)
    failed(node, node.pod(ANNOTATED), 999)


def test_failed_rollback_keeps_what_does_not_answer(node: Node) -> None:
    """A plug-in whose DEL fails too: all else is freed at once, its record stays, and a DEL tries it again."""
    chain = {"cniVersion": "1.0.0", "plugins": [node.macvlan(), _script(node, "stuck")]}
    node.nad("lan", chain)
    _write_script(node, "stuck", "exit 1")
    pod = node.pod(ANNOTATED)
    assert "not undone, left to the reconciler" in node.call("ADD", pod).bad(103)
    assert node.records() == [f"{pod.id}@eth0.json"]
    assert node.leases("lan") == set(), "the address before it in the chain is nobody's any more"
    assert node.ports() == [], "the default network is undone although the other could not be"
    node.call("ADD", pod).bad(105)
    node.call("DEL", pod).bad(103)
    _write_script(node, "stuck", "exit 0")
    node.call("DEL", pod).good()
    node.nothing_left()


def _script(node: Node, name: str) -> dict[str, Any]:
    if str(node.folder / "bin") not in node.settings["binDirs"]:
        node.settings["binDirs"].append(str(node.folder / "bin"))
    return {"type": name}


def _write_script(node: Node, name: str, body: str) -> None:
    path = node.folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_del_goes_on_after_a_failure_and_reports_it(node: Node) -> None:
    """NPWG 7.2: one network's failure does not keep another from being torn down."""
    _write_script(node, "moody", '[ "$CNI_COMMAND" = DEL ] && { echo gone wrong >&2; exit 3; }; exit 0')
    node.nad("lan", node.macvlan())
    node.nad("moody", {"cniVersion": "1.0.0", **_script(node, "moody")})
    pod = node.pod("lan@eth1,moody@eth2")
    node.call("ADD", pod).good()
    message = node.call("DEL", pod).bad(103)
    assert 'network "default/moody" on "eth2": plug-in "moody" ended with status 3 gone wrong' in message
    assert pod.links() == {}
    assert node.leases("lan") == set()
    _write_script(node, "moody", "exit 0")
    node.call("DEL", pod).good()
    node.nothing_left()


def test_plugin_that_prints_nothing_gets_a_minimal_status(node: Node) -> None:
    """NPWG 5.1.1: an ADD without a result."""
    _write_script(node, "silent", "exit 0")
    node.nad("silent", {"cniVersion": "0.4.0", **_script(node, "silent")})
    pod = node.pod("silent@eth2")
    node.call("ADD", pod).good()
    assert node.api.statuses[pod.key][1] == {"name": "default/silent", "interface": "eth2", "default": False}
    node.call("DEL", pod).good()


def test_plugin_that_hangs_is_ended(node: Node) -> None:
    ended = node.folder / "ended"
    _write_script(node, "slow", f'[ "$CNI_COMMAND" = ADD ] && sleep 50 && touch {ended}; exit 0')
    node.nad("slow", {"cniVersion": "1.0.0", **_script(node, "slow")})
    node.settings["delegateTimeoutSeconds"] = 1
    assert "did not finish ADD in 1 seconds" in failed(node, node.pod("slow"), 103)
    assert not ended.exists()


def test_del_works_when_all_else_is_gone(node: Node) -> None:
    """The NAD, the pod, the credentials, the API server, the sandbox and the default network's file."""
    node.nad("lan", node.macvlan())
    pod = node.pod(ANNOTATED)
    node.call("ADD", pod).good()
    node.api.nads.clear()
    node.api.pods.clear()
    node.kubeconfig.unlink()
    node.default_path.unlink()
    ip("netns", "del", pod.netns)
    requests = len(node.api.requests)
    node.call("DEL", pod).good()
    assert len(node.api.requests) == requests
    node.nothing_left()


def test_del_twice_and_del_without_add(node: Node) -> None:
    node.nad("lan", node.macvlan())
    pod = node.pod(ANNOTATED)
    node.call("DEL", pod).good()
    node.call("ADD", pod).good()
    node.call("DEL", pod).good()
    node.call("DEL", pod).good()
    node.nothing_left()


def test_add_twice_is_refused(node: Node) -> None:
    pod = node.pod()
    node.call("ADD", pod).good()
    assert "DEL comes first" in node.call("ADD", pod).bad(105)
    assert list(pod.links()) == ["eth0"], "the refusal touches nothing"
    node.call("DEL", pod).good()


def test_killed_add_is_cleaned_by_del(node: Node) -> None:
    """The runtime kills netattach while a delegate runs: DEL waits for the delegate and then frees all."""
    began, goes_on, ended = (node.folder / name for name in ("began", "goes-on", "ended"))
    wait = f"until [ -e {goes_on} ]; do sleep 0.05; done; touch {ended}"
    _write_script(node, "slow", f'if [ "$CNI_COMMAND" = ADD ]; then touch {began}; {wait}; fi')
    node.nad("lan", node.macvlan())
    node.nad("slow", {"cniVersion": "1.0.0", **_script(node, "slow")})
    pod = node.pod("lan@eth1,slow@eth2")
    process = node.start("ADD", pod)
    until("the slow plug-in", began.exists)
    assert "eth1" in pod.links()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process = node.start("DEL", pod)
    with pytest.raises(subprocess.TimeoutExpired):  # over an interval, since nothing shows that a call waits
        process.wait(0.5)
    goes_on.touch()
    finish(process).good()
    assert ended.exists(), "DEL overtook the delegate"
    assert pod.links() == {}
    node.nothing_left()


@pytest.mark.parametrize("content", ["", "{", '{"format": 2}', '{"format": 1, "attachments": 3}'])
def test_record_that_a_power_cut_spoilt(node: Node, content: str) -> None:
    pod = node.pod()
    node.call("ADD", pod).good()
    (node.cache / f"{pod.id}@eth0.json").write_text(content)
    answer = node.call("DEL", pod)
    answer.good()
    assert f'the file "{node.cache}/{pod.id}@eth0.json" is ' in answer.err
    assert "DEL goes by what is known without it" in answer.err
    node.nothing_left()


def test_pod_from_before_netattach_is_detached(node: Node) -> None:
    """Attached by the runtime straight to the default network: only the runtime's cache knows the result."""
    pod = node.pod()
    node.call("ADD", pod).good()
    record = node.cache / f"{pod.id}@eth0.json"
    result = json.loads(record.read_text())["attachments"][0]["result"]
    record.unlink()
    entry = {"kind": "cniCacheV1", "containerId": pod.id, "ifName": "eth0", "networkName": "pods", "result": result}
    cached = node.results / f"pods-{pod.id}-eth0"
    cached.write_text(json.dumps(entry))
    node.call("DEL", pod).good()
    assert not cached.exists(), "nobody else would remove it"
    node.nothing_left()


MISSING = 'the NetworkAttachmentDefinition "default/absent" does not exist'


def test_missing_network_is_named(node: Node) -> None:
    pod = node.pod("absent")
    assert failed(node, pod, 100).startswith(MISSING)
    assert node.api.events[0]["message"] == MISSING
    assert node.leases("pods") == set(), "looked up before anything was attached"


def test_same_failure_again_is_the_same_event(node: Node) -> None:
    pod = node.pod("absent")
    for _ in range(3):
        node.call("ADD", pod).bad(100)
    assert len(node.api.events) == 1


def test_missing_resource_definition_is_named(node: Node) -> None:
    node.api.crd = False
    assert "the API server does not serve its kind" in failed(node, node.pod("lan"), 100)


def test_another_namespace_is_refused(node: Node) -> None:
    node.nad("lan", node.macvlan(), namespace="other")
    pod = node.pod("other/lan@eth1")
    assert 'a pod of namespace "default" may not use the network "other/lan"' in failed(node, pod, 101)
    assert not any(request.startswith("GET") for request in node.api.requests), "refused unseen"
    assert "other/lan" in node.api.events[0]["message"]


def test_shared_namespace_is_allowed(node: Node) -> None:
    node.nad("lan", node.macvlan(), namespace="other")
    node.settings["sharedNamespaces"] = ["other"]
    pod = node.pod("other/lan@eth1")
    node.call("ADD", pod).good()
    assert node.api.statuses[pod.key][1]["name"] == "other/lan"
    node.call("DEL", pod).good()


def test_invalid_annotation_is_named(node: Node) -> None:
    pod = node.pod('[{"name": "ib", "infiniband-guid": "24:8a:07:03:00:8d:ae:2f"}]')
    message = failed(node, pod, 7)
    assert '"infiniband-guid" of "ib" is not supported' in message
    assert "infiniband-guid" in node.api.events[0]["message"]


@pytest.mark.parametrize("networks", ["lan@eth1,lan@eth1", "lan@eth0", "lan@lo"])
def test_interface_name_taken(node: Node, networks: str) -> None:
    node.nad("lan", node.macvlan())
    assert "which another attachment of the pod has" in failed(node, node.pod(networks), 7)


def test_network_that_names_netattach_is_refused(node: Node) -> None:
    node.nad("loop", {"cniVersion": "1.1.0", "type": "netattach"})
    assert 'delegates to "netattach" itself' in failed(node, node.pod("loop"), 7)


def test_plugin_outside_the_plugin_folders_is_refused(node: Node) -> None:
    node.nad("escape", {"cniVersion": "1.0.0", "type": "../../bin/sh"})
    assert "whose type is not valid" in failed(node, node.pod("escape"), 7)


def test_missing_plugin_is_named(node: Node) -> None:
    node.nad("lan", {"cniVersion": "1.0.0", "type": "no-such-plugin"})
    message = node.call("ADD", node.pod("lan")).bad(104)
    assert 'the CNI plug-in "no-such-plugin" is missing' in message


def test_unknown_cni_version_is_named(node: Node) -> None:
    node.nad("lan", node.macvlan("9.0.0"))
    assert '"9.0.0", which netattach does not know' in failed(node, node.pod("lan"), 1)


# The API server slow, absent or refusing.


def test_api_that_starts_up_is_waited_for(node: Node) -> None:
    node.api.fail_first = 3
    node.nad("lan", node.macvlan())
    pod = node.pod("lan")
    node.call("ADD", pod).good()
    node.call("DEL", pod).good()


def test_credentials_that_come_late_are_waited_for(node: Node) -> None:
    node.nad("lan", node.macvlan())
    pod = node.pod("lan")
    content = node.kubeconfig.read_bytes()
    node.kubeconfig.unlink()
    process = node.start("ADD", pod)
    with pytest.raises(subprocess.TimeoutExpired):  # over an interval, since nothing shows that a call waits
        process.wait(0.5)
    node.kubeconfig.write_bytes(content)
    finish(process).good()
    node.call("DEL", pod).good()


def test_token_that_is_renewed_in_time_is_taken(node: Node) -> None:
    node.nad("lan", node.macvlan())
    pod = node.pod("lan")
    node.api.token = "the-next-token"  # noqa: S105
    process = node.start("ADD", pod)
    until("a try with the old token", lambda: node.api.requests)
    text = node.kubeconfig.read_text().replace("a-token-of-the-test", "the-next-token")
    fresh = node.kubeconfig.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(node.kubeconfig)
    finish(process).good()
    node.call("DEL", pod).good()


def test_slow_api_is_bounded(node: Node) -> None:
    node.api.delay = 50
    node.settings["apiTimeoutSeconds"] = 1.5
    started = time.monotonic()
    message = failed(node, node.pod("lan"), 11)
    assert "gave no usable answer in 1.5 seconds" in message
    assert "timed out" in message
    assert time.monotonic() - started < 40, "the answer comes after 50"


def test_absent_api_is_bounded(node: Node) -> None:
    node.api.server.shutdown()
    node.api.server.server_close()
    message = failed(node, node.pod("lan"), 11)
    assert "Connection refused" in message
    assert node.api.address in message


def test_missing_credentials_are_named(node: Node) -> None:
    node.kubeconfig.unlink()
    message = failed(node, node.pod("lan"), 11)
    assert 'the DaemonSet "netattach" writes it' in message


def test_refusing_api_is_named(node: Node) -> None:
    node.api.refuse = 403
    message = failed(node, node.pod("lan"), 102)
    assert "refused netattach with status 403" in message
    assert "refused by the test" in message


def test_expired_token_is_named(node: Node) -> None:
    node.api.token = "another"  # noqa: S105
    assert "it answered 401: Unauthorized" in failed(node, node.pod("lan"), 11)


def test_server_of_another_authority_is_refused(node: Node) -> None:
    from netattach_api import make_certificate

    other = node.folder / "other"
    other.mkdir()
    from agents.netattach.kubeconfig import render

    node.kubeconfig.write_bytes(render(node.api.address, make_certificate(other)[0].read_bytes(), node.api.token))
    assert "certificate verify failed" in failed(node, node.pod("lan"), 11)
    assert node.api.requests == [], "the token was not shown to it"


def test_status_is_not_written_to_a_later_pod_of_the_name(node: Node) -> None:
    node.nad("lan", node.macvlan())
    pod = node.pod("lan")
    node.api.pods[pod.key] = "another-uid"
    answer = node.call("ADD", pod)
    answer.good()
    assert "its network status was not written" in answer.err
    assert node.api.statuses == {}
    node.call("DEL", pod).good()


def test_runtime_that_hides_the_annotations_is_refused(node: Node) -> None:
    message = node.call("ADD", node.pod(), runtimeConfig={}).bad(7)
    assert "io.kubernetes.cri.pod-annotations" in message


def test_default_network_not_there_yet(node: Node) -> None:
    node.default_path.unlink()
    assert "is not there yet" in node.call("ADD", node.pod()).bad(11)
