"""The door for commands: output, errors ready to paste, time limits, and nothing left running."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from provision.core.errors import CommandError
from provision.core.run import pasteable, run


def test_output_exit_code_and_input_are_passed_on() -> None:
    done = run(["sh", "-c", "cat; echo oops >&2; exit 3"], timeout=10, stdin="hello", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("hello", "oops\n", 3)


def test_a_failure_shows_the_command_ready_to_paste_and_the_end_of_its_output() -> None:
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", "echo 'it broke' >&2; exit 7"], timeout=10)
    assert str(caught.value) == (
        "sh -c 'echo '\"'\"'it broke'\"'\"' >&2; exit 7': Command 'sh' failed with exit code 7\n  | it broke"
    )


def test_a_missing_command_is_named() -> None:
    with pytest.raises(CommandError) as caught:
        run(["no-such-command", "1"], timeout=10)
    assert str(caught.value) == (
        "no-such-command 1: Command 'no-such-command' is missing\n  remedy: Install it, or add its folder to PATH"
    )


def test_a_command_that_is_there_and_cannot_be_run_is_not_called_missing(tmp_path: Path) -> None:
    (tmp_path / "locked").write_text("#!/bin/sh\n")
    with pytest.raises(CommandError, match="locked' cannot be run: Permission denied"):
        run([str(tmp_path / "locked")], timeout=10)
    with pytest.raises(CommandError, match="Command 'true' cannot be run: No such file or directory"):
        run(["true"], timeout=10, cwd=tmp_path / "gone")


def test_arguments_are_never_read_by_a_shell() -> None:
    assert run(["printf", "%s", "$(id); `id`"], timeout=10).stdout == "$(id); `id`"
    assert pasteable(["a b", "$c"]) == "'a b' '$c'"


def test_lines_are_handed_over_as_they_come() -> None:
    lines: list[str] = []
    run(["printf", "one\\ntwo\\n"], timeout=10, on_line=lines.append)
    assert lines == ["one", "two"]


def test_the_time_limit_ends_the_whole_process_group(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandError, match="did not end within 1 s"):
        run(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"], timeout=1)
    assert _gone(int(pid_file.read_text()))


def test_an_interrupt_leaves_nothing_running(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = ["sh", "-c", f"echo $$ > {pid_file}; exec sleep 60"]
    # A program that a shell has put into the background ignores SIGINT, and so would what the test starts.
    handled = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program = f"{handled}from provision.core.run import run\nrun({command!r}, timeout=60)\n"
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", program])
    deadline = time.monotonic() + 10
    while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(pid, signal.SIGINT)
    os.waitpid(pid, 0)
    assert _gone(int(pid_file.read_text()))


@pytest.mark.parametrize("moment", ["the start", "a reader's start"])
def test_an_interrupt_at_once_leaves_nothing_running(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    popen, start = subprocess.Popen, threading.Thread.start

    def started(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        begun.append(popen(*args, **options))
        if moment == "the start":
            signal.raise_signal(signal.SIGINT)
        return begun[0]

    def reader_started(thread: threading.Thread) -> None:
        if moment == "a reader's start":
            signal.raise_signal(signal.SIGINT)
        start(thread)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(subprocess, "Popen", started)
        monkeypatch.setattr(threading.Thread, "start", reader_started)
        with pytest.raises(KeyboardInterrupt):
            run(["sleep", "60"], timeout=60)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert _gone(begun[0].pid)


def _gone(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
