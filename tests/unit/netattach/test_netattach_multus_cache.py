"""Changing the attacher under running pods: Multus' records become netattach's, and the other way round."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from agents.netattach import multus_cache, runtime_cache
from agents.netattach.attachment import Attachment
from agents.netattach.errors import Damaged
from agents.netattach.network import Network
from agents.netattach.store import Record, Store

CONTAINER = "c0ffee"
PODS: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [{"type": "bridge", "ipMasq": True}, {"type": "portmap", "capabilities": {"portMappings": True}}],
}
LAN: dict[str, Any] = {"cniVersion": "0.3.0", "name": "lan", "type": "macvlan", "ipam": {"type": "host-local"}}


def encoded(config: object) -> str:
    return base64.b64encode(json.dumps(config).encode()).decode()


# As Multus v4.3.0 writes them on a real node: of the list's plug-ins, `Bytes` has lost what they alone know.
DELEGATES: list[dict[str, Any]] = [
    {
        "Conf": {"ipam": {}},
        "ConfList": {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge"}, {"type": "portmap"}]},
        "CNINetworkConfigList": {"Name": "pods", "Bytes": encoded(PODS)},
        "Name": "pods",
        "Bytes": encoded({**PODS, "plugins": [{"type": "bridge"}, {"type": "portmap"}]}),
    },
    {
        "Conf": {"cniVersion": "0.3.0", "name": "lan", "type": "macvlan"},
        "ConfList": {},
        "CNINetworkConfigList": {"Name": "", "Bytes": None},
        "Name": "default/lan",
        "ifnameRequest": "eth1",
        "Bytes": encoded(LAN),
    },
    {"Conf": {}, "ConfList": {}, "Name": "default/lan", "Bytes": encoded(LAN)},
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    folders = {"cacheDir": "netattach", "multusCacheDir": "multus", "runtimeCacheDir": "results"}
    for key, name in folders.items():
        (tmp_path / name).mkdir()
        monkeypatch.setitem(multus_cache.DEFAULTS, key, str(tmp_path / name))
    (tmp_path / "multus/results").mkdir()
    return Store(str(tmp_path / "netattach"))


def attached_by_multus(tmp_path: Path) -> None:
    (tmp_path / "multus" / CONTAINER).write_text(json.dumps(DELEGATES))
    entry = {"kind": runtime_cache.KIND, "capabilityArgs": {"portMappings": []}, "result": {"cniVersion": "1.0.0"}}
    (tmp_path / f"multus/results/pods-{CONTAINER}-eth0").write_text(json.dumps(entry))
    (tmp_path / f"results/multus-cni-network-{CONTAINER}-eth0").write_text("{}")


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_what_multus_attached_is_adopted_whole_and_once(store: Store, tmp_path: Path) -> None:
    attached_by_multus(tmp_path)
    record = multus_cache.adopt(store, str(tmp_path / "multus"), Record(CONTAINER, "eth0", "/run/netns/x", None))
    assert record is not None
    shown = [(one.title, one.network.name, one.ifname, one.default) for one in record.attachments]
    assert shown == [
        ("pods", "pods", "eth0", True),
        ("default/lan", "lan", "eth1", False),
        ("default/lan", "lan", "net2", False),
    ]
    assert record.attachments[0].network.plugins == PODS["plugins"]
    assert record.attachments[0].capability_args == {"portMappings": []}
    assert record.attachments[0].result == {"cniVersion": "1.0.0"}
    saved = store.load(CONTAINER, "eth0")
    assert saved is not None
    assert saved.to_dict() == record.to_dict()
    assert not files(tmp_path / "multus") | files(tmp_path / "results")


@pytest.mark.parametrize("text", ["", "{}", "[]", '[{"Bytes": "e30="}]', '[{"Bytes": "!"}]', "[1]"])
def test_a_file_that_is_none_of_multus_is_left_alone(text: str, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "multus" / CONTAINER
    path.write_text(text)
    with pytest.raises(Damaged, match=f'the file "{path}" is .*; where that has gone, remove the file'):
        multus_cache.adopt(store, str(tmp_path / "multus"), Record(CONTAINER, "eth0", "", None))
    assert path.read_text() == text
    assert store.load(CONTAINER, "eth0") is None


def test_gc_adopts_every_container(store: Store, tmp_path: Path) -> None:
    attached_by_multus(tmp_path)
    multus_cache.adopt_all(store, str(tmp_path / "multus"))
    assert [record.container_id for record in store.records()] == [CONTAINER]
    multus_cache.adopt_all(store, str(tmp_path / "none"))


def test_hand_over_writes_what_multus_reads_and_can_be_adopted_back(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = Record(CONTAINER, "eth0", "/run/netns/x", None)
    default = Attachment("pods", Network("pods", PODS), "eth0", default=True)
    default.result = {"cniVersion": "1.0.0", "ips": []}
    default.capability_args = {"portMappings": [{"hostPort": 1}]}
    second = Attachment("default/lan", Network("lan", LAN), "eth1")
    second.result = {"cniVersion": "0.3.0"}
    record.attachments = [default, second]
    store.save(record)
    assert multus_cache.main([]) == 0
    assert capsys.readouterr().out == f"{CONTAINER}\n"
    assert store.load(CONTAINER, "eth0") is None
    first, other = json.loads((tmp_path / "multus" / CONTAINER).read_text())
    assert [item["type"] for item in first["ConfList"]["plugins"]] == ["bridge", "portmap"]
    assert json.loads(base64.b64decode(first["Bytes"])) == PODS
    assert (first["ifnameRequest"], other["ifnameRequest"]) == ("", "eth1")
    assert other["Conf"] == {"cniVersion": "0.3.0", "name": "lan", "type": "macvlan"}
    assert other["ConfList"] == {}
    assert (tmp_path / "multus" / CONTAINER).stat().st_mode & 0o777 == 0o600
    cached = json.loads((tmp_path / f"multus/results/lan-{CONTAINER}-eth1").read_text())
    assert (cached["kind"], cached["ifName"], cached["result"]) == ("cniCacheV1", "eth1", {"cniVersion": "0.3.0"})
    back = multus_cache.adopt(store, str(tmp_path / "multus"), Record(CONTAINER, "eth0", "/run/netns/x", None))
    assert back is not None
    assert back.to_dict() == record.to_dict()
    assert multus_cache.main([]) == 0
    assert not list(store.records())
