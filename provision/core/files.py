"""Files that are whole or absent, private where they must be, and never written through a link.

What others may have touched is read so that nothing waits for it, and named where it is no plain file of a size that
such files have. Whose it is does not matter here: what was made with sudo is read without it, and the other way round.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from provision.core.errors import HostError, McastlabError

_MOST = 32 << 20  # a kubeconfig or a manifest of the cache is far smaller


def read_octets(path: Path, remedy: str, *, links: bool = False, kind: type[McastlabError] = HostError) -> bytes:
    """What the file holds; raises FileNotFoundError, or `kind` where it is no plain file that can be read.

    With `links` a link is followed: to files that the user names.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    try:
        with os.fdopen(os.open(path, flags), "rb") as stream:
            about = os.fstat(stream.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise kind("This is no file", where=str(path), remedy=remedy)
            content = stream.read(_MOST + 1) if about.st_size <= _MOST else b""
    except FileNotFoundError:
        raise
    except OSError as error:
        problem = "This is a link" if not links and path.is_symlink() else f"This cannot be read: {error.strerror}"
        raise kind(problem, where=str(path), remedy=remedy) from error
    if max(about.st_size, len(content)) > _MOST:
        raise kind(f"The file is longer than {_MOST >> 20} MiB, as no such file is", where=str(path), remedy=remedy)
    return content


def read_whole(path: Path, remedy: str, *, links: bool = False, kind: type[McastlabError] = HostError) -> str:
    """As `read_octets`, as UTF-8."""
    try:
        return read_octets(path, remedy, links=links, kind=kind).decode()
    except UnicodeDecodeError as error:
        raise kind("The file is not UTF-8", where=str(path), remedy=remedy) from error


def ensure_text(path: Path, text: str, *, mode: int) -> bool:
    """Have the file say `text`; whether it had to be written. What is damaged is written anew.

    Raises HostError as `write_whole` does.
    """
    with suppress(FileNotFoundError, HostError):
        if read_whole(path, "") == text:
            return False
    write_whole(path, text, mode=mode)
    return True


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Put `text` at `path` in one step, with `mode`; a link at `path` is replaced, never followed.

    Raises HostError when the folder cannot be written or the disk is full; `path` is then as it was.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise HostError(
            f"File could not be written: {error.strerror}",
            where=str(path),
            remedy="Check its folder and the free disk space",
        ) from error
