"""A receiver that joins no group, and the question that proves it alive. Standard library only.

    bystander.py listen [--shared] PORT...   count what arrives on these UDP ports until ended
    bystander.py ask ADDRESS PORT            print the counts of the bystander at ADDRESS as JSON

It runs inside pods and on hosts as `python3 -I -S -c SOURCE`. `--shared` is for a network namespace in which
another process has joined: without it Linux gives a wildcard socket the groups of the whole namespace (ip(7),
IP_MULTICAST_ALL), and the bystander would hear through its neighbour's membership.
"""

import json
import os
import selectors
import signal
import socket
import sys

IP_PKTINFO = 8  # linux/in.h; Python's socket module has no name for it before 3.14
IP_MULTICAST_ALL = 49
QUESTION = b"mcastlab-bystander "


def listen(ports, shared):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    selector = selectors.DefaultSelector()
    for port in ports:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        server.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0 if shared else 1)
        server.bind(("0.0.0.0", port))  # noqa: S104 - a socket of one address gets no multicast at all
        selector.register(server, selectors.EVENT_READ, {"multicast": 0, "other": 0, "asked": 0})
    print("listening on " + " ".join(map(str, ports)), flush=True)
    while True:
        for key, _events in selector.select():
            receive(key.fileobj, key.data)


def receive(server, counts):
    data, control, _flags, sender = server.recvmsg(65535, 128)
    # struct in_pktinfo: interface index, local address, destination address in the header
    target = next(socket.inet_ntoa(raw[8:12]) for level, kind, raw in control if kind == IP_PKTINFO)
    if int(target.split(".")[0]) >= 224:  # multicast, and the limited broadcast
        counts["multicast"] += 1
    elif data.startswith(QUESTION):
        counts["asked"] += 1
        token = data[len(QUESTION) :].decode(errors="replace")
        server.sendto(json.dumps({"token": token, **counts}).encode(), sender)
    else:
        counts["other"] += 1


def ask(address, port):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((address, port))
    token = os.urandom(8).hex()
    for _attempt in range(4):  # a datagram may be lost, and the neighbour's address must be resolved first
        client.settimeout(0.5)
        try:
            client.send(QUESTION + token.encode())
            answer = json.loads(client.recv(65535))
        except OSError as error:
            reason = str(error)
            continue
        if answer.pop("token") == token:
            return print(json.dumps(answer))
        reason = "an answer to another question"
    return sys.exit(f"no answer from {address} port {port}: {reason}")


if __name__ == "__main__":
    mode, *rest = sys.argv[1:]
    if mode == "listen":
        listen([int(port) for port in rest if port != "--shared"], "--shared" in rest)
    else:
        ask(rest[0], int(rest[1]))
