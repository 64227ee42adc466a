"""Processes of an earlier command on the same lab: one that was killed cannot end what it had started."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from provision.core.paths import StateDir
from provision.core.wait import Deadline, NotYet, until

_MARK = "MCASTLAB_STATE_DIR"
_PROC = Path("/proc")
_END_SECONDS = 10


def mark(state: StateDir) -> dict[str, str]:
    """The environment by which `end_leftovers` finds a process again, and all that it starts."""
    return {_MARK: str(state.path)}


def end_leftovers(state: StateDir) -> list[int]:
    """Kill every process that bears this lab's mark and return their ids; raises WaitError when one does not end.

    Only for the holder of the lab's lock: whatever bears the mark then has outlived the command that started it.
    """
    found = marked(state)
    for pid in found:
        _kill(pid)
    until(
        "processes of an earlier command to end",
        lambda: NotYet(f"process {left[0]}") if (left := sorted({*found} & {*marked(state)})) else True,
        Deadline.after(_END_SECONDS),
        interval=0.05,
        remedy="End them: `kill -KILL` and their numbers",
    )
    return found


def marked(state: StateDir) -> list[int]:
    """Ids of running processes that bear the mark. Other users' environments cannot be read, and are none of ours."""
    wanted = f"{_MARK}={state.path}".encode()
    pids = []
    for folder in _PROC.glob("[0-9]*"):
        try:
            marked = wanted in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if marked and int(folder.name) != os.getpid():
            pids.append(int(folder.name))
    return pids


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended by itself meanwhile
