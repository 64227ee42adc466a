"""Files of the node's that others may have touched: read so that none keeps the reader waiting or misleads it.

One may be empty, a link, a folder, a FIFO, somebody else's or far too big. That is `Damaged`, which names the file,
what is wrong with it and the remedy; a file that is not there is a FileNotFoundError. The plug-in uses it as well:
nothing is imported that costs a pod time.
"""

from __future__ import annotations

import os
import stat

RESTART = "`systemctl restart mcastlab-multicast-policy` on the node writes it again"
_MOST, _CHUNK = 16 << 20, 1 << 16
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))


class Damaged(ValueError):
    """A file is there and cannot be used; the sentence names it and the remedy."""

    def __init__(self, path: str, wrong: str, remedy: str) -> None:
        super().__init__(f"the file '{path}' {wrong}; {remedy}")


def read_bytes(path: str, remedy: str, most: int = _MOST) -> bytes:
    """What the file holds; Damaged where it is no plain file of root's or one's own with 1 to `most` octets."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        wrong = "is a symbolic link" if os.path.islink(path) else f"cannot be opened: {error.strerror}"  # noqa: PTH114
        raise Damaged(path, wrong, remedy) from error
    try:
        wrong = _wrong(os.fstat(handle), most)
        data = b"" if wrong else _up_to(handle, most + 1)
    except OSError as error:
        raise Damaged(path, f"cannot be read: {error.strerror}", remedy) from error
    finally:
        os.close(handle)
    if len(data) > most:  # it grew meanwhile
        wrong = _too_big(len(data), most)
    if wrong or not data:
        raise Damaged(path, wrong or "is empty", remedy)
    return data


def read_text(path: str, remedy: str, most: int = _MOST) -> str:
    """As `read_bytes`, as UTF-8."""
    try:
        return read_bytes(path, remedy, most).decode()
    except UnicodeDecodeError as error:
        raise Damaged(path, "is not UTF-8", remedy) from error


def reason(path: str) -> str:
    """What a file of the node's unit says, or what is wrong with the file; empty where there is none."""
    try:
        return read_text(path, RESTART, _CHUNK).strip() or "no reason is given"
    except FileNotFoundError:
        return ""
    except Damaged as error:
        return str(error)


def write_whole(path: str, content: bytes) -> None:
    """Put `content` at `path` in one step, for root alone; nothing is written through a link, or into a FIFO.

    Raises OSError, and then `path` is as it was.
    """
    folder, name = os.path.split(path)
    beside = f"{folder}/.{name}.{os.getpid()}"
    if os.path.lexists(beside):
        os.unlink(beside)  # noqa: PTH108
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    os.replace(beside, path)  # noqa: PTH105


def _wrong(about: os.stat_result, most: int) -> str:
    if not stat.S_ISREG(about.st_mode):
        kind = next((name for is_one, name in _KINDS if is_one(about.st_mode)), "a device")
        return f"is {kind}, not a file"
    if about.st_uid not in (0, os.geteuid()):
        return f"belongs to user {about.st_uid}, not to root"
    return _too_big(about.st_size, most) if about.st_size > most else ""


def _too_big(size: int, most: int) -> str:
    return f"has {size} octets, and no such file has more than {most}"


def _up_to(handle: int, most: int) -> bytes:
    found = b""
    while len(found) < most and (chunk := os.read(handle, min(_CHUNK, most - len(found)))):
        found += chunk
    return found
