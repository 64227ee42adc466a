"""What a host may say on the multicast LAN, judged at its port of this machine's bridge; run as root.

    python3 -I -S lanport.py < STATE      # a hook of the container's runtime, at each start (OCI's specification)
    python3 -I -S lanport.py FILE PID     # the same for one that runs

The state's annotation `mcastlab.lan` names FILE, which describes the host (JSON): `table`, `interface`, its own `mac`
and `own` addresses, the `others` and `other_macs` of the LAN, and whether it is a `router`. The rules hang at the
ingress of the port, which is found by the container's end of it: a port has another name after each start. An error
keeps the container from starting.
"""

from __future__ import annotations

import ipaddress
import json
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


def main() -> int:
    path, pid = sys.argv[1:] if len(sys.argv) > 1 else _asked(json.load(sys.stdin))
    host = json.loads(Path(path).read_text(encoding="utf-8"))
    port = _port(pid, str(host["interface"]))
    done = subprocess.run(  # where it is found is the hook's to say
        ["nft", "-f", "-"],  # noqa: S607
        input=rules(host, port), text=True, capture_output=True, check=False, timeout=20,
    )  # fmt: skip
    if done.returncode != 0:
        sys.stderr.write(f"lanport: the LAN's rules for port '{port}' are refused: {done.stderr}\n")
    return done.returncode


def _asked(state: dict[str, object]) -> tuple[str, str]:
    annotations = state["annotations"]
    return str(annotations["mcastlab.lan"] if isinstance(annotations, dict) else ""), str(state["pid"])


def _port(pid: str, interface: str) -> str:
    """This machine's end of the container's interface."""
    inside = _links("nsenter", f"--net=/proc/{pid}/ns/net", "--")
    wanted = next(link["link_index"] for link in inside if link["ifname"] == interface)
    return str(next(link["ifname"] for link in _links() if link["ifindex"] == wanted))


def _links(*prefix: str) -> list[dict[str, object]]:
    shown = subprocess.run([*prefix, "ip", "-json", "link"], capture_output=True, text=True, check=True, timeout=20)
    found: list[dict[str, object]] = json.loads(shown.stdout)
    return found


def rules(host: dict[str, object], port: str) -> str:
    """The table of one port, in place of the one that may be there."""
    table = f"netdev {host['table']}"
    own, others = (_families(host[key]) for key in ("own", "others"))
    lines = [] if host["router"] else list(_ROUTERS)
    if macs := ", ".join(str(mac) for mac in _list(host["other_macs"])):
        lines.append(f"ether saddr {{ {macs} }}")
    lines += _claims(*others)
    # Its own addresses are the host's: not those of the pods that share its port.
    lines += [f"ether saddr != {host['mac']} {line}" for line in _claims(*own)]
    chain = f'type filter hook ingress device "{port}" priority -500; policy accept;'
    body = "\n    ".join([chain, *(f"{line} counter drop" for line in lines)])
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
