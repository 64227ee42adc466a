"""What may have happened to a file, as tests do it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

STRANGER = 12345
HUGE = 100 << 20


def _cut_off(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name(f".{path.name}~")))


def _lost_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _not_utf8(path: Path) -> None:
    path.write_bytes(b"\xff\xfe" + path.read_bytes())


def _huge(path: Path) -> None:
    os.truncate(path, HUGE)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": _cut_off,
    "a link": _link,
    "a link to nothing": _lost_link,
    "a folder": _folder,
    "a FIFO": _fifo,
    "of another owner": lambda path: os.chown(path, STRANGER, STRANGER),
    "not UTF-8": _not_utf8,
    "100 MB": _huge,
}
# What is said of each; how a cut off file is told is the reader's.
SAID = {
    "empty": "is empty", "cut off": "", "a link": "is a symbolic link", "a link to nothing": "is a symbolic link",
    "a folder": "is a folder, not a file", "a FIFO": "is a FIFO, not a file",
    "of another owner": f"belongs to user {STRANGER}", "not UTF-8": "", "100 MB": f"has {HUGE} octets",
}  # fmt: skip


def damage(path: Path, kind: str) -> None:
    """Have `kind` happen to the file."""
    DAMAGE[kind](path)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """A reader that hangs is a failure of its own, not of the whole run; in force in a module that imports it."""

    def end(*_: object) -> None:
        raise TimeoutError("it hangs")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(30)
    yield
    signal.alarm(0)
