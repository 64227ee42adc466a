"""What netattach remembers of each container it attached, on disk: DEL, CHECK and GC live on it alone.

One file for each container and interface of the runtime's call, replaced whole, written before each delegate's ADD, so
that a crash at any moment leaves a record of all that may exist.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator

from .attachment import Attachment
from .errors import IO_FAILURE, TRY_AGAIN, CniError
from .request import Pod, Request

_FORMAT = 1


class Record:
    """The attachments of one call, in the order of their ADD."""

    def __init__(self, container_id: str, ifname: str, netns: str, pod: Pod | None) -> None:
        self.container_id = container_id
        self.ifname = ifname
        self.netns = netns
        self.pod = pod
        self.attachments: list[Attachment] = []
        self.untold = False  # a static pod whose mirror does not have the network status yet

    def to_dict(self) -> dict[str, object]:
        """What the file holds."""
        pod = self.pod
        return {
            "format": _FORMAT,
            "containerID": self.container_id,
            "ifname": self.ifname,
            "netns": self.netns,
            "pod": None if pod is None else {"namespace": pod.namespace, "name": pod.name, "uid": pod.uid},
            "attachments": [attachment.to_dict() for attachment in self.attachments],
            "untold": self.untold,
        }

    @staticmethod
    def from_dict(saved: dict[str, object]) -> Record:
        """The record that `to_dict` gave; an exception of any kind when it is not one."""
        if saved["format"] != _FORMAT:
            raise ValueError(f"unknown format {saved['format']}")
        pod, attachments = saved["pod"], saved["attachments"]
        record = Record(
            str(saved["containerID"]),
            str(saved["ifname"]),
            str(saved["netns"]),
            Pod(**pod) if isinstance(pod, dict) else None,
        )
        if not isinstance(attachments, list):
            raise TypeError("no attachments")
        record.attachments = [Attachment.from_dict(attachment) for attachment in attachments]
        record.untold = saved.get("untold") is True
        return record


class Store:
    """The folder of records. Two calls for one container exclude each other by `lock`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder; CniError 5 when that cannot be."""
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise CniError(IO_FAILURE, f'the cache folder "{self.folder}" cannot be made', str(error)) from error

    def _path(self, container_id: str, ifname: str) -> str:
        # "@" is in no container ID, so no two pairs share a file.
        return f"{self.folder}/{container_id}@{ifname}.json"

    def load(self, container_id: str, ifname: str) -> Record | None:
        """The record, None when there is none. One that a power cut left half-written counts as none."""
        return self._read(self._path(container_id, ifname))

    def _read(self, path: str) -> Record | None:
        try:
            with open(path, encoding="utf-8") as file:
                return Record.from_dict(json.load(file))
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, CniError) as error:
            import sys

            sys.stderr.write(f'netattach: the record "{path}" cannot be read and is ignored: {error!r}\n')
            return None

    def save(self, record: Record, *, durable: bool = False) -> None:
        """Write `record`; a durable one outlives a power cut."""
        path = self._path(record.container_id, record.ifname)
        try:
            with open(f"{path}.new", "w", encoding="utf-8", opener=_private) as file:
                json.dump(record.to_dict(), file)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(f"{path}.new", path)
        except OSError as error:
            raise CniError(IO_FAILURE, f'the record "{path}" cannot be written', str(error)) from error

    def remove(self, record: Record) -> None:
        """Forget `record`, if it is still there."""
        path = self._path(record.container_id, record.ifname)
        for name in (path, f"{path}.new"):
            try:
                os.unlink(name)
            except FileNotFoundError:
                continue

    def records(self) -> Iterator[Record]:
        """Every record that can be read."""
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".json"):
                record = self._read(f"{self.folder}/{name}")
                if record is not None:
                    yield record

    def lock(self, container_id: str, ifname: str, wait: float) -> Lock:
        """The lock of one container's interface, held; CniError 11 when another call keeps it for `wait` seconds."""
        return Lock(f"{self.folder}/{container_id}@{ifname}.lock", wait)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Lock:
    """An exclusive lock on a file that is removed on release.

    Its descriptor is inherited by the delegates: when the runtime kills netattach in the middle of an ADD, the lock
    stays until the delegate that it left behind has ended, and the DEL that follows does not overtake it.
    """

    def __init__(self, path: str, wait: float) -> None:
        self.path = path
        deadline = time.monotonic() + wait
        while not self._take():
            if time.monotonic() >= deadline:
                raise CniError(TRY_AGAIN, f"another call for this container is still running after {wait:g} seconds")
            time.sleep(0.02)

    def _take(self) -> bool:
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before removed the file on release: a lock on a removed file excludes nobody.
            if os.stat(self.path).st_ino == os.fstat(self.file).st_ino:
                os.set_inheritable(self.file, True)
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(self.file)
        return False

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        os.unlink(self.path)
        os.close(self.file)


def new_record(request: Request) -> Record:
    """An empty record for the container of `request`."""
    return Record(request.container_id, request.ifname, request.netns, request.pod())
