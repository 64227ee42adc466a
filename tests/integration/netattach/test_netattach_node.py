"""The verbs about the node as a whole: VERSION, STATUS, GC; and many pods at once."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from netattach_node import Node, Pod, finish, until


def test_version(node: Node) -> None:
    answer = node.call("VERSION").good()
    assert answer == {"cniVersion": "1.1.0", "supportedVersions": ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]}


def test_called_as_a_program_it_says_what_it_is(node: Node) -> None:
    argv = [str(node.executable)]
    process = subprocess.run(argv, env={}, input="", capture_output=True, text=True, check=False, timeout=20)
    assert process.returncode == 1
    assert json.loads(process.stdout)["code"] == 4
    assert "CNI_COMMAND" in process.stdout


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ({"cniVersion": "2.0.0"}, 1, 'does not speak CNI version "2.0.0"'),
        ({"kubeconfg": "/x"}, 2, 'no option "kubeconfg" (its value is "/x")'),
        ({"kubeconfig": "x"}, 7, '"kubeconfig" must be an absolute path'),
        ({"name": "a/b"}, 7, 'the network name "a/b" is not valid'),
    ],
)
def test_bad_configuration(node: Node, config: dict[str, Any], code: int, said: str) -> None:
    assert said in node.call("ADD", node.pod(), **config).bad(code)


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_result_has_the_version_that_the_runtime_speaks(node: Node, version: str) -> None:
    pod = node.pod()
    result = node.call("ADD", pod, cniVersion=version).good()
    assert result["cniVersion"] == version
    assert ("version" in result["ips"][0]) == (version < "1")
    node.call("DEL", pod, cniVersion=version).good()


@pytest.mark.parametrize(("command", "version"), [("CHECK", "0.3.1"), ("STATUS", "1.0.0"), ("GC", "1.0.0")])
def test_verb_that_the_version_does_not_have(node: Node, command: str, version: str) -> None:
    assert f"CNI version {version} has no {command}" in node.call(command, node.pod(), cniVersion=version).bad(1)


def test_status_follows_the_default_network(node: Node) -> None:
    node.call("STATUS").good()
    node.kubeconfig.unlink()
    node.call("STATUS").good()
    text = node.default_path.read_text()
    node.default_path.write_text(text.replace('"portmap"', '"no-such-plugin"'))
    assert '"no-such-plugin" is missing' in node.call("STATUS").bad(50)
    node.default_path.write_text(text.replace('"host-local"', '"no-such-ipam"'))
    assert '"no-such-ipam" is missing' in node.call("STATUS").bad(50)
    node.default_path.unlink()
    assert "is not there yet" in node.call("STATUS").bad(50)


def _recorder(node: Node, name: str, body: str = "exit 0") -> dict[str, Any]:
    """A plug-in that writes down what it is called with."""
    folder = node.folder / "bin"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\n{{ echo "$CNI_COMMAND"; cat; echo; }} >> {folder}/{name}.calls\n{body}\n')
    path.chmod(0o755)
    node.settings["binDirs"] = [str(node.cni_bin), str(folder)]
    return {"cniVersion": "1.1.0", "type": name}


def _calls(node: Node, name: str, command: str) -> list[dict[str, Any]]:
    path = node.folder / "bin" / f"{name}.calls"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(config) for verb, config in zip(lines[::2], lines[1::2], strict=True) if verb == command]


def test_status_is_forwarded_to_a_default_network_at_1_1_0(node: Node) -> None:
    said = """[ "$CNI_COMMAND" = STATUS ] && { echo '{"code":51,"msg":"no more addresses"}'; exit 1; }; exit 0"""
    node.default_path.write_text(json.dumps({**_recorder(node, "own", said), "name": "pods"}))
    assert "no more addresses" in node.call("STATUS").bad(51)


def _pair(pod: Pod, ifname: str = "eth0") -> dict[str, str]:
    return {"containerID": pod.id, "ifname": ifname}


def _gc(node: Node, *live: Pod) -> Any:
    return node.call("GC", **{"cni.dev/valid-attachments": [_pair(pod) for pod in live]})


def test_gc_frees_the_dead_and_keeps_the_living(node: Node) -> None:
    node.nad("lan", node.macvlan())
    living, dead = node.pod("lan@eth1"), node.pod("lan@eth1")
    for pod in (living, dead):
        node.call("ADD", pod).good()
    _gc(node, living).good()
    assert dead.links() == {}
    assert node.leases("lan") == set(living.addresses("eth1"))
    assert node.leases("pods") == set(living.addresses("eth0"))
    assert node.records() == [f"{living.id}@eth0.json"]
    node.call("CHECK", living).good()
    node.call("DEL", living).good()
    node.nothing_left()


def test_gc_gives_each_delegate_its_own_attachments(node: Node) -> None:
    node.nad("own", _recorder(node, "own"))
    living, dead = node.pod("own@eth1,own@eth2"), node.pod("own@eth1")
    for pod in (living, dead):
        node.call("ADD", pod).good()
    _gc(node, living).good()
    (config,) = _calls(node, "own", "GC")
    assert config["cni.dev/valid-attachments"] == [_pair(living, "eth1"), _pair(living, "eth2")]
    assert config["cni.dev/attachments"] == config["cni.dev/valid-attachments"]
    assert (config["name"], config["cniVersion"]) == ("own", "1.1.0")
    assert "prevResult" not in config and "runtimeConfig" not in config


def test_gc_of_one_name_in_two_namespaces_knows_both(node: Node) -> None:
    """Delegates keep state by network name: the other namespace's live interface must be in the list."""
    node.settings["sharedNamespaces"] = ["other"]
    plugin = _recorder(node, "own")
    node.nad("same", plugin)
    node.nad("same", {**plugin, "note": "another"}, namespace="other")
    pods = [node.pod("same@eth1"), node.pod("other/same@eth1")]
    for pod in pods:
        node.call("ADD", pod).good()
    _gc(node, *pods).good()
    calls = _calls(node, "own", "GC")
    assert len(calls) == 2
    wanted = sorted((_pair(pod, "eth1") for pod in pods), key=lambda pair: pair["containerID"])
    assert all(config["cni.dev/valid-attachments"] == wanted for config in calls)


def test_gc_knows_pods_from_before_netattach(node: Node) -> None:
    node.default_path.write_text(json.dumps({**_recorder(node, "own"), "name": "pods"}))
    entry = {"kind": "cniCacheV1", "containerId": "older", "ifName": "eth0", "networkName": "pods"}
    (node.results / "pods-older-eth0").write_text(json.dumps(entry))
    _gc(node).good()
    (config,) = _calls(node, "own", "GC")
    assert config["cni.dev/valid-attachments"] == [{"containerID": "older", "ifname": "eth0"}]


def test_gc_leaves_a_running_add_alone(node: Node) -> None:
    slow = _recorder(node, "slow", '[ "$CNI_COMMAND" = ADD ] && sleep 1.5; exit 0')
    node.nad("lan", node.macvlan())
    node.nad("slow", slow)
    pod = node.pod("lan@eth1,slow@eth2")
    process = node.start("ADD", pod)
    until("the slow plug-in", (node.folder / "bin" / "slow.calls").exists)
    _gc(node).good()
    finish(process).good()
    assert node.leases("lan") == set(pod.addresses("eth1"))
    node.call("DEL", pod).good()
    node.nothing_left()


def test_gc_goes_on_after_a_failure_and_reports_it(node: Node) -> None:
    node.nad("own", _recorder(node, "own", '[ "$CNI_COMMAND" = GC ] && exit 4; exit 0'))
    node.nad("lan", node.macvlan("1.1.0"))
    living, dead = node.pod("own,lan"), node.pod("lan")
    for pod in (living, dead):
        node.call("ADD", pod).good()
    assert 'network "own": plug-in "own" ended with status 4' in _gc(node, living).bad(103)
    assert node.leases("lan") == set(living.addresses("net2"))


def test_gc_without_the_list_frees_nothing(node: Node) -> None:
    pod = node.pod()
    node.call("ADD", pod).good()
    assert "cni.dev/valid-attachments" in node.call("GC").bad(7)
    assert list(pod.links()) == ["eth0"]


def test_disable_gc_of_a_network_is_respected(node: Node) -> None:
    plugin = _recorder(node, "own")
    node.nad("own", {"cniVersion": "1.1.0", "disableGC": True, "plugins": [plugin]})
    pod = node.pod("own")
    node.call("ADD", pod).good()
    _gc(node, pod).good()
    assert _calls(node, "own", "GC") == []


def _all_at_once(node: Node, command: str, pods: list[Pod], together: int) -> None:
    for start in range(0, len(pods), together):
        processes = [node.start(command, pod) for pod in pods[start : start + together]]
        for process in processes:
            finish(process).good()


def test_fifty_pods_ten_at_a_time_have_distinct_addresses_and_leave_none(node: Node) -> None:
    node.settings["apiTimeoutSeconds"] = 30
    node.nad("lan", node.macvlan())
    pods = [node.pod("lan@eth1") for _ in range(50)]
    _all_at_once(node, "ADD", pods, 10)
    for ifname, network in (("eth1", "lan"), ("eth0", "pods")):
        addresses = [address for pod in pods for address in pod.addresses(ifname)]
        assert len(set(addresses)) == len(addresses) == (50 if ifname == "eth1" else 100)
        assert node.leases(network) == set(addresses)
    assert all(len(node.api.statuses[pod.key]) == 2 for pod in pods)
    _all_at_once(node, "DEL", pods, 10)
    node.nothing_left()
