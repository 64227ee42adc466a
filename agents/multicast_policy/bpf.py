"""The bpf() system call (bpf(2), linux/bpf.h): maps, programs and their pins, by the standard library alone.

The node's loader runs before there is anything but Debian's python3, and the agent changes hundreds of entries in a few
milliseconds: no tool is started for either.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_NUMBER = {"x86_64": 321, "aarch64": 280}
_CREATE, _LOOKUP, _UPDATE, _DELETE, _LOAD, _PIN, _GET, _TEST_RUN, _LOOKUP_BATCH = 0, 1, 2, 3, 5, 6, 7, 10, 24
_SCHED_CLS = 3  # BPF_PROG_TYPE_SCHED_CLS
_LOG_BYTES = 1 << 20
HASH, ARRAY, PERCPU_ARRAY = 1, 2, 6
_ABOUT = ("map_type", "key_size", "value_size", "max_entries")  # in /proc/PID/fdinfo

_libc = ctypes.CDLL(None, use_errno=True)


def call(command: int, attributes: bytes, doing: str) -> bytes:
    """A command whose answer is written into its attributes; raises OSError."""
    given = buffer(attributes)
    _bpf(command, given, doing)
    return given.raw


def _bpf(command: int, attributes: bytes | ctypes.Array[ctypes.c_char], doing: str) -> int:
    number = _NUMBER.get(platform.machine())
    if number is None:
        raise OSError(38, f"{doing}: the number of bpf() on {platform.machine()} is not known")
    given = buffer(attributes) if isinstance(attributes, bytes) else attributes
    got = int(_libc.syscall(number, command, given, len(attributes)))
    if got < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{doing}: {os.strerror(code)}")
    return got


def address(given: ctypes.Array[ctypes.c_char]) -> int:
    """Where a buffer is, as attributes want it."""
    return ctypes.addressof(given)


def buffer(data: bytes) -> ctypes.Array[ctypes.c_char]:
    """A copy of `data` that the kernel may read and write."""
    return ctypes.create_string_buffer(data, len(data))


@dataclass(frozen=True)
class Shape:
    """A map's kind (HASH, ARRAY, PERCPU_ARRAY), the octets of its keys and values, and how many entries it has."""

    kind: int
    key: int
    value: int
    entries: int


class Map:
    """A map of the kernel's. Keys and values are octets as its shape says; per CPU, a value is one for each of them."""

    def __init__(self, fd: int, shape: Shape) -> None:
        self.fd, self.shape = fd, shape
        cpus = possible_cpus() if shape.kind == PERCPU_ARRAY else 1
        self._value = ctypes.create_string_buffer(cpus * (shape.value + 7 & ~7 if cpus > 1 else shape.value))

    @classmethod
    def create(cls, name: str, shape: Shape) -> Map:
        attributes = struct.pack("=IIIII", shape.kind, shape.key, shape.value, shape.entries, 0)
        attributes += struct.pack("=II16s", 0, 0, name.encode()[:15])
        return cls(_bpf(_CREATE, attributes, f"making map '{name}'"), shape)

    @classmethod
    def pinned(cls, path: str, shape: Shape | None = None) -> Map:
        """The map that is pinned at `path`; raises OSError where it has not this shape, as an older version's."""
        fd = get(path)
        about = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
        found = {key: int(value) for key, _, value in (line.partition(":\t") for line in about) if key in _ABOUT}
        own = Shape(*(found[key] for key in _ABOUT))
        if shape not in {None, own}:
            os.close(fd)
            raise OSError(22, f"map '{path}' is of another version of the policy's programs")
        return cls(fd, own)

    def get(self, key: bytes) -> bytes | None:
        """The value, None where there is none."""
        given = buffer(key)
        attributes = struct.pack("=I4xQQQ", self.fd, address(given), address(self._value), 0)
        try:
            _bpf(_LOOKUP, attributes, "reading a map")
        except FileNotFoundError:
            return None
        return self._value.raw

    def put(self, key: bytes, value: bytes) -> None:
        given, new = buffer(key), buffer(value)
        _bpf(_UPDATE, struct.pack("=I4xQQQ", self.fd, address(given), address(new), 0), "writing a map")

    def drop(self, key: bytes) -> None:
        """Remove an entry; well when it is gone already."""
        given = buffer(key)
        try:
            _bpf(_DELETE, struct.pack("=I4xQ", self.fd, address(given)), "removing a map's entry")
        except FileNotFoundError:
            return

    def items(self) -> dict[bytes, bytes]:
        """All entries, in one call (Linux 5.6); not of a map that has values per CPU."""
        shape = self.shape
        keys, values = (ctypes.create_string_buffer(size * shape.entries) for size in (shape.key, shape.value))
        last = ctypes.create_string_buffer(shape.key)
        where = (address(last), address(keys), address(values))
        attributes = buffer(struct.pack("=QQQQIIQQ", 0, *where, shape.entries, self.fd, 0, 0))
        with suppress(FileNotFoundError):  # that was the last of them
            _bpf(_LOOKUP_BATCH, attributes, "listing a map")
        count: int = struct.unpack_from("=I", attributes, 32)[0]
        each = [_parts(found.raw, size, count) for found, size in ((keys, shape.key), (values, shape.value))]
        return dict(zip(*each, strict=True))


def _parts(octets: bytes, size: int, count: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, size * count, size)]


def load_program(name: str, code: bytes, terms: bytes) -> int:
    """Have the verifier judge a program for tc; its descriptor. Raises OSError with the end of the verifier's log."""
    instructions, licence = buffer(code), buffer(terms)
    try:
        return _load(name, instructions, licence, None)
    except OSError as first:
        log = ctypes.create_string_buffer(_LOG_BYTES)
        try:
            return _load(name, instructions, licence, log)
        except OSError as error:
            said = log.value.decode(errors="replace").strip().splitlines()[-6:]
            raise OSError(error.errno, "; ".join([str(first.strerror), *said])) from error


def _load(name: str, code: ctypes.Array[ctypes.c_char], terms: ctypes.Array[ctypes.c_char],
          log: ctypes.Array[ctypes.c_char] | None) -> int:  # fmt: skip
    attributes = struct.pack("=IIQQ", _SCHED_CLS, len(code) // 8, address(code), address(terms))
    attributes += struct.pack("=IIQ", 1 if log else 0, len(log) if log else 0, address(log) if log else 0)
    attributes += struct.pack("=II16s", 0, 0, name.encode()[:15])
    return _bpf(_LOAD, attributes, f"loading program '{name}'")


def pin(fd: int, path: str) -> None:
    """Give a map or program a name in a bpf file system, so that it stays."""
    name = buffer(path.encode() + b"\0")
    _bpf(_PIN, struct.pack("=QI", address(name), fd), f"pinning '{path}'")


def get(path: str) -> int:
    """A descriptor of what is pinned at `path`."""
    name = buffer(path.encode() + b"\0")
    return _bpf(_GET, struct.pack("=QI", address(name), 0), f"opening '{path}'")


def test_run(program: int, frame: bytes, index: int, came_by: int) -> int:
    """What a program answers to a frame that is at interface `index` and came in by `came_by` (BPF_PROG_TEST_RUN)."""
    context = bytearray(192)  # struct __sk_buff
    struct.pack_into("=II", context, 36, came_by, index)
    data, given = buffer(frame), buffer(bytes(context))
    attributes = struct.pack("=IIIIQQIIIIQQ", program, 0, len(frame), 0, address(data), 0, 1, 0,
                             len(context), 0, address(given), 0) + bytes(16)  # fmt: skip
    told = call(_TEST_RUN, attributes, "running a program on a frame")
    answer: int = struct.unpack_from("=i", told, 4)[0]
    return answer


def identity(program: int) -> int:
    """The kernel's number of a program, by which other tools name it."""
    with Path(f"/proc/self/fdinfo/{program}").open() as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("prog_id:"))


def possible_cpus() -> int:
    """How many values a per-CPU map has for each key."""
    return sum(_span(part) for part in Path("/sys/devices/system/cpu/possible").read_text().strip().split(","))


def _span(part: str) -> int:
    first, _, last = part.partition("-")
    return int(last or first) - int(first) + 1
