"""Every file that the policy's agent and plug-in read, damaged in every way: it is named, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, cast

import pytest

from agents.multicast_policy import bind, files, hooks
from agents.multicast_policy.cluster import Cluster
from agents.multicast_policy.events import Teller
from agents.multicast_policy.ports import Records
from tests.damage import DAMAGE, SAID, damage, no_waiting

__all__ = ["no_waiting"]  # a fixture of all tests here

NAME = "c0ffee@eth0"
RECORD = {
    "port": "veth1", "container": "c0ffee", "namespace": "green", "pod": "one", "uid": "u1",
    "mac": "0a:58:0a:f4:00:02", "addresses": ["10.244.0.2"],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the unit, the plug-in and the agent share, with a port's record."""
    (tmp_path / "ports").mkdir()
    (tmp_path / "ports" / NAME).write_text(json.dumps(RECORD))
    (tmp_path / hooks.KIND).write_text("tcx")
    monkeypatch.setattr(bind, "FOLDER", str(tmp_path))
    monkeypatch.setattr(bind, "LIBRARY", str(Path(bind.__file__).parents[1]))
    monkeypatch.setattr(hooks, "FOLDER", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_record_binds_nothing_and_keeps_nobody_from_the_others(
    kind: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(folder)
    assert [port.name for _, port in records.read()] == ["veth1"]
    (folder / "ports" / "decaf@eth0").write_text(json.dumps({**RECORD, "port": "veth2"}))
    damage(folder / "ports" / NAME, kind)
    with caplog.at_level(logging.ERROR):
        assert [port.name for _, port in records.read()] == ["veth2"]
    assert f"record '{folder}/ports/{NAME}' cannot be used" in caplog.text
    assert SAID[kind] in caplog.text
    assert "delete its pod" in caplog.text
    caplog.clear()
    records.read()
    assert caplog.text == "", "it is told once"


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_plug_in_says_that_it_cannot_tell_whose_port_it_is(kind: str, folder: Path) -> None:
    """Another port must not become the pod's, so an ADD is refused; a DEL goes on."""
    path = folder / "ports" / NAME
    damage(path, kind)
    with pytest.raises(bind.CniError, match=rf"'{path}' cannot be used: .*{SAID[kind]}.*delete the pod"):
        bind._port_of(NAME)
    bind.remove(NAME)
    assert os.path.lexists(path) == (kind == "a folder")
    assert (path.with_name(f".{NAME}~")).exists() == (kind == "a link")


def test_gc_leaves_what_another_call_is_writing(folder: Path) -> None:
    being_written = folder / "ports" / f".{NAME}.1"
    being_written.touch()
    bind.collect({"name": bind.NETWORK, "cni.dev/valid-attachments": []})
    assert list((folder / "ports").iterdir()) == [being_written]


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_kind_of_hook_that_cannot_be_read_is_none(kind: str, folder: Path) -> None:
    assert hooks.kind_in_use() == "tcx"
    damage(folder / hooks.KIND, kind)
    with pytest.raises(files.Damaged, match=rf"the file '{folder}/hooks' {SAID[kind]}.*systemctl restart"):
        hooks.kind_in_use()


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_reason_that_cannot_be_read_is_a_reason_all_the_same(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "refused"
    assert files.reason(str(path)) == ""
    path.write_text("no bpf\n")
    assert files.reason(str(path)) == "no bpf"
    damage(path, kind)
    assert SAID[kind] in files.reason(str(path)) != ""
    path.with_name("blank").write_text("\n")
    assert files.reason(str(path.with_name("blank"))) == "no reason is given"


class Silent:
    """Takes every event."""

    def request(self, *_: object, **__: object) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_was_told_is_kept_anew(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "told"
    path.write_text('{"u1": 5.0}')
    damage(path, kind)
    teller = Teller(cast(Cluster, Silent()), "node", path, lambda: {"pods": []})
    assert f"'{path}' cannot be read, so something may be told again" in caplog.text
    teller.tell(["a note"])
    teller.look(1e6)
    if kind == "a folder":
        assert "cannot be kept" in caplog.text
        return
    assert json.loads(path.read_text()) == {"a note": 1e6}
    assert not path.is_symlink()


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind != "a folder"])
def test_nothing_is_written_through_what_is_in_the_way(kind: str, tmp_path: Path) -> None:
    beside = tmp_path / f".record.{os.getpid()}"
    beside.write_text("theirs")
    damage(beside, kind)
    files.write_whole(str(tmp_path / "record"), b"ours")
    assert (tmp_path / "record").read_bytes() == b"ours"
    assert (tmp_path / "record").stat().st_mode & 0o777 == 0o600
    if kind == "a link":
        assert beside.with_name(f".{beside.name}~").read_text() == "theirs"
