"""Frames put onto pods' interfaces octet by octet, and who sees them there: packet sockets in the pods' namespaces."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.integration.multicast_policy.patience import patient

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET, _OUTGOING, _FORCE_BUFFER, _ALL = 0x40000000, 4, 33, 3
# A traffic class that nobody else uses, and a place for the number in frames that are not IP.
_OURS, MARK, _DIGITS = 0xFC, b"mcastlab-frame:", 6
SPACE = MARK + b"0" * _DIGITS


@contextmanager
def inside(netns: str) -> Iterator[None]:
    """This thread in a named network namespace; sockets made there stay there."""
    with Path("/proc/thread-self/ns/net").open() as here, Path(f"/run/netns/{netns}").open() as there:
        if _libc.setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter '{netns}'")
        try:
            yield
        finally:
            _libc.setns(here.fileno(), _CLONE_NEWNET)


def _open(netns: str, interface: str, protocol: int) -> socket.socket:
    with inside(netns):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
        sock.setsockopt(socket.SOL_SOCKET, _FORCE_BUFFER, 32 << 20)
        sock.bind((interface, protocol))
    return sock


class Wire:
    """Everybody's interface: `places` is (network namespace, interface) by name.

    Those in `by_protocol` are listened to by one socket for each Ethernet type: one for all of them would get frames
    before the interface's own ingress is asked.
    """

    def __init__(self, places: dict[str, tuple[str, str]], by_protocol: dict[str, Sequence[int]]) -> None:
        self._senders = {name: _open(*place, 0) for name, place in places.items()}
        self._ears = {
            _open(*place, protocol): name
            for name, place in places.items()
            for protocol in by_protocol.get(name, (_ALL,))
        }
        self._seen: dict[int, set[str]] = defaultdict(set)

    def close(self) -> None:
        for sock in (*self._senders.values(), *self._ears):
            sock.close()

    def play(
        self, frames: Sequence[tuple[str, bytes]], after_each: Callable[[int], None] | None = None
    ) -> list[set[str]]:
        """Send each (sender, frame), numbered; for each who saw it but its sender."""
        self._seen.clear()
        for number, (sender, frame) in enumerate(frames):
            with suppress(OSError):  # ENOBUFS is what the node's own programs answer to the node
                self._senders[sender].send(numbered(frame, number))
            if after_each:
                after_each(number)
            if number % 50 == 49:
                self._listen(0)
        self._listen(patient(0.5))
        return [self._seen[number] - {sender} for number, (sender, _) in enumerate(frames)]

    def _listen(self, quiet_seconds: float) -> None:
        """Take what has come, until nothing comes for so long."""
        end = time.monotonic() + quiet_seconds
        while True:
            ready = select.select(list(self._ears), [], [], max(0.0, end - time.monotonic()))[0]
            took = [self._take(sock) for sock in ready]
            if any(took):
                end = time.monotonic() + quiet_seconds
            elif not ready or time.monotonic() >= end:
                return

    def _take(self, sock: socket.socket) -> bool:
        """Take all that a socket has; whether any of it was a frame of ours."""
        ours = False
        while True:
            try:
                data, about = sock.recvfrom(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return ours
            number = number_of(data)
            if number is not None and about[2] != _OUTGOING:
                self._seen[number].add(self._ears[sock])
                ours = True


def numbered(frame: bytes, number: int) -> bytes:
    """The frame with its number where it changes nothing: IPv4's identification, IPv6's flow label, else in SPACE."""
    kind, at = _inner(frame)
    if kind == b"\x08\x00":
        packet = (
            frame[at : at + 1] + bytes([_OURS]) + frame[at + 2 : at + 4] + number.to_bytes(2, "big") + frame[at + 6 :]
        )
        size = (packet[0] & 15) * 4
        if 20 <= size <= len(packet):
            head = packet[:10] + b"\0\0" + packet[12:size]
            packet = head[:10] + checksum(head).to_bytes(2, "big") + packet[12:]
        return frame[:at] + packet
    if kind == b"\x86\xdd":
        return frame[:at] + (frame[at] >> 4 << 28 | _OURS << 20 | number).to_bytes(4, "big") + frame[at + 4 :]
    place = frame.index(SPACE)
    text = MARK + b"%0*d" % (_DIGITS, number)
    return frame[:place] + text + frame[place + len(text) :]


def number_of(frame: bytes) -> int | None:
    """The number of a frame of ours."""
    kind, at = _inner(frame)
    if kind == b"\x08\x00" and frame[at + 1] == _OURS:
        return int.from_bytes(frame[at + 4 : at + 6], "big")
    if kind == b"\x86\xdd" and (word := int.from_bytes(frame[at : at + 4], "big")) >> 20 & 0xFF == _OURS:
        return word & 0xFFFFF
    place = frame.find(MARK) if kind not in {b"\x08\x00", b"\x86\xdd"} else -1
    return int(frame[place + len(MARK) :][:_DIGITS]) if place >= 0 else None


def _inner(frame: bytes) -> tuple[bytes, int]:
    """(Ethernet type behind all tags, where what it announces begins)."""
    at = 12
    while frame[at : at + 2] in {b"\x81\x00", b"\x88\xa8", b"\x91\x00"}:
        at += 4
    return frame[at : at + 2], at + 2


def checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
