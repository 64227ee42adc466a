"""Configurations: netattach's own, networks', calls', credentials; and what a delegate is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from agents.netattach import build, credentials, network, publish
from agents.netattach.attachment import Attachment
from agents.netattach.delegate import Runner
from agents.netattach.errors import CniError
from agents.netattach.kubeconfig import Kubeconfig, Unusable, render
from agents.netattach.request import Request
from agents.netattach.settings import Settings

OWN = {"cniVersion": "1.1.0", "name": "netattach", "type": "netattach"}


def test_settings_have_defaults() -> None:
    settings = Settings({**OWN, "runtimeConfig": {}, "cni.dev/valid-attachments": []})
    assert settings.default_network == "/etc/cni/net.d/10-pods.conflist"
    assert settings.shared_namespaces == []


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ({"cacheDirectory": "/x"}, 2, 'netattach has no option "cacheDirectory" (its value is "/x")'),
        ({"cacheDir": "x"}, 7, '"cacheDir" must be an absolute path, not "x"'),
        ({"binDirs": "/x"}, 7, '"binDirs" must be a list of strings, not "/x"'),
        ({"apiTimeoutSeconds": 0}, 7, '"apiTimeoutSeconds" must be a number of seconds, not "0"'),
        ({"apiTimeoutSeconds": True}, 7, "must be a number of seconds"),
    ],
)
def test_settings_refuse(config: dict[str, object], code: int, said: str) -> None:
    with pytest.raises(CniError) as caught:
        Settings({**OWN, **config})
    assert caught.value.code == code
    assert said in caught.value.msg


ENVIRON = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "abc", "CNI_NETNS": "/run/netns/x", "CNI_IFNAME": "eth0"}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"CNI_COMMAND": ""}, 4, 'CNI_COMMAND is ""'),
        ({"CNI_COMMAND": "GET"}, 4, 'CNI_COMMAND is "GET"'),
        ({"CNI_CONTAINERID": "", "CNI_NETNS": ""}, 4, "ADD needs CNI_CONTAINERID, CNI_NETNS in the environment"),
        ({"CNI_CONTAINERID": "../x"}, 4, 'CNI_CONTAINERID "../x" is not valid'),
        ({"CNI_IFNAME": "a-name-that-is-too-long"}, 4, "CNI_IFNAME"),
        ({"CNI_COMMAND": "GC"}, 4, "GC needs CNI_PATH in the environment"),
    ],
)
def test_request_checks_the_environment(change: dict[str, str], code: int, said: str) -> None:
    with pytest.raises(CniError) as caught:
        Request({**ENVIRON, **change}, json.dumps(OWN).encode())
    assert (caught.value.code, said in caught.value.msg) == (code, True), caught.value.msg


def test_request_refuses_what_is_not_json() -> None:
    with pytest.raises(CniError) as caught:
        Request(ENVIRON, b"{")
    assert caught.value.code == 6


def test_del_needs_no_network_namespace() -> None:
    assert Request({**ENVIRON, "CNI_COMMAND": "DEL", "CNI_NETNS": ""}, json.dumps(OWN).encode()).netns == ""


def test_pod_of_a_request() -> None:
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web-0;K8S_POD_UID=u"
    pod = Request({**ENVIRON, "CNI_ARGS": args}, json.dumps(OWN).encode()).pod()
    assert pod is not None
    assert (str(pod), pod.uid) == ("ns/web-0", "u")
    assert Request(ENVIRON, json.dumps(OWN).encode()).pod() is None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"plugins": []}, '"plugins" must be a list of at least one plug-in'),
        ({"plugins": ["x"]}, '"plugins" must be a list'),
        ({"type": ""}, "whose type is not valid"),
        ({"type": "a/b"}, 'whose type is not valid: "a/b"'),
        ({"type": ".."}, "whose type is not valid"),
        ({"type": "netattach"}, 'delegates to "netattach" itself'),
        ({"type": "x", "name": "../up"}, 'has no valid CNI network name: "../up"'),
        ({"type": "x", "cniVersion": "3.0.0"}, 'asks for CNI version "3.0.0"'),
    ],
)
def test_network_refuses(config: dict[str, object], said: str) -> None:
    with pytest.raises(CniError) as caught:
        network.Network("the network", {"name": "n", **config})
    assert said in caught.value.msg


def test_name_of_the_object_is_added_where_there_is_none() -> None:
    """NPWG 3.4.2"""
    assert network.parse("x", '{"type":"awesome-plugin"}', "a-bridge-network").name == "a-bridge-network"
    assert network.parse("x", '{"type":"awesome-plugin","name":"own"}', "a-bridge-network").name == "own"


class Recorder(Runner):
    """A runner that writes down what it would run."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        super().__init__([], {}, 1)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers = list(answers)

    def run(self, command: str, ifname: str, config: dict[str, object], args: str = "") -> dict[str, object]:
        self.calls.append((command, json.loads(json.dumps(config))))
        return self.answers.pop(0) if self.answers else {}


def attachment(version: str = "1.0.0", **more: Any) -> Attachment:
    plugins = [
        {"type": "one", "capabilities": {"ips": True, "mac": False}, "args": {"cni": {"a": 1, "b": 2}}, "extra": [1]},
        {"type": "two", "capabilities": {"mac": True}},
    ]
    made = Attachment(
        "ns/net", network.Network("net", {"name": "net", "cniVersion": version, "plugins": plugins, **more}), "eth1"
    )
    made.capability_args = {"ips": ["10.0.0.1"], "mac": "02:00:00:00:00:01", "bandwidth": {}}
    return made


def test_request_configuration_of_a_chain() -> None:
    """CNI 1.1, "Deriving request configuration from plugin configuration\""""
    made, first = attachment(), {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.1/24"}]}
    made.cni_args = {"b": 3}
    runner = Recorder(first)
    made.add(runner)
    (_, one), (_, two) = runner.calls
    assert one == {
        "type": "one", "name": "net", "cniVersion": "1.0.0", "extra": [1],
        "runtimeConfig": {"ips": ["10.0.0.1"]}, "args": {"cni": {"a": 1, "b": 3}},
    }  # fmt: skip
    assert two == {
        "type": "two", "name": "net", "cniVersion": "1.0.0", "args": {"cni": {"b": 3}},
        "runtimeConfig": {"mac": "02:00:00:00:00:01"}, "prevResult": first,
    }  # fmt: skip
    assert made.result == first, "a plug-in that prints nothing passes the result on"


def test_delete_is_the_chain_backwards_with_the_final_result() -> None:
    made, runner = attachment(), Recorder()
    made.result = {"cniVersion": "1.0.0", "ips": []}
    made.delete(runner)
    assert [(verb, config["type"], "prevResult" in config) for verb, config in runner.calls] == [
        ("DEL", "two", True),
        ("DEL", "one", True),
    ]


def test_no_result_on_delete_below_0_4_0() -> None:
    made, runner = attachment("0.3.1"), Recorder()
    made.result = {"cniVersion": "0.3.1"}
    made.delete(runner)
    assert all("prevResult" not in config for _, config in runner.calls)


@pytest.mark.parametrize(
    ("version", "more", "calls"), [("0.3.1", {}, 0), ("0.4.0", {}, 2), ("1.0.0", {"disableCheck": True}, 0)]
)
def test_check_is_passed_over_where_there_is_none(version: str, more: dict[str, Any], calls: int) -> None:
    made, runner = attachment(version, **more), Recorder()
    made.check(runner)
    assert len(runner.calls) == calls


def test_old_results_are_converted_within_a_chain() -> None:
    """A plug-in that answers in an older form than asked for."""
    made, runner = attachment("1.0.0"), Recorder({"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.1/24"}})
    made.add(runner)
    assert runner.calls[1][1]["prevResult"] == {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.1/24"}], "dns": {}}


def test_attachment_survives_the_cache() -> None:
    made = attachment()
    made.result = {"cniVersion": "1.0.0"}
    again = Attachment.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.to_dict() == made.to_dict()


def test_status_without_a_sandbox_interface() -> None:
    made = attachment()
    made.result = {
        "cniVersion": "1.0.0",
        "ips": [{"address": "10.0.0.9/24"}],
        "dns": {"nameservers": ["10.0.0.1"], "x": 1},
    }
    assert publish.status_of([made]) == [
        {
            "name": "ns/net",
            "interface": "eth1",
            "ips": ["10.0.0.9"],
            "default": False,
            "dns": {"nameservers": ["10.0.0.1"]},
        }
    ]


def test_kubeconfig_reads_what_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(render("https://[fd00:10::11]:6443", b"CA", "token"))
    config = Kubeconfig(str(path))
    assert (config.host, config.port, config.tls, config.token) == ("fd00:10::11", 6443, True, "token")


@pytest.mark.parametrize("text", ["", "clusters: []", "{}", '{"clusters":[{"cluster":{}}]}'])
def test_kubeconfig_says_what_it_cannot_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(Unusable, match=rf'"{path}" is (empty|not JSON|not a kubeconfig).*"netattach" writes it'):
        Kubeconfig(str(path))


def _source(folder: Path, token: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "ca.crt").write_text("CA")
    (folder / "token").write_text(f"{token}\n")
    return folder


def test_credentials_are_renewed_whole_and_private(tmp_path: Path) -> None:
    source, target = _source(tmp_path / "source", "one"), tmp_path / "netattach.d" / "kubeconfig"
    target.parent.mkdir(mode=0o755)
    assert credentials.refresh(str(source), str(target), "https://10.0.0.11:6443")
    assert (target.stat().st_mode & 0o777, target.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not credentials.refresh(str(source), str(target), "https://10.0.0.11:6443"), "nothing new, nothing written"
    first = target.stat().st_ino
    _source(source, "two")
    assert credentials.refresh(str(source), str(target), "https://10.0.0.11:6443")
    assert target.stat().st_ino != first
    assert Kubeconfig(str(target)).token == "two"  # noqa: S105
    target.chmod(0o644)
    assert credentials.refresh(str(source), str(target), "https://10.0.0.11:6443"), "readable by others: written anew"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["kubeconfig"]


def test_credentials_follow_no_link(tmp_path: Path) -> None:
    source, target = _source(tmp_path / "source", "one"), tmp_path / "kubeconfig"
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "kubeconfig.new").symlink_to(victim)
    credentials.refresh(str(source), str(target), "https://10.0.0.11:6443")
    assert victim.read_text() == "mine"


def test_credentials_program_ends_on_sigterm(tmp_path: Path) -> None:
    source, target = _source(tmp_path / "source", "one"), tmp_path / "kubeconfig"
    executable = build.build(tmp_path / "built")
    argv = [str(executable), "credentials", str(source), str(target), "https://10.0.0.11:6443"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        timer = threading.Timer(20, process.kill)
        timer.start()
        assert process.stdout.readline() == f'netattach: renewed "{target}"\n'
        process.terminate()
        assert process.wait(10) == 0
        timer.cancel()


def test_build_is_the_same_for_the_same_sources(tmp_path: Path) -> None:
    one, two = build.build(tmp_path / "a"), build.build(tmp_path / "b")
    assert one.read_bytes() == two.read_bytes()
    assert one.parent.name == two.parent.name
    assert os.access(one, os.X_OK)


def test_plug_in_imports_little(tmp_path: Path) -> None:
    """Start-up time is what a plug-in in Python costs: what is slow to import stays out of the common path."""
    slow = {"ssl", "http.client", "subprocess", "dataclasses", "typing", "ipaddress", "pathlib", "urllib.parse"}
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import netattach.main, netattach.add, netattach.delete, netattach.status;"
        "print(' '.join(sys.modules))"
    )
    folder = str(build.build(tmp_path))
    done = subprocess.run([sys.executable, "-IS", "-c", code, folder], capture_output=True, text=True, check=True)
    assert slow & set(done.stdout.split()) == set()
