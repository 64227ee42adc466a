"""One command at a time may change a lab."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from provision.errors import HostError
from provision.paths import StateDir


@contextmanager
def lab_lock(state: StateDir, lab_name: str, command: str) -> Iterator[None]:
    """Hold the lab's lock; raises HostError, naming the holder, when another command has it.

    The kernel drops the lock when its process ends, however it ends, so a stale one cannot exist.
    """
    state.make()
    handle = os.open(state.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 200).decode(errors="replace").strip()
            raise HostError(
                f"Lab '{lab_name}' is being changed by another command ({holder})",
                remedy="Wait until it has ended, or interrupt it",
            ) from error
        os.ftruncate(handle, 0)
        os.write(handle, f"mcastlab {command}, process {os.getpid()}".encode())
        yield
    finally:
        os.close(handle)
