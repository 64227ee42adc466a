"""host-local's files: an address a file, in a folder for each network, with the container's id in it.

containernetworking/plugins, plugins/ipam/host-local/backend/disk: the file's first line is the id, the second
the interface; `lock` is locked by flock while any of it changes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 4096  # octets that are read of a file: an id and a name have no more


def holders(folder: str) -> dict[str, list[str]]:
    """The containers that hold addresses, each with its files."""
    found: dict[str, list[str]] = {}
    for path in _files(folder):
        if container := _holder(path):
            found.setdefault(container, []).append(path)
    return found


def free(container: str, paths: list[str]) -> list[str]:
    """Give back the addresses of a container that `paths` are, as far as they are still its; a sentence for each."""
    done = []
    for path in paths:
        network, address = path.split("/")[-2:]
        with _locked(os.path.dirname(path)):
            if _holder(path) == container:
                os.unlink(path)
                done.append(
                    f"Freed {address} of network '{network}', which container {container[:12]}, which is gone, had"
                )
    return done


def _files(folder: str) -> Iterator[str]:
    for network in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        place = f"{folder}/{network}"
        if os.path.isdir(place) and not os.path.islink(place):
            names = (
                name for name in sorted(os.listdir(place)) if name != "lock" and not name.startswith("last_reserved")
            )
            yield from (f"{place}/{name}" for name in names)


def _holder(path: str) -> str:
    """The container that holds the address; empty for what is no file of host-local's."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        first = os.read(handle, _MOST).split(b"\n", 1)[0].strip().decode()
        return first if first.isalnum() and first.isascii() else ""
    except (OSError, UnicodeDecodeError):
        return ""
    finally:
        os.close(handle)


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """As the plug-in locks it: nobody gives an address away while it is freed."""
    handle = os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
