"""Join GROUP on INTERFACE; print the first datagram to PORT and its sender, or exit with 1 after a minute without."""

import socket
import struct
import sys

group, interface, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
index = socket.if_nametoindex(interface)
family = socket.AF_INET6 if ":" in group else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as receiver:
    receiver.bind((group, port))
    if family == socket.AF_INET6:
        joined = socket.inet_pton(family, group) + struct.pack("@I", index)
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joined)
    else:
        joined = socket.inet_aton(group) + struct.pack("=4xi", index)  # struct ip_mreqn, ip(7)
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
    receiver.settimeout(60)
    try:
        data, sender = receiver.recvfrom(1500)
    except TimeoutError:
        sys.exit(f"nothing came to {group} on {interface} within a minute")
    print(data.decode(), "from", sender[0])
