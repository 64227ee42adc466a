"""On a node: look at a device's programs, or take them away; tc(8) of Debian 12 shows none of tcx."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from pathlib import Path

from agents.multicast_policy import bpf, hooks

_DETACH, _TYPES = 9, {"ingress": 46, "egress": 47}


def main(what: str, device: str) -> None:
    kind = Path(hooks.FOLDER, hooks.KIND).read_text()
    wanted = hooks.BRIDGE if device == "cni0" else hooks.POD
    programs = hooks.Programs()
    if what == "look":
        print("some" if hooks.without(kind, [device], wanted, programs) else "all")
    elif kind == "clsact":
        subprocess.run(["tc", "qdisc", "del", "dev", device, "clsact"], check=True)
    else:
        for way, name in wanted:
            given = struct.pack("=IIIIIIQ", socket.if_nametoindex(device), programs.fds[name], _TYPES[way], 0, 0, 0, 0)
            bpf.call(_DETACH, given, "detaching")


if __name__ == "__main__":
    main(*sys.argv[1:])
