"""The door for commands: output, errors ready to paste, time limits, and nothing left running."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from provision.errors import CommandError
from provision.run import pasteable, run


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
    with pytest.raises(CommandError, match="Command 'no-such-command' could not be started: No such file"):
        run(["no-such-command"], timeout=10)


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
    program = f"from provision.run import run\nrun(['sh', '-c', 'echo $$ > {pid_file}; exec sleep 60'], timeout=60)\n"
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", program])
    deadline = time.monotonic() + 10
    while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(pid, signal.SIGINT)
    os.waitpid(pid, 0)
    assert _gone(int(pid_file.read_text()))


def _gone(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
