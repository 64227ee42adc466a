"""A user who is not root, with Debian's own sudo: what commands of root's say and leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.core.paths import ROOT
from tests.e2e.conftest import MCASTLAB, make_lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a mount namespace of its own")
LETS = "nobody ALL=(ALL) NOPASSWD: ALL"
REFUSED = (
    "Neither root nor passwordless sudo: hosts with network interfaces of their own need root\n"
    "  remedy: Run it as root, or as root `echo 'nobody ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/mcastlab`\n"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may write; above it nothing is closed to others, as pytest does with its own at each start."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def as_nobody(*argv: str, sudoers: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `argv` as user nobody where /etc/sudoers.d has `sudoers` alone: in a mount namespace of its own."""
    setup = 'mount -t tmpfs -o mode=0755 none /etc/sudoers.d; echo "$0" >/etc/sudoers.d/test; exec "$@"'
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", f"HOME={cwd}", "NO_COLOR=1"]
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", setup, sudoers, *nobody, *argv],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["up", "status", "down", "ssh k8s", "load x"])
def test_without_sudo_each_command_says_so_in_one_sentence(folder: Path, command: str) -> None:
    make_lab(folder, "preflight", 77)
    done = as_nobody(str(MCASTLAB), *command.split(), sudoers="", cwd=folder)
    assert done.returncode == 3
    assert done.stderr.endswith(REFUSED), done.stderr
    assert "Command 'sudo'" not in done.stderr


def test_a_lab_that_root_brought_up_is_roots(folder: Path) -> None:
    make_lab(folder, "preflight", 77)
    (folder / ".mcastlab" / "preflight").mkdir(mode=0o700, parents=True)
    for command in ("up", "status", "kubeconfig", "down"):
        done = as_nobody(str(MCASTLAB), command, sudoers=LETS, cwd=folder)
        assert done.returncode == 3
        assert (
            "/.mcastlab/preflight: This is user 'root's, and a lab belongs to the user who brought it up" in done.stderr
        )


def test_without_sudo_no_answer_is_not_taken_for_a_no(folder: Path) -> None:
    program = "from provision.core.run import as_root, run; run(as_root(['false']), timeout=9, check=False)"
    done = as_nobody(
        sys.executable, "-c", f"import sys; sys.path[0] = {str(ROOT)!r}\n{program}", sudoers="", cwd=folder
    )
    assert "CommandError: Neither root nor passwordless sudo" in done.stderr


def test_a_command_of_roots_that_does_not_end_is_ended_with_all_that_it_started(folder: Path) -> None:
    stays = f"trap : TERM; while true; do sleep 0.1; : {folder}; done"
    program = f"from provision.core.run import as_root, run; run(as_root(['sh', '-c', {stays!r}]), timeout=1)"
    done = as_nobody(
        sys.executable, "-c", f"import sys; sys.path[0] = {str(ROOT)!r}\n{program}", sudoers=LETS, cwd=folder
    )
    assert "Command 'sudo' did not end within 1 s" in done.stderr
    deadline = time.monotonic() + 5
    while left := running(f": {folder}"):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def running(text: str) -> list[str]:
    """Command lines of this machine's processes that hold `text`."""
    found = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if text in line]
