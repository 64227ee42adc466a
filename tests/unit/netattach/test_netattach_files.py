"""Every file that netattach reads, damaged in every way: it is named with a remedy, and nobody waits for it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.netattach import credentials, files, leases, multus_cache, network, runtime_cache
from agents.netattach.api import Api
from agents.netattach.errors import CniError, Damaged
from agents.netattach.kubeconfig import Kubeconfig, Unusable, render
from agents.netattach.reconcile import Reconciler
from agents.netattach.settings import Settings
from agents.netattach.store import Record, Store
from agents.netattach.trust import Trust
from tests.damage import DAMAGE, SAID, damage, no_waiting

__all__ = ["no_waiting"]  # a fixture of all tests here

ID = "c0ffee"
NETWORK = {"cniVersion": "1.0.0", "name": "lan", "type": "macvlan"}
FOLLOWED = {"a link", "a link to nothing"}


def record(folder: Path) -> tuple[Path, Callable[[], object]]:
    store = Store(str(folder))
    store.save(Record(ID, "eth0", "", None))
    return folder / f"{ID}@eth0.json", lambda: store.load(ID, "eth0")


def multus(folder: Path) -> tuple[Path, Callable[[], object]]:
    multus_cache.hand_over(Store(str(folder / "own")), str(folder), Record(ID, "eth0", "", None))
    return folder / ID, lambda: multus_cache.adopt(Store(str(folder)), str(folder), Record(ID, "eth0", "", None))


def cached(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = folder / f"lan-{ID}-eth0"
    path.write_text(json.dumps({"kind": runtime_cache.KIND, "networkName": "lan", "containerId": ID, "ifName": "eth0"}))

    def read() -> None:
        pairs, faults = runtime_cache.attachments(str(folder), "lan")
        assert (ID, "eth0") in pairs, "it may be in use"
        assert runtime_cache.entry(str(folder), "lan", ID, "eth0") == {}
        raise faults[0]

    return path, read


def tenants(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = folder / "tenants.json"
    path.write_text("{}")
    trust = Trust(Api("", 1), Settings({"tenants": str(path)}))
    return path, lambda: trust.policy


def lease(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = folder / "lan" / "10.0.0.13"
    path.parent.mkdir()
    path.write_text(f"{ID}\r\neth0")

    def read() -> None:
        found, faults = leases.holders(str(folder))
        assert str(path) not in found.get(ID, [])
        raise faults[0]

    return path, read


def kubeconfig(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = folder / "kubeconfig"
    path.write_bytes(render("https://10.0.0.11:6443", b"CA", "token"))
    return path, lambda: Kubeconfig(str(path))


READERS = [record, multus, cached, tenants, lease, kubeconfig]


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("reader", READERS)
def test_damage_is_named(
    reader: Callable[[Path], tuple[Path, Callable[[], object]]], kind: str, tmp_path: Path
) -> None:
    path, read = reader(tmp_path)
    damage(path, kind)
    with pytest.raises((Damaged, Unusable)) as caught:
        read()
    said = str(caught.value)
    assert f'the file "{path}" {SAID[kind]}' in said
    assert said.endswith(")"), "the remedy"


@pytest.mark.parametrize("length", range(len(f"{ID}\r\neth0")))
def test_half_an_id_is_nobodys(length: int, tmp_path: Path) -> None:
    """A reservation that is cut off anywhere is its container's or damaged, and never another's, which is gone."""
    path, _ = lease(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    found, faults = leases.holders(str(tmp_path))
    whole = length >= len(f"{ID}\r\n")
    assert (list(found), len(faults)) == (([ID], 0) if whole else ([], 1))


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind not in FOLLOWED])
def test_a_damaged_configuration_is_named(kind: str, tmp_path: Path) -> None:
    """In place of the wanted one it is the error; beside it, it keeps nobody from his network."""
    path = tmp_path / "10-lan.conf"
    path.write_text(json.dumps(NETWORK))
    damage(path, kind)
    for read in (lambda: network.load(str(path)), lambda: network.find_on_disk(str(tmp_path), "lan")):
        with pytest.raises(CniError, match=f'"{path}" {SAID[kind] or "is not (JSON|UTF-8)"}'):
            read()
    (tmp_path / "20-lan.conf").write_text(json.dumps(NETWORK))
    found = network.find_on_disk(str(tmp_path), "lan")
    assert found is not None and found.name == "lan"


def test_a_configuration_may_be_linked(tmp_path: Path) -> None:
    """As administrators and the role do; but what it leads to is judged."""
    path = tmp_path / "10-lan.conf"
    path.write_text(json.dumps(NETWORK))
    damage(path, "a link")
    assert network.load(str(path)).name == "lan"
    damage(path.resolve(), "of another owner")
    with pytest.raises(Damaged, match="belongs to user"):
        network.load(str(path))


def test_a_link_to_nothing_is_no_configuration_yet(tmp_path: Path) -> None:
    (tmp_path / "10-lan.conf").symlink_to("nowhere")
    assert network.find_on_disk(str(tmp_path), "lan") is None
    with pytest.raises(CniError, match="is not there yet"):
        network.load(str(tmp_path / "10-lan.conf"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, "1" * 10_000])
def test_what_no_parser_takes_is_damage(text: str, tmp_path: Path) -> None:
    path = tmp_path / "deep"
    path.write_text(text)
    with pytest.raises(Damaged, match="is not JSON"):
        files.read_json(str(path), "remove it")


def test_a_record_under_another_name_is_damage(tmp_path: Path) -> None:
    path, read = record(tmp_path)
    path.rename(tmp_path / "decaf@eth0.json")
    assert read() is None
    with pytest.raises(Damaged, match="another container than its name says"):
        Store(str(tmp_path)).load("decaf", "eth0")


def test_the_damaged_keep_nobody_from_the_others(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for number, kind in enumerate(DAMAGE):
        store.save(Record(f"c{number}", "eth0", "", None))
        damage(tmp_path / f"c{number}@eth0.json", kind)
    store.save(Record(ID, "eth0", "", None))
    found, spoilt = store.survey()
    assert [one.container_id for one in found] == [ID]
    assert sorted(spoilt) == [(f"c{number}", "eth0") for number in range(len(DAMAGE))]


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_is_in_the_way_is_not_written_through(kind: str, tmp_path: Path) -> None:
    path, beside = tmp_path / "record", tmp_path / "record.new"
    beside.write_text("theirs")
    damage(beside, kind)
    if kind == "a folder":
        with pytest.raises(IsADirectoryError):
            files.write_whole(str(path), b"ours")
        return
    files.write_whole(str(path), b"ours")
    assert path.read_bytes() == b"ours"
    assert path.stat().st_mode & 0o777 == 0o600
    if kind == "a link":
        assert (tmp_path / ".record.new~").read_text() == "theirs"


@pytest.mark.parametrize("kind", DAMAGE)
def test_forgetting_takes_away_what_is_no_folder(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "record"
    path.write_text("theirs")
    damage(path, kind)
    files.forget(str(path))
    assert os.path.lexists(path) == (kind == "a folder")
    assert (f'"{path}" is a folder' in capsys.readouterr().err) == (kind == "a folder")
    assert (tmp_path / ".record~").exists() == (kind == "a link")


@pytest.mark.parametrize("kind", ["a link", "a folder"])
def test_a_lock_that_is_none_is_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"{ID}@eth0.lock"
    path.touch()
    damage(path, kind)
    with pytest.raises(Damaged, match=f'the file "{path}" cannot be locked'):
        Store(str(tmp_path)).lock(ID, "eth0", 0)


def test_a_lock_of_host_locals_that_is_kept_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    path, _ = lease(tmp_path)
    monkeypatch.setattr(leases, "_LOCK_WAIT", 0.1)
    with (path.parent / "lock").open("w") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        started = time.monotonic()
        (said,) = leases.free(ID, [str(path)])
        assert time.monotonic() - started < 5
    assert "Not freed yet is 10.0.0.13 of network 'lan'" in said
    assert "kept locked by another process" in said
    assert path.exists()
    assert "Freed 10.0.0.13" in leases.free(ID, [str(path)])[0]


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_credentials_are_written_anew(kind: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "kubeconfig"
    source.mkdir()
    for name in ("ca.crt", "token"):
        (source / f"{name}~").write_text(name)
        (source / name).symlink_to(f"{name}~")  # as kubelet has them
    given = (str(source), str(target), "https://10.0.0.11:6443")
    assert credentials.refresh(*given)
    damage(target, kind)
    if kind == "a folder":
        with pytest.raises(IsADirectoryError):
            credentials.refresh(*given)
        return
    assert credentials.refresh(*given)
    assert Kubeconfig(str(target)).token == "token"  # noqa: S105


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind not in {*FOLLOWED, "cut off"}])
def test_damaged_tokens_are_named(kind: str, tmp_path: Path) -> None:
    for name in ("ca.crt", "token"):
        (tmp_path / name).write_text(name)
    damage(tmp_path / "token", kind)
    with pytest.raises(Damaged, match=f'the file "{tmp_path}/token" {SAID[kind]}.*kubelet writes it'):
        credentials.refresh(str(tmp_path), str(tmp_path / "kubeconfig"), "https://10.0.0.11:6443")


def test_the_reconciler_tells_damage_once_and_frees_nothing_of_it(tmp_path: Path) -> None:
    """Again only once it was mended; and what the same container holds of host-local's is kept."""
    places = {name: tmp_path / name for name in ("cacheDir", "leasesDir", "multusCacheDir")}
    for place in places.values():
        place.mkdir()
    path, _ = record(places["cacheDir"])
    address, _ = lease(places["leasesDir"])
    settings = Settings({name: str(place) for name, place in places.items()})
    said: list[str] = []
    reconciler = Reconciler(settings, set, said.append, grace=0)
    path.write_text("")
    for now in range(3):
        reconciler.look(float(now))
    (text,) = said
    assert text.startswith(f'Passed over, and kept as it is: the file "{path}" is empty')
    assert address.exists()
    path.unlink()
    reconciler.look(3.0)
    assert said[1:] == [f"Freed 10.0.0.13 of network 'lan', which container {ID}, which is gone, had"]
    path.write_text("")
    reconciler.look(4.0)
    assert said[2:] == [text]
