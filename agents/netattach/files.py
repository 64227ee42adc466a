"""Files of the node's that others may have touched: read so that none keeps the reader waiting or misleads it.

One may be empty, cut off, a link, a folder, a FIFO, somebody else's or far too big. That is `Damaged`, which names the
file, what is wrong with it and the remedy; a file that is not there is a FileNotFoundError.
"""

from __future__ import annotations

import json
import os
import stat
import sys

from .errors import DECODING_FAILURE, IO_FAILURE, CniError, Damaged

# A record of sixteen networks, each as big as an object of the API server's may be (1.5 MB), is smaller.
MOST = 32 << 20
_CHUNK = 1 << 16
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))


def damaged(code: int, path: str, wrong: str, remedy: str) -> Damaged:
    """The error about the file `path`, of which `wrong` is said ("is empty")."""
    return Damaged(code, f'the file "{path}" {wrong}', remedy)


def read(path: str, remedy: str, *, links: bool = False, most: int = MOST) -> bytes:
    """What the file holds; Damaged, with `remedy`, where it is no plain file of root's or one's own of up to `most`
    octets. With `links` a link is followed, and what it leads to is judged: where administrators and kubelet set some.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        wrong = "is a symbolic link" if not links and os.path.islink(path) else f"cannot be opened: {error.strerror}"
        raise damaged(IO_FAILURE, path, wrong, remedy) from error
    try:
        wrong = _wrong(os.fstat(handle), most)
        data = b"" if wrong else _up_to(handle, most + 1)
    except OSError as error:
        raise damaged(IO_FAILURE, path, f"cannot be read: {error.strerror}", remedy) from error
    finally:
        os.close(handle)
    if len(data) > most:  # it grew meanwhile
        wrong = _too_big(len(data), most)
    if wrong or not data:
        raise damaged(IO_FAILURE, path, wrong or "is empty", remedy)
    return data


def read_text(path: str, remedy: str, *, links: bool = False) -> str:
    """As `read`, as UTF-8."""
    try:
        return read(path, remedy, links=links).decode()
    except UnicodeDecodeError as error:
        raise damaged(DECODING_FAILURE, path, "is not UTF-8", remedy) from error


def read_json(path: str, remedy: str, *, links: bool = False) -> object:
    """As `read_text`, decoded."""
    try:
        return json.loads(read_text(path, remedy, links=links))
    except (ValueError, RecursionError) as error:
        raise damaged(DECODING_FAILURE, path, f"is not JSON: {error}", remedy) from error


def write_whole(path: str, content: bytes, *, durable: bool = False) -> None:
    """Put `content` at `path` in one step, mode 0600 from its first moment; a durable one outlives a power cut.

    Nothing is written through a link, or into a FIFO. Raises OSError, and then `path` is as it was.
    """
    beside = f"{path}.new"
    if os.path.lexists(beside):
        os.unlink(beside)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(handle)
    os.replace(beside, path)


def open_lock(path: str) -> int:
    """A descriptor of the lock file, made where there is none; Damaged where something else is in its place."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise damaged(IO_FAILURE, path, f"cannot be locked: {error.strerror}", "remove what is in its place") from error


def forget(path: str) -> None:
    """Remove the file, or what others have put in its place, if it is there; a folder stays, and is told.

    CniError 5 where the file system does not let it go.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        sys.stderr.write(f'netattach: "{path}" is a folder, which netattach never makes, and stays: remove it\n')
    except OSError as error:
        raise CniError(IO_FAILURE, f'the file "{path}" cannot be removed', str(error)) from error


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
