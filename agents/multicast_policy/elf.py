"""What a compiled object of ebpf/policy.c holds: its maps' shapes and its programs' instructions (elf(5))."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .bpf import Shape

_BPF, _SYMTAB, _REL = 247, 2, 9  # e_machine; types of sections
_PROGRAM, _MAP_BYTES, _FROM_MAP = "tc.", 16, 1  # BPF_PSEUDO_MAP_FD


class ObjectError(ValueError):
    """Not an object that can be loaded."""


@dataclass(frozen=True)
class Program:
    """Instructions of 8 octets each, and where in them the descriptor of which map belongs."""

    code: bytes
    places: tuple[tuple[int, str], ...]

    def with_maps(self, descriptors: dict[str, int]) -> bytes:
        """The instructions for these maps."""
        code = bytearray(self.code)
        for offset, name in self.places:
            code[offset + 1] = code[offset + 1] & 0x0F | _FROM_MAP << 4
            struct.pack_into("<i", code, offset + 4, descriptors[name])
        return bytes(code)


@dataclass(frozen=True)
class Object:
    """Maps and programs by name, and the licence that the kernel is told."""

    maps: dict[str, Shape]
    programs: dict[str, Program]
    terms: bytes


def parse(data: bytes) -> Object:
    """The object in `data`; raises ObjectError."""
    try:
        return _parse(data)
    except (struct.error, IndexError, KeyError, StopIteration, OverflowError, UnicodeDecodeError) as error:
        raise ObjectError(f"cannot be read as an object for BPF: {error!r}") from error


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    content: bytes
    info: int


def _parse(data: bytes) -> Object:
    if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != _BPF:
        raise ObjectError("is no little-endian ELF object for BPF")
    sections = _sections(data)
    strings = next(s.content for s in sections if s.name == ".strtab")
    table = next(s.content for s in sections if s.kind == _SYMTAB)
    symbols = [_symbol(strings, entry) for entry in struct.iter_unpack("<IBBHQQ", table)]
    numbers = {s.name: number for number, s in enumerate(sections)}
    maps = {
        name: Shape(*struct.unpack_from("<IIII", sections[section].content, value))
        for name, section, value in symbols
        if section == numbers["maps"] and name
    }
    programs = {
        s.name.removeprefix(_PROGRAM): Program(s.content, _places(sections, number, symbols))
        for number, s in enumerate(sections)
        if s.name.startswith(_PROGRAM)
    }
    if not programs or len(sections[numbers["maps"]].content) != len(maps) * _MAP_BYTES:
        raise ObjectError("has no programs, or maps without a name")
    return Object(maps, programs, sections[numbers["license"]].content)


def _sections(data: bytes) -> list[_Section]:
    start, size, count, strings = struct.unpack_from("<Q10xHHH", data, 40)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, start + number * size) for number in range(count)]
    names = data[headers[strings][4] :][: headers[strings][5]]
    return [_Section(_text(names, head[0]), head[1], data[head[4] :][: head[5]], head[7]) for head in headers]


def _symbol(strings: bytes, entry: tuple[int, ...]) -> tuple[str, int, int]:
    """(name, number of its section, place in it)."""
    return _text(strings, entry[0]), entry[3], entry[4]


def _places(sections: list[_Section], number: int, symbols: list[tuple[str, int, int]]) -> tuple[tuple[int, str], ...]:
    found = []
    for section in sections:
        if section.kind == _REL and section.info == number:
            found += [(place, symbols[info >> 32][0]) for place, info in struct.iter_unpack("<QQ", section.content)]
    return tuple(found)


def _text(strings: bytes, start: int) -> str:
    return strings[start : strings.index(b"\0", start)].decode()
