#!/usr/bin/env python3
"""Send "Hello Multicast!" to 239.1.1.1, port 5005, once a second.

On a node, name the interface of the pod network: `--interface cni0`. Without, the routes decide, as in a pod.
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys
import time

GROUP, PORT = "239.1.1.1", 5005


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interface", default="", help="send by this interface")
    parser.add_argument("--count", type=int, default=0, help="end after so many; never if 0")
    parser.add_argument("--ttl", type=int, default=1, help="time to live, in hops")
    options = parser.parse_args()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, options.ttl)
    if options.interface:
        index = socket.if_nametoindex(options.interface)
        any_address = bytes(4)
        sender.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", any_address, any_address, index)
        )
    try:
        sender.bind(("0.0.0.0", PORT))  # noqa: S104 - as the walk-through does: the receivers see port 5005
    except OSError as error:
        sys.exit(f"Bind failed: {error}")
    print("Sending multicast...", flush=True)
    sent = 0
    while not options.count or sent < options.count:
        sender.sendto(b"Hello Multicast!", (GROUP, PORT))
        sent += 1
        time.sleep(1)


if __name__ == "__main__":
    main()
