"""Power cuts and full disks while a lab comes up: a clear error, and once the cause is mended `up` goes on."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.core.run import as_root
from provision.providers.podman.cli import Podman
from tests.e2e.conftest import UP_SECONDS, CliLab, assert_nothing_left, make_lab

NODE = "mcastlab-e2e-trouble-k8s"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CliLab]:
    lab = make_lab(tmp_path, "e2e-trouble", 5)
    try:
        yield lab
    finally:
        lab("down")
        assert_nothing_left(lab)


def up_until(lab: CliLab, step: str) -> subprocess.Popen[str]:
    """An `up` that has just begun with `step`."""
    process = lab.start("up", "--verbose")
    assert process.stderr is not None
    assert any(step in line for line in process.stderr), f"'{step}' was not reached"
    return process


def test_after_a_power_cut_of_the_node_up_goes_on(lab: CliLab) -> None:
    process = up_until(lab, "kubernetes : Make the control plane")  # Ansible names a step when it has ended
    time.sleep(4)  # into the step that follows, whichever it is: a cut has no moment of its own
    Podman().run(["kill", "--signal=KILL", NODE])
    _, shown = process.communicate(timeout=UP_SECONDS)
    assert process.returncode == 3, shown
    assert "on host 'k8s'" in shown
    assert "`mcastlab up` goes on from here" in shown
    assert all(check["status"] == "passed" for check in lab.report("up")["checks"])


def test_a_full_disk_of_the_node_is_named_and_with_room_up_goes_on_also_beside_a_stray_kubeadm(lab: CliLab) -> None:
    """Of a killed `up` a kubeadm may still run, end well, and write its mark when the next one has decided to reset."""
    process = up_until(lab, "containerd : ")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    Podman().run(["exec", NODE, "mkdir", "-p", "/etc/kubernetes"])
    Podman().run(["exec", NODE, "mount", "-t", "tmpfs", "-o", "size=16k", "full", "/etc/kubernetes"])
    shown = lab("up", code=3).stderr
    assert "Ansible task 'kubernetes : Run kubeadm init' failed on host 'k8s'" in shown
    assert "no space left on device" in shown
    Podman().run(["exec", NODE, "umount", "/etc/kubernetes"])
    mark = "/etc/mcastlab/kubeadm-applied.yml"
    unit = ["systemd-run", "--unit=mcastlab-kubeadm", "--service-type=oneshot", "--collect", "--no-block"]
    Podman().run(["exec", NODE, *unit, f"--property=ExecStopPost=/usr/bin/touch {mark}", "sleep", "600"])
    assert all(check["status"] == "passed" for check in lab.report("up")["checks"])
    assert Podman().run(["exec", NODE, "cat", mark]).stdout.strip()


def test_a_full_disk_here_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(as_root(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0777", "small", str(disk)]), check=True)
    try:
        lab = make_lab(disk, "e2e-trouble", 5)
        with pytest.raises(OSError, match="No space"):
            (disk / "filler").write_bytes(bytes(1 << 20))
        shown = lab("up", code=3).stderr
        assert "No space left on device" in shown
        assert str(disk) in shown
        lab("down")
        assert_nothing_left(lab)
    finally:
        subprocess.run(as_root(["umount", str(disk)]), check=True)
