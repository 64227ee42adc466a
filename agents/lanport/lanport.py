"""What a host may say on the multicast LAN, judged at its port of this machine's bridge; run as root.

    python3 -I -S lanport.py < STATE      # a hook of the container's runtime, at each start (OCI's specification)
    python3 -I -S lanport.py FILE PID     # the same for one that runs

The state's annotation `mcastlab.lan` names FILE, which describes the host (JSON): `table`, `interface`, its own `mac`
and `own` addresses, the `others` and `other_macs` of the LAN, and whether it is a `router`. The rules hang at the
ingress of the port, which is found by the container's end of it: a port has another name after each start. An error
keeps the container from starting, and is one sentence on standard error.
"""

from __future__ import annotations

import ipaddress
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

# What is dropped, each by a rule with a counter (`nft list table netdev TABLE`). Tags: the bridge peels those of id 0
# and believes the query behind; none is used on the lab's LAN. An authentication header ends what nftables reads of
# IPv6, and the bridge reads on. Of a fragment the message cannot be told.
_ROUTERS = (
    "ether type { 8021q, 8021ad, 0x9100 }",
    "meta l4proto { pim, ah }",
    "ip protocol igmp ip frag-off & 0x3fff != 0",
    "ip6 daddr ff00::/8 meta l4proto ipv6-icmp exthdr frag exists",
    "ip protocol igmp @th,0,8 { 0x11, 0x13, 0x30, 0x31, 0x32 }",
    "icmp type router-advertisement",
    "icmpv6 type { mld-listener-query, nd-router-advert, nd-redirect, 151-153 }",
)


_MOST = 1 << 20  # octets of a host's description: a LAN of thousands of hosts has no more
_SECONDS = 20


class Refused(Exception):
    """Why no rules are laid, in a sentence."""


def main() -> int:
    try:
        path, pid = sys.argv[1:] if len(sys.argv) > 1 else _asked(json.load(sys.stdin))
        host = _described(path)
        port, index = _port(pid, str(host.get("interface")))
        try:
            text = rules(host, port, index)
        except (LookupError, ValueError) as error:
            raise _damaged(path, "does not describe a host") from error
        _run(["nft", "-f", "-"], f"the LAN's rules for port '{port}' are refused", text)
    except Refused as error:
        sys.stderr.write(f"lanport: {error}\n")
        return 1
    return 0


def _described(path: str) -> dict[str, object]:
    """What the file says of its host; others may have touched it, and nothing waits for it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        wrong = "is a link" if Path(path).is_symlink() else f"cannot be opened: {error.strerror}"
        raise _damaged(path, wrong) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _damaged(path, "is no plain file")
    with os.fdopen(handle, "rb") as stream:
        content = stream.read(_MOST + 1)
    if len(content) > _MOST:
        raise _damaged(path, f"is longer than {_MOST} octets, as no such file is")
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"is not JSON: {error}" if content else "is empty") from error
    if not isinstance(found, dict):
        raise _damaged(path, "does not describe a host")
    return found


def _damaged(path: str, wrong: str) -> Refused:
    return Refused(f"the file '{path}' {wrong}; `mcastlab up` writes it anew, where nothing but a file is in its place")


def _asked(state: dict[str, object]) -> tuple[str, str]:
    annotations = state["annotations"]
    return str(annotations["mcastlab.lan"] if isinstance(annotations, dict) else ""), str(state["pid"])


def _port(pid: str, interface: str) -> tuple[str, int]:
    """This machine's end of the container's interface: name and index."""
    inside = {link["ifname"]: link for link in _links("nsenter", f"--net=/proc/{pid}/ns/net", "--")}
    if interface not in inside:
        raise Refused(f"process {pid} has no interface '{interface}'; `mcastlab down`, then `mcastlab up` make it anew")
    wanted = inside[interface].get("link_index")
    for link in _links():
        if link["ifindex"] == wanted:
            return str(link["ifname"]), int(str(link["ifindex"]))
    raise Refused(f"interface '{interface}' of process {pid} is no port of this machine's")


def _links(*prefix: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(_run([*prefix, "ip", "-json", "link"], "no links are known"))
    return found


def _run(argv: list[str], failed: str, text: str = "") -> str:
    """What a command prints; `failed` is the sentence's subject and verb where it does not end well."""
    try:  # where it is found is the hook's to say
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{failed}: {error}") from error
    if done.returncode:
        raise Refused(f"{failed}: '{' '.join(argv)}' ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def rules(host: dict[str, object], port: str, index: int) -> str:
    """The table of one port, in place of the one that may be there.

    A chain stays when its port is gone, and since Linux 6.16 it hangs at the next one of that name, which may be
    another lab's: its rules hold for the port with this index, which no other will have.
    """
    table = f"netdev {host['table']}"
    own, others = (_families(host[key]) for key in ("own", "others"))
    lines = [] if host["router"] else list(_ROUTERS)
    if macs := ", ".join(str(mac) for mac in _list(host["other_macs"])):
        lines.append(f"ether saddr {{ {macs} }}")
    lines += _claims(*others)
    # Its own addresses are the host's: not those of the pods that share its port.
    lines += [f"ether saddr != {host['mac']} {line}" for line in _claims(*own)]
    chain = f'type filter hook ingress device "{port}" priority -500; policy accept;'
    body = "\n    ".join([chain, f"iif != {index} accept", *(f"{line} counter drop" for line in lines)])
    return f"table {table} {{\n}}\ndelete table {table}\ntable {table} {{\n  chain said {{\n    {body}\n  }}\n}}\n"


def _claims(fours: list[str], sixes: list[str]) -> list[str]:
    """What claims to be one of these addresses: as source, in ARP, in neighbour discovery."""
    four, six = ", ".join(fours), ", ".join(sixes)
    targets = ", ".join(f"0x{int(ipaddress.ip_address(address)):032x}" for address in sixes)
    found = [f"ip saddr {{ {four} }}", f"arp saddr ip {{ {four} }}"] if four else []
    if six:
        found += [
            f"ip6 saddr {{ {six} }}",
            f"icmpv6 type nd-neighbor-advert @th,64,128 {{ {targets} }}",
            f"ip6 saddr :: icmpv6 type nd-neighbor-solicit @th,64,128 {{ {targets} }}",
        ]
    return found


def _families(value: object) -> tuple[list[str], list[str]]:
    addresses = [str(address) for address in _list(value)]
    return [one for one in addresses if ":" not in one], [one for one in addresses if ":" in one]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


if __name__ == "__main__":
    sys.exit(main())
