"""Every file that the command reads and others may have touched, damaged in every way: named, and not waited for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from provision.artifacts import imported
from provision.artifacts import store as cache
from provision.cluster.api import Kube
from provision.core import files
from provision.core.errors import HostError, InputError
from provision.core.files import ensure_text, read_whole
from provision.core.paths import StateDir
from provision.core.run import Completed
from provision.hosts.connect import connect
from provision.hosts.machine import Machine
from provision.providers.podman import keys as podman_keys
from provision.providers.vagrant import door, endpoints
from tests.damage import DAMAGE, damage, no_waiting

__all__ = ["no_waiting"]  # a fixture of all tests here

REFUSED = [kind for kind in DAMAGE if kind not in {"empty", "cut off", "of another owner"}]  # whatever the content is
LINKS = {"a link", "a link to nothing"}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_plain_text_is_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    damage(path, kind)
    with pytest.raises(HostError, match=rf"^{path}: (This|The file) (is|cannot|has)[^\n]*\n  remedy: Mend it$"):
        read_whole(path, "Mend it")


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_kubeconfig_is_named_whosever_it_is(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("{}")
    damage(path, kind)
    for foreign, error in ((False, HostError), (True, InputError)):
        with pytest.raises((HostError, InputError), match=f"^{path}: ") as caught:
            Kube(path, foreign=foreign).client()
        assert type(caught.value) is error
        assert caught.value.remedy


@pytest.mark.parametrize("kind", DAMAGE)
def test_vagrants_machines_are_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "machines.json"
    one = {"address": "10.0.0.1", "port": 22, "api_port": 6443}
    path.write_text(json.dumps({"provider": "libvirt", "machines": {"k8s": one}}))
    assert endpoints.read(path)[1]["k8s"].port == 22
    damage(path, kind)
    if kind == "of another owner":
        assert endpoints.read(path)[0] == "libvirt"
        return
    with pytest.raises(HostError, match=f"^{path}: .*\n  remedy: Run `vagrant up` once more"):
        endpoints.read(path)


@pytest.mark.parametrize("kind", [*DAMAGE, "missing", "an option"])
def test_the_id_of_vagrants_container_is_named(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an id is one to Docker as well; what is none is never handed to its command."""
    asked: list[list[str]] = []

    def run(argv: list[str], **_options: object) -> Completed:
        asked.append(argv)
        return Completed(tuple(argv), 0, "127.0.0.1:40001\n", "", 0.1)

    monkeypatch.setattr(door, "run", run)
    path = tmp_path / "machines" / "k8s" / "docker" / "id"
    path.parent.mkdir(parents=True)
    path.write_text("0123456789abcdef" * 4)
    others: dict[str, Callable[[], object]] = {
        "missing": path.unlink, "an option": lambda: path.write_text("--help")
    }  # fmt: skip
    others.get(kind, lambda: damage(path, kind))()
    vagrant = door.VagrantDoor({"VAGRANT_DOTFILE_PATH": str(tmp_path)})
    if kind in {"cut off", "of another owner"}:
        assert vagrant.api_port("k8s", "docker") == 40001
        return
    with pytest.raises(HostError, match=rf"^{path}: .*\n  remedy: `mcastlab down`, then `mcastlab up`"):
        vagrant.api_port("k8s", "docker")
    assert asked == []


@pytest.mark.parametrize("kind", [kind for kind in REFUSED if kind != "a link to nothing"])
def test_a_pinned_key_of_vagrants_is_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "host_keys" / "k8s.pub"
    path.parent.mkdir()
    path.write_text("ssh-ed25519 AAAA")
    damage(path, kind)
    with pytest.raises(HostError, match=f"^{path}: "):
        endpoints.pin(StateDir(tmp_path), [Machine("k8s", "control-plane", "10.0.0.1", 22, "root", path, path)])


@pytest.mark.parametrize("kind", ["a folder", "a FIFO", "not UTF-8", "100 MB"])
@pytest.mark.parametrize("which", ["key_file", "known_hosts"])
def test_keys_of_a_connection_are_named(which: str, kind: str, tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("key_file", "known_hosts")}
    for path in paths.values():
        path.write_text("")
    damage(paths[which], kind)
    with pytest.raises((HostError, InputError), match=f"^{paths[which]}: .*\n  remedy: "):
        connect(Machine("k8s", "control-plane", "127.0.0.1", 1, "root", **paths))


@pytest.mark.parametrize("kind", REFUSED)
def test_which_image_was_imported_is_asked_not_guessed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCASTLAB_CACHE", str(tmp_path))
    assert imported.find("multus") is None
    path = tmp_path / "imported" / "multus.current"
    path.parent.mkdir()
    path.write_text("0123456789abcdef\n")
    assert imported.find("multus") is None, "it is not in the cache any more"
    damage(path, kind)
    with pytest.raises(HostError, match=f"^{path}: .*\n  remedy: Remove it, and import the image again"):
        imported.find("multus")


def write(path: Path) -> None:
    path.write_text("content")


@pytest.mark.parametrize("kind", [*DAMAGE, "a list", "numbers"])
def test_an_item_of_the_cache_without_its_manifest_is_made_again(kind: str, tmp_path: Path) -> None:
    item = cache.Item("thing", "0123456789abcdef", "thing v1")
    made = cache.Store(tmp_path).ensure(item, lambda folder: write(folder / "file"), [].append)
    path = made / cache.MANIFEST
    assert cache.damage(made) == ""
    other: dict[str, Callable[[], object]] = {
        "a list": lambda: path.write_text("[]"), "numbers": lambda: path.write_text('{"file": 1}')
    }  # fmt: skip
    other.get(kind, lambda: damage(path, kind))()
    assert cache.damage(made) == ("" if kind == "of another owner" else "no manifest")


@pytest.mark.parametrize("kind", DAMAGE)
def test_settings_are_written_anew(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "settings"
    assert ensure_text(path, "text", mode=0o644)
    assert not ensure_text(path, "text", mode=0o644)
    damage(path, kind)
    if kind == "a folder":
        with pytest.raises(HostError, match=f"^{path}: "):
            ensure_text(path, "text", mode=0o644)
        return
    assert ensure_text(path, "text", mode=0o644) == (kind != "of another owner")
    assert path.read_text() == "text"
    assert not path.is_symlink()


@pytest.mark.parametrize("half", ["id_ed25519", "id_ed25519.pub"])
@pytest.mark.parametrize("kind", ["empty", "a link", "a link to nothing", "a folder", "a FIFO"])
def test_half_a_key_is_made_anew(half: str, kind: str, tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    podman_keys.make_key(key, "test")
    damage(tmp_path / half, kind)
    if kind == "a folder":
        with pytest.raises(HostError, match=f"^{tmp_path / half}: .*\n  remedy: Remove it"):
            podman_keys.make_key(key, "test")
        return
    podman_keys.make_key(key, "test")
    for path in (key, key.with_suffix(".pub")):
        assert not path.is_symlink()
        assert files.read_whole(path, "")
