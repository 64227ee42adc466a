"""Files are written whole and privately; a lab is changed by one command at a time."""

import errno
import os
import threading
from pathlib import Path

import pytest

from provision.core.errors import HostError
from provision.core.files import write_whole
from provision.core.lock import FileLock, lab_lock
from provision.core.paths import StateDir


def test_a_file_is_private_by_default_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    write_whole(path, "one")
    write_whole(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["kubeconfig"]


def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    link = tmp_path / "kubeconfig"
    link.symlink_to(outside)
    write_whole(link, "new")
    assert outside.read_text() == "precious"
    assert not link.is_symlink()


def test_an_unwritable_place_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="gone/file: File could not be written: No such file or directory"):
        write_whole(tmp_path / "gone" / "file", "x")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder to somebody else")
def test_another_users_lab_is_refused_and_ones_own_beside_it_is_not(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ".mcastlab" / "mcastlab")
    state.refuse_anothers()
    state.make()
    os.chown(state.path, 65534, 65534)
    with pytest.raises(HostError, match=f"{state.path}: This is user 'nobody's, .*\n.*`sudo -u 'nobody' …`"):
        state.refuse_anothers()
    os.chown(state.path, 0, 0)
    os.chown(state.path.parent, 12345, 12345)
    state.refuse_anothers()
    state.path.rmdir()
    with pytest.raises(HostError, match=f"{state.path.parent}: This is user '#12345's"):
        state.refuse_anothers()


@pytest.mark.parametrize("link", [".mcastlab", ".mcastlab/mcastlab"])
def test_a_lab_folder_that_is_a_link_is_refused(tmp_path: Path, link: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = tmp_path / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(elsewhere)
    with pytest.raises(HostError, match=f"{place}: This is a link, and mcastlab writes"):
        StateDir(tmp_path / ".mcastlab" / "mcastlab").make()
    assert list(elsewhere.iterdir()) == []


def test_a_lab_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / ".mcastlab").write_text("")
    with pytest.raises(HostError, match="The lab's folder cannot be made: Not a directory"):
        StateDir(tmp_path / ".mcastlab" / "mcastlab").make()


@pytest.mark.parametrize("folder", [".mcastlab", "elsewhere"])
def test_a_second_command_on_the_same_lab_is_refused_and_the_holder_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("MCASTLAB_CACHE", str(tmp_path / "cache"))
    state, other = (StateDir(tmp_path / name / "mcastlab") for name in (".mcastlab", folder))
    with (
        lab_lock(state, "mcastlab", "up"),
        pytest.raises(
            HostError, match=r"Lab 'mcastlab' is being changed by another command \(mcastlab up, process \d+\)"
        ),
        lab_lock(other, "mcastlab", "down"),
    ):
        pass
    with lab_lock(other, "another", "down"):
        assert "mcastlab down" in other.lock.read_text()
    with lab_lock(state, "mcastlab", "down"):
        assert "mcastlab down" in state.lock.read_text()
    assert state.path.stat().st_mode & 0o777 == 0o700


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCASTLAB_CACHE", str(tmp_path / "cache"))
    state = StateDir(tmp_path / ".mcastlab" / "mcastlab")
    state.lock.mkdir(parents=True)
    with (
        pytest.raises(HostError, match=r"mcastlab/lock: A lock cannot be made: Is a directory\n  remedy: Run"),
        lab_lock(state, "mcastlab", "up"),
    ):
        pass


def test_a_holder_that_has_not_written_its_name_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = FileLock(path), FileLock(path)
    assert first.take("")
    threading.Timer(0.2, path.write_text, ["process 17"]).start()
    assert not second.take("process 18")
    assert second.holder() == "process 17"
    second.release()
    assert path.read_text() == "process 17"  # not its own to remove
    first.release()
    assert path.read_text() == ""


def test_a_holder_without_a_name_does_not_hold_up_the_answer(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.take("")
    assert not second.take("process 18")
    assert second.holder() == "a process that does not say its name"


def test_a_lock_holds_on_a_full_disk_without_its_holders_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    monkeypatch.setattr(os, "pwrite", full)
    assert first.take("process 17")
    assert not second.take("process 18")
