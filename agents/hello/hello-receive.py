#!/usr/bin/env python3
"""Join 239.1.1.1 and print what comes to port 5005."""

from __future__ import annotations

import argparse
import socket
import struct
import sys

GROUP, PORT = "239.1.1.1", 5005


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=0, help="end after so many; never if 0")
    parser.add_argument("--seconds", type=float, default=0, help="give up after so long without one; never if 0")
    options = parser.parse_args()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    receiver.bind(("", PORT))  # without it nothing is received
    membership = struct.pack("=4sl", socket.inet_aton(GROUP), socket.INADDR_ANY)
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    receiver.settimeout(options.seconds or None)
    print("Listening for multicast...", flush=True)
    received = 0
    while not options.count or received < options.count:
        try:
            data, address = receiver.recvfrom(1024)
        except TimeoutError:
            sys.exit(f"Nothing came for {options.seconds:g} s")
        received += 1
        print(f"Received {data!r} from {address}", flush=True)


if __name__ == "__main__":
    main()
