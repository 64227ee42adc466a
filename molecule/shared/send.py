"""Send TEXT to GROUP and PORT every 0.2 s for 20 s, naming no interface: the routes decide."""

import socket
import sys
import time

group, port, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for _ in range(100):
        sender.sendto(text.encode(), (group, port))
        time.sleep(0.2)
