"""Objects that are none: a message, never a trace-back or a half of one."""

from __future__ import annotations

import struct

import pytest

from agents.multicast_policy.elf import ObjectError, Program, parse


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF", b"text" * 100, b"\x7fELF\x02\x01" + bytes(12) + b"\xf7\x00" + b"\xff" * 60,
     b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\x00" + bytes(60)],
)  # fmt: skip
def test_what_is_no_object(data: bytes) -> None:
    with pytest.raises(
        ObjectError, match=r"is no little-endian ELF object for BPF|cannot be read as an object for BPF"
    ):
        parse(data)


def test_a_map_s_descriptor_goes_where_it_belongs() -> None:
    code = bytes(8) + b"\x18\x01" + bytes(14)
    placed = Program(code, ((8, "ports"),)).with_maps({"ports": 77})
    assert placed[8:10] == b"\x18\x11", "the register stays, the source says: a map's descriptor"
    assert struct.unpack_from("<i", placed, 12) == (77,)
