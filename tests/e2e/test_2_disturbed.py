"""Disturbances of a lab that is up: restarted nodes, concurrent commands."""

from __future__ import annotations

import time

from provision.providers.podman.cli import Podman
from tests.e2e.conftest import UP_SECONDS, CliLab


def test_the_lab_survives_a_restart_of_every_node(lab: CliLab) -> None:
    Podman().run(["restart", "-t", "30", "mcastlab-e2e-k8s", "mcastlab-e2e-mcastsrc"], timeout=180)
    assert all(check["status"] == "passed" for check in lab.report("check")["checks"])


def test_two_ups_at_once_on_one_lab(lab: CliLab) -> None:
    first = lab.start("up")
    deadline = time.monotonic() + 20
    while "mcastlab up" not in (lab.state / "lock").read_text():
        assert time.monotonic() < deadline, "the first one takes no lock"
        time.sleep(0.02)
    shown = lab("up", code=3).stderr
    out, err = first.communicate(timeout=UP_SECONDS)
    assert first.returncode == 0, out + err
    assert f"Lab 'e2e' is being changed by another command (mcastlab up, process {first.pid})" in shown
