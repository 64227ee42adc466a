"""`up` killed by the kernel at moments spread over its stages: the next `up` succeeds, or `down` leaves nothing.

MCASTLAB_KILLS says at how many moments (2 without it); `make kills` takes 20 and writes docs/kills.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provision.core.leftovers import marked
from provision.core.paths import StateDir
from provision.providers.podman.cli import bridge_name
from tests.e2e.conftest import UP_SECONDS, CliLab, assert_nothing_left, make_lab

MOMENTS = int(os.environ.get("MCASTLAB_KILLS", "2"))
# A step is killed at its begin or a little later; the steps are of different length, and so is what is half-done.
INTO_THE_STEP = (0.0, 0.3, 0.7)


def kill_after(lab: CliLab, lines: int, seconds: float) -> str:
    """Start `up`, kill it `seconds` after it has printed so many lines; return the last of them."""
    process = lab.start("up", "--verbose")
    assert process.stderr is not None
    seen = ""
    for _ in range(lines):
        seen = process.stderr.readline().strip() or seen
    time.sleep(seconds)
    process.kill()
    assert process.wait(30) == -9, "it ended before it was killed"
    process.stderr.close()
    return seen


@contextmanager
def lab_of_its_own(folder: Path) -> Iterator[CliLab]:
    lab = make_lab(folder, "e2e-killed", 4)
    try:
        yield lab
    finally:
        lab("down")


@pytest.fixture(scope="module")
def lines_of_up(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many lines an undisturbed `up` prints before its checks."""
    with lab_of_its_own(tmp_path_factory.mktemp("undisturbed")) as lab:
        shown = lab("up", timeout=UP_SECONDS).stderr.splitlines()
    return next(number for number, line in enumerate(shown) if line.startswith("✓ networks"))


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[CliLab]:
    with lab_of_its_own(tmp_path) as lab:
        yield lab


def bridges(lab: CliLab) -> list[str]:
    """Those of the lab's bridges that this machine has."""
    names = [bridge_name(f"mcastlab-{lab.name}-{kind}") for kind in ("mgmt", "lan")]
    return [name for name in names if Path("/sys/class/net", name).exists()]


def note(row: str) -> None:
    if table := os.environ.get("MCASTLAB_KILLS_TABLE"):
        with Path(table).open("a") as stream:
            stream.write(row + "\n")


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_after_a_kill_up_goes_on_and_down_cleans(killed: CliLab, lines_of_up: int, moment: int) -> None:
    line = 1 + round((moment + 0.5) * lines_of_up / MOMENTS)
    step = kill_after(killed, line, INTO_THE_STEP[moment % 3])
    killed("down")
    assert_nothing_left(killed)
    assert marked(StateDir(killed.state)) == []
    assert bridges(killed) == []
    again = kill_after(killed, line, INTO_THE_STEP[moment % 3])
    started = time.monotonic()
    report = killed.report("up")
    seconds = time.monotonic() - started
    assert all(check["status"] == "passed" for check in report["checks"])
    assert not list(killed.state.glob("logs/failed-*"))
    note(f"| {moment + 1} | {step} | nothing left | {again} | all checks passed, {seconds:.0f} s |")
