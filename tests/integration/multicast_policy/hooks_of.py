"""On a node, with the package in PYTHONPATH: are the programs there, or take them away as root there could.

    python3 hooks_of.py look|strip [DEVICE]     of a port or of cni0; without one, of all of them

tc(8) of Debian 12 shows none of tcx. Run by these tests in their nodes, and by those of the lab in its own.
"""

from __future__ import annotations

import os
import sys

from multicast_policy import hooks

BRIDGE = "cni0"


def main(what: str, *devices: str) -> None:
    with open(f"{hooks.FOLDER}/{hooks.KIND}") as stream:  # noqa: PTH123
        kind = stream.read()
    programs, lacking = hooks.Programs(), list[str]()
    for device in devices or (BRIDGE, *os.listdir(f"/sys/class/net/{BRIDGE}/brif")):  # noqa: PTH208
        wanted = hooks.BRIDGE if device == BRIDGE else hooks.POD
        if what == "strip":
            hooks.detach(kind, [device], wanted, programs)
        lacking += hooks.without(kind, [device], wanted, programs)
    print("some" if lacking else "all")


if __name__ == "__main__":
    main(*sys.argv[1:])
