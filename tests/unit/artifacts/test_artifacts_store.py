"""The cache: whole or absent, by one process at a time, and never trusted when it is damaged."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provision.artifacts.store import Item, Store, damage, key_of, verify
from provision.core.errors import CommandError, HostError, WaitError

ITEM = Item("thing", "0123456789abcdef", "thing v1")


def make_two(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "one").write_text("one")
    (folder / "two").write_text("two")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def lines() -> list[str]:
    return []


def test_a_key_depends_on_its_inputs_only() -> None:
    assert key_of(a=1, b={"x": [1], "y": 2}) == key_of(b={"y": 2, "x": [1]}, a=1)
    assert key_of(a=1) != key_of(a=2)
    assert key_of(a="1") != key_of(a=1)


def test_made_once_and_then_found(store: Store, lines: list[str]) -> None:
    path = store.ensure(ITEM, make_two, lines.append)
    assert (path / "bin" / "one").read_text() == "one"
    assert store.ensure(ITEM, _never, lines.append) == path
    assert lines == ["thing v1: made in 0 s"]
    assert list((store.home / "tmp").iterdir()) == []


def _never(folder: Path) -> None:
    pytest.fail(f"made a second time in {folder}")


def test_another_key_is_another_folder(store: Store, lines: list[str]) -> None:
    other = Item("thing", "f" * 16, "thing v2")
    assert store.ensure(ITEM, make_two, lines.append) != store.ensure(other, make_two, lines.append)


def test_a_failure_leaves_nothing(store: Store, lines: list[str]) -> None:
    def half(folder: Path) -> None:
        make_two(folder)
        raise HostError("it broke")

    with pytest.raises(HostError, match="it broke"):
        store.ensure(ITEM, half, lines.append)
    assert not store.has(ITEM)
    assert list((store.home / "tmp").iterdir()) == []
    assert store.ensure(ITEM, make_two, lines.append).is_dir()


@pytest.mark.parametrize(
    ("hurt", "what"),
    [
        (lambda path: (path / "two").unlink(), "'two' is missing"),
        (lambda path: (path / "two").write_text("tw"), "'two' has changed"),
        (lambda path: os.utime(path / "two", (1, 1)), "'two' has changed"),
        (lambda path: (path / "manifest.json").unlink(), "no manifest"),
        (lambda path: (path / "manifest.json").write_text("{"), "no manifest"),
    ],
)
def test_damage_is_seen_and_mended(store: Store, lines: list[str], hurt: object, what: str) -> None:
    path = store.ensure(ITEM, make_two, lines.append)
    hurt(path)  # type: ignore[operator]
    assert damage(path) == what
    store.ensure(ITEM, make_two, lines.append)
    assert damage(path) == ""
    assert (path / "two").read_text() == "two"
    assert lines[1:] == [f"thing v1: damaged in the cache ({what}), replaced", "thing v1: made in 0 s"]
    assert list((store.home / "tmp").iterdir()) == []


def test_a_full_check_sees_what_sizes_and_times_do_not(store: Store, lines: list[str]) -> None:
    path = store.ensure(ITEM, make_two, lines.append)
    before = (path / "two").stat()
    (path / "two").write_text("TWO")
    os.utime(path / "two", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert damage(path) == ""
    assert verify(path) == "'two' is not what was made: its SHA-256 differs"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named(store: Store, lines: list[str], number: int) -> None:
    def full(folder: Path) -> None:
        raise OSError(number, os.strerror(number), str(folder / "big"))

    with pytest.raises(HostError) as caught:
        store.ensure(ITEM, full, lines.append)
    assert caught.value.problem == "'thing v1' could not be made: the disk is full"
    assert "MCASTLAB_CACHE" in caught.value.remedy


@pytest.mark.parametrize(
    ("where", "detail", "problem"),
    [
        ("go build", "/usr/bin/ld: write: No space left on device", "the disk is full"),
        (
            "/usr/local/go/bin/go build",
            'go: k8s.io/api@v0.1.0: Get "https://proxy.golang.org/…": dial tcp: lookup proxy.golang.org: no such host',
            "the Go module proxy cannot be reached",
        ),
        ("go build", "verifying module: checksum mismatch\nSECURITY ERROR", "a module is not what go.sum says"),
        (
            "go build",
            "go: go.mod requires go >= 1.26.0 (running go 1.22.2; GOTOOLCHAIN=local)",
            "this machine's Go is too old",
        ),
        (
            "sudo -n mmdebstrap bookworm",
            "Err:1 http://deb.debian.org/debian bookworm InRelease\n"
            "  Could not connect to 127.0.0.1:1 (127.0.0.1). - connect (111: Connection refused)\n"
            "E: mmdebstrap failed to run",
            "the Debian archive cannot be reached",
        ),
        ("go build", "compile: signal: killed", "the machine has too little memory"),
    ],
)
def test_what_tools_say_is_explained(store: Store, lines: list[str], where: str, detail: str, problem: str) -> None:
    def fail(_folder: Path) -> None:
        raise CommandError("Command 'go' failed with exit code 1", where=where, detail=detail)

    with pytest.raises(HostError) as caught:
        store.ensure(ITEM, fail, lines.append)
    assert caught.value.problem == f"'thing v1' could not be made: {problem}"
    assert (caught.value.where, caught.value.detail) == (where, detail)
    assert caught.value.remedy


def test_what_is_not_known_is_passed_on_as_it_is(store: Store, lines: list[str]) -> None:
    def fail(_folder: Path) -> None:
        raise CommandError("Command 'go' failed with exit code 1", where="go build", detail="syntax error")

    with pytest.raises(CommandError, match="go build: Command 'go' failed with exit code 1"):
        store.ensure(ITEM, fail, lines.append)


_HOLD = """
import sys, time
from pathlib import Path
from provision.artifacts.store import Item, Store
def make(folder):
    (folder / "half").write_text("half")
    print("making", flush=True)
    time.sleep(float(sys.argv[2]))
Store(Path(sys.argv[1])).ensure(Item("thing", "0123456789abcdef", "thing v1"), make, lambda line: None)
"""


def _holder(store: Store, seconds: float) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", _HOLD, str(store.home), str(seconds)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "making\n"
    return process


def test_a_second_process_waits_for_the_first_and_takes_what_it_made(store: Store, lines: list[str]) -> None:
    with _holder(store, 1) as first:
        path = store.ensure(ITEM, _never, lines.append)
    assert (path / "half").exists()
    assert lines == [f"thing v1: waiting for process {first.pid}, which is making it"]


def test_waiting_has_an_end(store: Store, lines: list[str]) -> None:
    impatient = Store(store.home, wait_seconds=0.3)
    with _holder(store, 300) as first:
        started = time.monotonic()
        with pytest.raises(WaitError, match=rf"Waited 0 s for 'thing v1'; last seen: held by process {first.pid}"):
            impatient.ensure(ITEM, make_two, lines.append)
        assert time.monotonic() - started < 60
        first.kill()


def test_after_a_kill_the_next_run_goes_on_and_cleans_up(store: Store, lines: list[str]) -> None:
    with _holder(store, 30) as first:
        first.send_signal(signal.SIGKILL)
    stale = store.home / "tmp" / f"thing.{first.pid}"
    assert (stale / "half").exists()
    path = store.ensure(ITEM, make_two, lines.append)
    assert sorted(item.name for item in path.iterdir()) == ["bin", "manifest.json", "two"]
    assert not stale.exists()
