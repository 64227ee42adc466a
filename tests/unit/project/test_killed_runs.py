"""Whose labs the next test run may remove: those of a run whose process is gone, and of no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.leftovers import running


def test_a_run_goes_on_while_its_process_lives(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    command = [sys.executable, "-c", "print(flush=True); input()", "pytest"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()  # before it runs, the kernel may not have its command line yet
        lock.write_text(str(process.pid))
        assert running(tmp_path)
        process.communicate(b"\n")
    assert not running(tmp_path)


def test_another_process_with_that_id_is_no_run(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("1")
    assert b"pytest" not in Path("/proc/1/cmdline").read_bytes()
    assert not running(tmp_path)


def test_a_folder_without_lock_belongs_to_no_run(tmp_path: Path) -> None:
    assert not list(tmp_path.iterdir())
    assert not running(tmp_path)
