"""A real component, small enough to build in a test: once, by one of two, and after a kill half-way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.artifacts.versions import load_versions
from provision.core.run import as_root

BUILD = "from provision import artifacts; print(artifacts.build('cni', lambda line: print(line, flush=True)))"
VERSION = load_versions().components["cni"].version
SECONDS = 300  # with an empty module cache


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "cache"


def start(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BUILD],
        env={**os.environ, "MCASTLAB_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return output.splitlines()


def test_built_once_then_cached_and_it_says_its_version(cache: Path) -> None:
    first = finish(start(cache))
    assert first[0].startswith(f"cni {VERSION} is built from Go modules (about ")
    second = finish(start(cache))
    assert second == [first[-1]], "and says of nothing that it is built"
    said = subprocess.run([f"{second[0]}/macvlan", "--version"], capture_output=True, text=True, check=True)
    assert f"CNI macvlan plugin {VERSION}" in said.stdout + said.stderr


def test_of_two_at_once_one_builds_and_the_other_waits(cache: Path) -> None:
    one, two = start(cache), start(cache)
    outputs = [finish(one), finish(two)]
    assert outputs[0][-1] == outputs[1][-1]
    assert sum("is built from Go modules" in line for output in outputs for line in output) == 1
    assert sum("waiting for process" in line for output in outputs for line in output) == 1


def test_after_a_kill_in_the_middle_nothing_runs_on_and_the_next_run_succeeds(cache: Path) -> None:
    process = start(cache)
    assert process.stdout
    assert "is built from" in process.stdout.readline()
    stale = cache / "tmp" / f"cni.{process.pid}"
    deadline = time.monotonic() + 30
    while not _writes_into(stale):
        assert time.monotonic() < deadline, "nothing is built"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert stale.is_dir()
    assert not list((cache / "parts").glob("*"))
    deadline = time.monotonic() + 10
    while _writes_into(stale) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _writes_into(stale)
    folder = Path(finish(start(cache))[-1])
    assert (folder / "macvlan").exists()
    assert list((cache / "tmp").iterdir()) == []


def test_a_full_disk_is_named_and_with_room_the_next_run_succeeds(cache: Path) -> None:
    cache.mkdir()
    subprocess.run(as_root(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "small", str(cache)]), check=True)
    try:
        failed = start(cache)
        output, _ = failed.communicate(timeout=SECONDS)
        assert failed.returncode != 0
        assert "could not be made: the disk is full" in output
        assert list((cache / "tmp").iterdir()) == []
        assert not (cache / "parts").exists()
        subprocess.run(as_root(["mount", "-o", "remount,size=1g", str(cache)]), check=True)
        assert (Path(finish(start(cache))[-1]) / "macvlan").exists()
    finally:
        subprocess.run(as_root(["umount", str(cache)]), check=True)


def _writes_into(folder: Path) -> bool:
    """Whether a `go build` with this output folder still runs."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended meanwhile
        if words[1:2] == [b"build"] and f"{folder}/".encode() in words:
            return True
    return False
