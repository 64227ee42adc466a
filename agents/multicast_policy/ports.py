"""The ports of this node: records that the plug-in `bind` wrote, and what the kernel says of the bridge."""

from __future__ import annotations

import json
import logging
import subprocess
from pathlib import Path

from .model import Port, link_local

_LOG = logging.getLogger("multicast-policy")
_NET = Path("/sys/class/net")


def read(folder: Path, bridge: str, net: Path = _NET) -> list[Port]:
    """The pods' ports that are on `bridge` now. A record that cannot be read binds nothing, and is named in the log."""
    found: dict[str, tuple[float, Port]] = {}
    for path in sorted(folder.glob("ports/*@*")):
        if path.name.startswith("."):
            continue
        try:
            port = Port.of(json.loads(path.read_text()))
            link_local(port.mac)
            written = path.stat().st_mtime
        except FileNotFoundError:
            continue  # DEL came in between
        except (OSError, ValueError, KeyError, TypeError) as error:
            _LOG.error("record '%s' cannot be used, its port stays closed: %r", path, error)
            continue
        # A record that survived its port tells nothing of a newer one with the same name.
        if port.name in on_bridge(bridge, net) and written >= found.get(port.name, (0.0, port))[0]:
            found[port.name] = (written, port)
    return [port for _, port in found.values()]


def on_bridge(bridge: str, net: Path = _NET) -> set[str]:
    """Names of the ports of `bridge`; none when there is no such bridge."""
    folder = net / bridge / "brif"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def other_bridges(bridge: str, net: Path = _NET) -> list[str]:
    """The bridges beside `bridge` in this network namespace."""
    return sorted(path.parent.name for path in net.glob("*/bridge") if path.parent.name != bridge)


def close_routers(bridge: str, net: Path = _NET) -> None:
    """Keep every port from becoming a router's; the plug-in did so for each as it came."""
    open_ports = []
    for name in sorted(on_bridge(bridge, net)):
        try:
            if (net / name / "brport" / "multicast_router").read_text().strip() != "0":
                open_ports.append(name)
        except OSError:
            continue  # it is gone
    if open_ports:
        commands = "".join(f"link set dev {name} mcast_router 0\n" for name in open_ports)
        # -force: one that is gone does not keep the others from it.
        argv = ["/usr/sbin/bridge", "-force", "-batch", "-"]
        subprocess.run(argv, input=commands, check=False, text=True, timeout=10, capture_output=True)
