"""Lets a group through everywhere for a few seconds, as root on a node.

`mcastlab check` proves with it that the policy, and nothing else, kept the group out.

    python3 -m multicast_policy.lift GROUP SECONDS     0 seconds: no longer
"""

from __future__ import annotations

import struct
import sys
import time

from . import bpf, hooks
from .model import packed

_MOST_SECONDS = 30.0


def main(group: str, seconds: str) -> None:
    until = time.monotonic_ns() + int(min(float(seconds), _MOST_SECONDS) * 1e9)
    lifted = bpf.Map.pinned(f"{hooks.PINS}/lifted")
    lifted.drop(packed(group))
    if float(seconds) > 0:
        lifted.put(packed(group), struct.pack("=Q", until))


if __name__ == "__main__":
    main(*sys.argv[1:])
