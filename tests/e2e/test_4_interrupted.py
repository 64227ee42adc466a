"""`up` that is interrupted, and `down` of a lab that never was up."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import assert_nothing_left, make_lab


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


def test_down_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    never_up = make_lab(tmp_path, "e2e-never", 3)
    assert "nothing: the lab was not up" in never_up("down").stderr
    assert_nothing_left(never_up)
