"""host-local's files: an address a file, in a folder for each network, with the container's id in it.

containernetworking/plugins, plugins/ipam/host-local/backend/disk: the file's first line is the id, the second
the interface; `lock` is locked by flock while any of it changes.

What cannot be read is never freed: nobody can tell whether the pod that has the address is gone. It is told instead.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import DECODING_FAILURE, IO_FAILURE, TRY_AGAIN, CniError, Damaged
from .files import damaged, open_lock, read, write_whole

_MOST = 4096  # octets: an id and a name have no more
_LOCK_WAIT = 10.0
_REMEDY = "remove it once no pod has the address, which nobody is given meanwhile"


def holders(folder: str) -> tuple[dict[str, list[str]], list[Damaged]]:
    """The containers that hold addresses, each with its files; and what is wrong with files that do not say whose."""
    found: dict[str, list[str]] = {}
    faults: list[Damaged] = []
    for network in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        place = f"{folder}/{network}"
        if not stat.S_ISDIR(os.lstat(place).st_mode):
            faults.append(damaged(IO_FAILURE, place, "is in the place of a network's folder", "remove it"))
            continue
        for name in sorted(os.listdir(place)):
            if name == "lock" or name.startswith("last_reserved"):
                continue
            try:
                if container := _holder(f"{place}/{name}"):
                    found.setdefault(container, []).append(f"{place}/{name}")
            except Damaged as error:
                faults.append(error)
    return found, faults


def interface(path: str) -> str:
    """The interface that has the address, as the file's second line says; empty where it does not."""
    try:
        return read(path, _REMEDY, most=_MOST).partition(b"\r\n")[2].strip().decode(errors="replace")
    except (CniError, FileNotFoundError):
        return ""


def take(path: str, container: str, ifname: str) -> bool:
    """Have host-local hold the address that `path` is of for a container; whether it was free. OSError, CniError."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with _locked(os.path.dirname(path)):
        if os.path.lexists(path):
            return False
        write_whole(path, f"{container}\r\n{ifname}".encode(), durable=True)
        return True


def free(container: str, paths: list[str]) -> list[str]:
    """Give back the addresses of a container that `paths` are, as far as they are still its; a sentence for each."""
    done = []
    for path in paths:
        network, address = path.split("/")[-2:]
        what = f"{address} of network '{network}', which container {container[:12]}, which is gone, had"
        try:
            with _locked(os.path.dirname(path)):
                if _holder(path) == container:
                    os.unlink(path)
                    done.append(f"Freed {what}")
        except CniError as error:
            done.append(f"Not freed yet is {what}: {error}")
    return done


def _holder(path: str) -> str:
    """The container that holds the address; empty where the file has gone. Raises Damaged."""
    try:
        first, ended, _ = read(path, _REMEDY, most=_MOST).partition(b"\r\n")
    except FileNotFoundError:
        return ""
    # Without its end it may be half of an ID, which is nobody's: the pod whose ID it was may run.
    if not ended or not first.isalnum():  # of bytes: ASCII's only
        raise damaged(DECODING_FAILURE, path, "does not begin with a line that is a container's ID", _REMEDY)
    return first.decode()


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """As the plug-in locks it: nobody gives an address away while it is freed. Raises CniError where it cannot be."""
    path, deadline = f"{folder}/lock", time.monotonic() + _LOCK_WAIT
    handle = open_lock(path)
    try:
        while not _taken(handle):
            if time.monotonic() >= deadline:
                raise CniError(TRY_AGAIN, f'"{path}" is kept locked by another process for {_LOCK_WAIT:g} seconds')
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
