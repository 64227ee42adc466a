"""Join 100 groups by one socket: the kernel's own limit of 20 would refuse the 21st with ENOBUFS."""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
    for number in range(1, 101):
        membership = socket.inet_aton(f"239.9.9.{number}") + socket.inet_aton("127.0.0.1")
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
print("100 groups joined")
