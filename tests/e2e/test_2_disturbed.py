"""Disturbances: restarted nodes, interrupted and concurrent commands, a second lab."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from provision.providers.podman.cli import Podman
from tests.e2e.conftest import UP_SECONDS, CliLab, make_lab


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


@pytest.mark.parametrize(
    ("number", "code", "after"), [(signal.SIGINT, 130, "configure"), (signal.SIGTERM, 143, "machines")]
)
def test_an_interrupted_up_goes_on_and_down_cleans(
    tmp_path: Path, number: signal.Signals, code: int, after: str
) -> None:
    second = make_lab(tmp_path, "e2e-second", 2)
    process = second.start("up", "--verbose")
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if (after == "configure" and "kubernetes :" in line) or (after == "machines" and "starting" in line):
                break
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(120) == code, rest
        assert f"Stopped by {number.name}" in rest
        if number == signal.SIGINT:
            assert all(check["status"] == "passed" for check in second.report("up")["checks"])
    finally:
        second("down")
    assert_nothing_left(second)


def assert_nothing_left(lab: CliLab) -> None:
    label = f"label=mcastlab.lab={lab.name}"
    for listing in (["ps", "-aq"], ["volume", "ls", "-q"], ["network", "ls", "-q"]):
        assert Podman().run([*listing, "--filter", label]).stdout == ""
    assert [path.name for path in lab.folder.iterdir() if path.name == ".mcastlab"] == []


def test_down_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    never_up = make_lab(tmp_path, "e2e-never", 3)
    assert "nothing: the lab was not up" in never_up("down").stderr
    assert_nothing_left(never_up)
