"""The ports of this node: records that the plug-in `bind` wrote, and what the kernel says of the bridge."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from . import files
from .model import Port, link_local

_LOG = logging.getLogger("multicast-policy")
_NET = Path("/sys/class/net")
_RECORD_BYTES = 1 << 16  # more than any pod needs; what is longer was not written by the plug-in
Stamp = tuple[int, int, int, int]  # when a record was written, when that or its owner changed, inode, size
_REMEDY = "delete its pod: the one in its place gets a record of its own"
_SECONDS = 10
_SIOCGIFINDEX = 0x8933
# Both ways, whatever its carrier does (`state` and `isolated` do not hold); and what a port normally has.
_CLOSED = "locked on learning off flood off mcast_flood off bcast_flood off"
_OPENED = "locked off learning on flood on mcast_flood on bcast_flood on"


class Records:
    """The records as they are now; one is read again only when its file is another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "ports"
        self._known: dict[str, tuple[Stamp, Port | None]] = {}

    def read(self) -> list[tuple[int, Port]]:
        """(when it was written, port) of each that can be used; one that cannot binds nothing, and the log names it."""
        found: dict[str, tuple[Stamp, Port | None]] = {}
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            _LOG.error("the records cannot be listed: %s", error)
            self._known = {}
            return []
        try:
            # From the open folder a file is found in two thirds of the time.
            with os.scandir(folder) as listed:
                entries = [entry for entry in listed if "@" in entry.name and entry.name[0] != "."]
            for entry in entries:
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # DEL came in between
                stamp = (about.st_mtime_ns, about.st_ctime_ns, about.st_ino, about.st_size)
                known = self._known.get(entry.name)
                found[entry.name] = (
                    known if known and known[0] == stamp else (stamp, _record(self._folder / entry.name))
                )
        finally:
            os.close(folder)
        self._known = found
        return [(stamp[0], port) for stamp, port in found.values() if port]


def _record(path: Path) -> Port | None:
    try:
        port = Port.of(json.loads(files.read_text(str(path), _REMEDY, _RECORD_BYTES)))
        link_local(port.mac)
        port.check()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        _LOG.error("record '%s' cannot be used, its port stays closed: %r; %s", path, error, _REMEDY)
        return None
    return port


def bound(records: Records, bridge: str, net: Path = _NET) -> dict[int, Port]:
    """The pods' ports that are on `bridge` now, by interface index."""
    here = on_bridge(bridge, net)
    newest: dict[str, tuple[int, Port]] = {}
    for written, port in records.read():
        # A record that survived its port tells nothing of a newer one with the same name.
        if port.name in here and written >= newest.get(port.name, (0, port))[0]:
            newest[port.name] = (written, port)
    return {here[name]: port for name, (_, port) in sorted(newest.items())}


def on_bridge(bridge: str, net: Path = _NET) -> dict[str, int]:
    """The ports of `bridge` and their interface indices; none when there is no such bridge."""
    try:
        names = os.listdir(net / bridge / "brif")  # noqa: PTH208
    except OSError:
        return {}
    # One socket for all: with 1,000 ports a tenth of what if_nameindex() takes, which keeps all threads waiting.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        found = {name: _index(asking, name) for name in names}
    return {name: index for name, index in found.items() if index}


def _index(asking: socket.socket, device: str) -> int:
    """An interface's index, 0 when it is gone (netdevice(7))."""
    try:
        answer = fcntl.ioctl(asking, _SIOCGIFINDEX, struct.pack("=16s24x", device.encode()))
    except OSError:
        return 0
    index: int = struct.unpack_from("=16xi", answer)[0]
    return index


def index_of(device: str) -> int:
    """An interface's index; raises OSError that names it when there is none."""
    try:
        return socket.if_nametoindex(device)
    except OSError as error:
        raise OSError(f"there is no interface '{device}'") from error


def mac_of(device: str, net: Path = _NET) -> str:
    """The MAC address of an interface; raises OSError when it is gone."""
    return (net / device / "address").read_text().strip()


def close_routers(names: Iterable[str], net: Path = _NET) -> None:
    """Keep these ports from becoming a router's; the plug-in did so for each as it came."""
    _batch(
        f"link set dev {name} mcast_router 0"
        for name in names
        if _setting(net / name / "brport" / "multicast_router") not in {"0", None}
    )


def snoops(bridge: str, net: Path = _NET) -> bool:
    """Whether snooping is on, which the kernel switches off when the table of groups is full; turns it on again."""
    path = net / bridge / "bridge" / "multicast_snooping"
    if _setting(path) != "0":
        return True
    path.write_text("1")
    return False


def lock(device: str) -> None:
    """Close a port both ways."""
    _batch([f"link set dev {device} {_CLOSED}"])


def unlock(device: str, net: Path = _NET) -> None:
    """Give a port that was closed back what ports have."""
    if _setting(net / device / "brport" / "learning") == "0":
        _batch([f"link set dev {device} {_OPENED}"])


def _setting(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None  # it is gone


def _batch(commands: Iterable[str]) -> None:
    text = "".join(f"{command}\n" for command in commands)
    if text:
        # -force: one that is gone does not keep the others from it.
        argv = ["/usr/sbin/bridge", "-force", "-batch", "-"]
        subprocess.run(argv, input=text, check=False, text=True, timeout=_SECONDS, capture_output=True)
