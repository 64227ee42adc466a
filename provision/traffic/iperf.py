"""iperf 2.1: the seed's command lines, and what its sender and its receiver report.

Measured with 2.1.8, and recorded in tests/unit/traffic/recorded/:
- the sender's last datagram (negative sequence number) only ends the run: it is in 'Sent N datagrams', and no
  receiver counts it;
- a receiver of multicast serves one client at a time, and for about 40 ms after a client's end it drops the next one's
  first datagrams;
- a copy and a late datagram are both 'received out-of-order', are counted in the transferred bytes, and are taken off
  the lost ones: 'Lost/Total' alone would hide losses;
- its exit code is 0 even when it cannot bind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

DEFAULT_PORT = 5001
DATAGRAM_BYTES = 1470

_CONNECTED = re.compile(r"^\[ *(\d+)\] local (\S+) port (\d+) connected with (\S+) port (\d+)", re.MULTILINE)
_SENT = re.compile(r"^\[ *\d+\] Sent (\d+) datagrams", re.MULTILINE)
_ROW = re.compile(
    r"^\[ *(?P<id>\d+)\] +(?P<start>[\d.]+)- *(?P<end>[\d.]+) sec +(?P<amount>[\d.]+) (?P<unit>[KMG]?)Bytes"
    r" +[\d.]+ [KMG]?bits/sec +(?P<jitter>[\d.]+) ms +(?P<lost>-?\d+)/ *(?P<total>\d+) \("
)
_LATE = re.compile(r"^\[ *(\d+)\] +[\d.]+- *[\d.]+ sec +(\d+) datagrams received out-of-order")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


@dataclass(frozen=True)
class Sent:
    """What a sender reports: its UDP port, and how many datagrams count: all but the one that ends the run."""

    port: int
    datagrams: int


@dataclass(frozen=True)
class Reception:
    """What a receiver reports of one client; `complete` when the client's end was received, and the total printed.

    `total` is the highest sequence number seen, `out_of_order` late datagrams and copies alike, `jitter` in ms.
    """

    port: int
    total: int
    lost: int
    out_of_order: int
    size: float
    jitter: float
    complete: bool

    @property
    def arrived(self) -> int:
        """Datagrams that arrived once and in order: the only ones that no copy can feign."""
        return max(0, self.total - self.lost - self.out_of_order)

    @property
    def with_copies(self) -> int:
        """Datagrams that arrived, copies included, by the bytes transferred; exact to about half a percent."""
        return round(self.size / DATAGRAM_BYTES)


@dataclass
class _Row:
    start: float
    size: float
    jitter: float
    lost: int
    total: int
    late: int = 0


@dataclass
class _Client:
    port: int
    rows: list[_Row] = field(default_factory=list)


def receiver_argv(group: str, interface: str, port: int = DEFAULT_PORT) -> list[str]:
    """The seed's receiver: joins `group` on `interface` and reports every second."""
    return ["iperf", "-s", "-u", "-B", f"{group}%{interface}", "-i", "1", *_port(port)]


def sender_argv(group: str, source: str, ttl: int, seconds: float, port: int = DEFAULT_PORT) -> list[str]:
    """The seed's sender: `seconds` of 1 Mb/s to `group` from the address `source`."""
    return ["iperf", "-c", group, "-u", "--ttl", str(ttl), "-t", f"{seconds:g}", "-B", source, *_port(port)]


def parse_sender(text: str) -> Sent | None:
    """The report of a sender that has ended, None when it has sent nothing or says nothing."""
    connected, sent = _CONNECTED.search(text), _SENT.search(text)
    if not connected or not sent or int(sent[1]) < 2:
        return None
    return Sent(int(connected[3]), int(sent[1]) - 1)


def parse_receiver(text: str, port: int) -> Reception | None:
    """What a receiver's output says of the client that sends from UDP `port`; None when nothing of it arrived."""
    client = next((client for client in _clients(text) if client.port == port), None)
    if client is None or not client.rows:
        return None
    # The total is the row that starts at 0 again; without it the intervals are added up.
    whole = [row for row in client.rows[1:] if row.start == 0]
    rows = whole[-1:] or client.rows
    return Reception(
        port=port,
        total=sum(row.total for row in rows),
        lost=sum(max(0, row.lost) for row in rows),
        out_of_order=sum(row.late for row in rows),
        size=sum(row.size for row in rows),
        jitter=rows[-1].jitter,
        complete=bool(whole),
    )


def _clients(text: str) -> list[_Client]:
    by_id: dict[str, _Client] = {}
    clients: list[_Client] = []
    for line in text.splitlines():
        if match := _CONNECTED.match(line):
            by_id[match[1]] = _Client(int(match[5]))
            clients.append(by_id[match[1]])
        elif (match := _ROW.match(line)) and match["id"] in by_id:
            size = float(match["amount"]) * _UNITS[match["unit"]]
            row = _Row(float(match["start"]), size, float(match["jitter"]), int(match["lost"]), int(match["total"]))
            by_id[match["id"]].rows.append(row)
        elif (match := _LATE.match(line)) and match[1] in by_id and by_id[match[1]].rows:
            by_id[match[1]].rows[-1].late = int(match[2])
    return clients


def _port(port: int) -> list[str]:
    return [] if port == DEFAULT_PORT else ["-p", str(port)]
