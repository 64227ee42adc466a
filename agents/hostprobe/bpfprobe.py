"""Whether this kernel takes programs at network interfaces, as the multicast policy has them: run as root.

    unshare --net python3 -I -S bpfprobe.py

It is tried, in a network namespace that ends with the command: bpf(2) loads a program of two instructions, which is
attached to `lo` by tcx or, on a kernel without that, gets a place by tc's clsact. Exit code 0, or 1 and on standard
error what was refused. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import subprocess
import sys

_NUMBERS = {"x86_64": 321, "aarch64": 280}  # of the system call bpf()
_LOAD, _ATTACH, _SCHED_CLS, _TCX_INGRESS = 5, 8, 3, 46  # linux/bpf.h
_LO = 1  # its index in every new network namespace
# r0 = -1 (go on to the next program); exit
_PROGRAM = struct.pack("=BBhi", 0xB7, 0, 0, -1) + struct.pack("=BBhi", 0x95, 0, 0, 0)


def bpf(command: int, attributes: bytes) -> int:
    """What the system call returns; raises OSError."""
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(38, f"its number on {platform.machine()} is not known")
    libc = ctypes.CDLL(None, use_errno=True)
    given = ctypes.create_string_buffer(attributes, len(attributes))
    got = int(libc.syscall(number, command, given, len(attributes)))
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


def load() -> int:
    """A descriptor of the program; raises OSError."""
    code = ctypes.create_string_buffer(_PROGRAM, len(_PROGRAM))
    terms = ctypes.create_string_buffer(b"GPL")
    where = (ctypes.addressof(code), ctypes.addressof(terms))
    return bpf(_LOAD, struct.pack("=IIQQIIQII16s", _SCHED_CLS, 2, *where, 0, 0, 0, 0, 0, b"probe"))


def attach(program: int) -> str:
    """Why it cannot be attached to an interface, by neither way; empty where it can."""
    try:
        bpf(_ATTACH, struct.pack("=IIIIIIQ", _LO, program, _TCX_INGRESS, 0, 0, 0, 0))
        return ""
    except OSError as error:
        tcx = error.strerror
    argv = ["tc", "qdisc", "add", "dev", "lo", "clsact"]
    environment = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"tcx: {tcx}; tc: {error}"
    return f"tcx: {tcx}; {' '.join(argv)}: {done.stderr.strip() or done.returncode}" if done.returncode else ""


def main() -> str:
    try:
        program = load()
    except OSError as error:
        return f"bpf(): {error.strerror}"
    return attach(program)


sys.exit(main() or 0)
