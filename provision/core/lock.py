"""Locks by the kernel, which drops them when their process ends, however it ends: a stale one cannot exist."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from provision.core.errors import HostError
from provision.core.paths import StateDir, cache_dir
from provision.core.text import Say
from provision.core.wait import Deadline, NotYet, until

_NAME_BYTES = 200
_NAMING_SECONDS = 1.0


class FileLock:
    """An exclusive lock on a file of its own, in which its holder stands by name."""

    def __init__(self, path: Path) -> None:
        """Make the file, and its folder where that is missing; raises HostError when that cannot be done."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(
                f"A lock cannot be made: {error.strerror}",
                where=str(path),
                remedy="Run the command as the user to whom that folder belongs, or remove what is in its place",
            ) from error
        self._taken = False

    def take(self, name: str) -> bool:
        """Take the lock and write `name` into it, or say that another process has it."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._taken = True
        with suppress(OSError):  # on a full disk the lock holds all the same, only without its holder's name
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, name.encode(), 0)
        return True

    def holder(self) -> str:
        """Who has it. Its name follows the lock by a moment, which is waited for."""
        deadline = Deadline.after(_NAMING_SECONDS)
        while not (name := os.pread(self._handle, _NAME_BYTES, 0).decode(errors="replace").strip()):
            if deadline.expired:
                return "a process that does not say its name"
            deadline.pause(0.01)
        return name

    def release(self) -> None:
        """Give the lock back, if it was taken, and the name with it: the next holder is not to be mistaken for this."""
        if self._taken:
            os.ftruncate(self._handle, 0)
        os.close(self._handle)


@contextmanager
def lab_lock(state: StateDir, lab_name: str, command: str) -> Iterator[None]:
    """Let one command at a time change a lab; raises HostError, naming the holder, when another one does.

    Also one from another folder: two that begin at once would each find no lab of that name, and make half of it.
    """
    state.make()
    locks = cache_dir() / "locks"
    with ExitStack() as taken:
        for path in (state.lock, locks / f"lab-{lab_name}"):
            lock = FileLock(path)
            taken.callback(lock.release)
            if not lock.take(f"mcastlab {command}, process {os.getpid()}"):
                raise HostError(
                    f"Lab '{lab_name}' is being changed by another command ({lock.holder()})",
                    remedy="Wait until it has ended, or interrupt it",
                )
        yield


@contextmanager
def locked(path: Path, what: str, report: Say, seconds: float) -> Iterator[None]:
    """Hold the lock at `path` while `what` is made, waiting up to `seconds` for another process that makes it.

    Raises WaitError, naming the holder, when that takes longer.
    """
    lock = FileLock(path)
    told = False

    def take() -> bool | NotYet:
        nonlocal told
        if lock.take(f"process {os.getpid()}"):
            return True
        holder = lock.holder()
        if not told:
            report(f"{what}: waiting for {holder}, which is making it")
        told = True
        return NotYet(f"held by {holder}")

    try:
        until(f"'{what}'", take, Deadline.after(seconds), remedy="End the process that holds it")
        yield
    finally:
        lock.release()
