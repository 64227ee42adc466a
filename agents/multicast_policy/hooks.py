"""Where programs hang: at a port's or the bridge's ingress and egress, before all others that are there.

By tcx where the kernel has it (6.6), by tc's clsact elsewhere: the same programs, and tcx costs a frame half as much.
What others have behind them is asked as before, since ours end with "go on". Standard library only: the CNI plug-in
and the node's loader use it.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence

from . import bpf, files

# What the node's unit, the plug-in and the agent share. In it a bpf file system of its own, so that no pin is in
# anybody's way: a folder for each object, and the link `current` to the one that is loaded.
FOLDER = "/run/mcastlab/multicast-policy"
PINS = f"{FOLDER}/bpf/current"
# In FOLDER: by which kind of hook the programs are attached; or why the kernel takes none; or why not the newest.
KIND, REFUSED, OLDER = "hooks", "refused", "older"

POD = (("ingress", "from_pod"), ("egress", "to_pod"))
BRIDGE = (("ingress", "to_node"), ("egress", "from_node"))
TUNNEL = (("ingress", "from_tunnel"), ("egress", "to_tunnel"))
KINDS = ("tcx", "clsact")
Hooks = Sequence[tuple[str, str]]  # (way, program)

_TYPES = {"ingress": 46, "egress": 47}  # BPF_TCX_INGRESS, BPF_TCX_EGRESS
_ATTACH, _DETACH, _QUERY, _REPLACE, _BEFORE = 8, 9, 16, 1 << 2, 1 << 3
_SECONDS = 20


class HookError(Exception):
    """A program cannot be attached; the message says where, and what the kernel or tc said."""


def kind_in_use() -> str:
    """By which kind of hook the node's unit has attached the programs; raises OSError or files.Damaged."""
    path = f"{FOLDER}/{KIND}"
    kind = files.read_text(path, files.RESTART)
    if kind not in KINDS:
        raise files.Damaged(path, "names no kind of hook", files.RESTART)
    return kind


class Programs:
    """The pinned programs by name: their descriptors, and the numbers that the kernel gave them."""

    def __init__(self, pins: str = PINS) -> None:
        self.pins = os.path.realpath(pins)
        self.stamp = stamp(pins)
        self.fds = {name: bpf.get(f"{self.pins}/{name}") for _, name in (*POD, *BRIDGE, *TUNNEL)}
        self.ids = {name: bpf.identity(fd) for name, fd in self.fds.items()}

    def close(self) -> None:
        for fd in self.fds.values():
            os.close(fd)


def stamp(pins: str = PINS) -> int:
    """Another number once other programs are pinned there, and 0 when there are none."""
    try:
        return os.stat(f"{pins}/from_pod").st_ino  # noqa: PTH116
    except FileNotFoundError:
        return 0


def of(port: str) -> Hooks:
    """The hooks of a port of the bridge: VXLAN devices have a tunnel's, whoever made them, and all others a pod's."""
    try:
        with open(f"/sys/class/net/{port}/uevent") as stream:  # noqa: PTH123
            return TUNNEL if "DEVTYPE=vxlan" in stream.read().split() else POD
    except OSError:
        return POD


def attach(kind: str, devices: Iterable[str], hooks: Hooks, programs: Programs, old: Programs | None = None) -> None:
    """Give each of `devices` its programs, ahead of all others; in place of `old` ones. Raises HookError."""
    if kind == "clsact":
        _tc([line for device in devices for line in _commands(device, hooks, programs.pins)])
        return
    for device in devices:
        for way, name in hooks:
            try:
                _attach(socket.if_nametoindex(device), way, programs, name, old)
            except OSError as error:
                raise HookError(f"'{device}', {way}, '{name}': {error.strerror or error}") from error


def without(kind: str, devices: Sequence[str], hooks: Hooks, programs: Programs) -> list[str]:
    """Those of `devices` that lack one of the programs, or have it behind another; what is gone meanwhile has all."""
    if kind == "clsact":
        return _without_filters(devices, hooks, programs)
    lacking = []
    for device in devices:
        try:
            index = socket.if_nametoindex(device)
            found = [_attached(index, way)[:1] for way, _ in hooks]
        except OSError:
            continue
        if found != [[programs.ids[name]] for _, name in hooks]:
            lacking.append(device)
    return lacking


def detach(kind: str, devices: Iterable[str], hooks: Hooks, programs: Programs) -> None:
    """Take these programs away from `devices`; raises HookError or OSError. With clsact, all that hangs there goes."""
    if kind == "clsact":
        _tc([f"qdisc del dev {device} clsact" for device in devices])
        return
    for device in devices:
        for way, name in hooks:
            _tcx(_DETACH, socket.if_nametoindex(device), way, programs.fds[name])


def _tcx(command: int, index: int, way: str, fd: int, flags: int = 0, replaced: int = 0) -> None:
    doing = "attaching by tcx" if command == _ATTACH else "detaching from tcx"
    bpf.call(command, struct.pack("=IIIIIIQ", index, fd, _TYPES[way], flags, replaced, 0, 0), doing)


def _attach(index: int, way: str, programs: Programs, name: str, old: Programs | None) -> None:
    there, fd, own = _attached(index, way), programs.fds[name], programs.ids[name]
    if there[:1] == [own]:
        return
    if own in there:
        _tcx(_DETACH, index, way, fd)  # to come back at the front
    replaced = old.fds[name] if old and there[:1] == [old.ids[name]] else 0
    try:
        _tcx(_ATTACH, index, way, fd, _REPLACE if replaced else _BEFORE, replaced)
    except FileExistsError:
        # The agent and the plug-in may both do it for a new port.
        if _attached(index, way)[:1] != [own]:
            raise


def _attached(index: int, way: str) -> list[int]:
    """The numbers of the programs at a hook, in their order."""
    most = 64
    numbers = bpf.buffer(bytes(4 * most))
    given = struct.pack("=IIIIQIIQQQQ", index, _TYPES[way], 0, 0, bpf.address(numbers), most, 0, 0, 0, 0, 0)
    answer = bpf.call(_QUERY, given, "asking for programs of tcx")
    count: int = struct.unpack_from("=I", answer, 24)[0]
    return list(struct.unpack_from(f"={count}I", numbers))


def _commands(device: str, hooks: Hooks, pins: str) -> list[str]:
    """For `tc -batch`: preference 1 is the first."""
    filters = [f"filter replace dev {device} {way} pref 1 handle 1 protocol all bpf da pinned {pins}/{name}"
               for way, name in hooks]  # fmt: skip
    return [f"qdisc replace dev {device} clsact", *filters]


def _without_filters(devices: Sequence[str], hooks: Hooks, programs: Programs) -> list[str]:
    # One that is gone makes tc end: it is asked for each of them alone then. What it cannot say of one that is there,
    # that one lacks.
    try:
        lines = _tc([f"filter show dev {device} {way}" for device in devices for way, _ in hooks], "-json").splitlines()
    except HookError:
        if len(devices) == 1:
            return [device for device in devices if os.path.exists(f"/sys/class/net/{device}")]  # noqa: PTH110
        return [device for device in devices if _without_filters([device], hooks, programs)]
    found = [_first_filter(line) for line in lines]
    own, each = [programs.ids[name] for _, name in hooks], len(hooks)
    return [device for number, device in enumerate(devices) if found[number * each :][:each] != own]


def _first_filter(line: str) -> int:
    """The number of the program in a hook's first filter, 0 where it is none or of another kind."""
    filters = [item for item in json.loads(line or "[]") if "options" in item]
    first = filters[0]["options"] if filters else {}
    return int(first.get("prog", {}).get("id", 0)) if first.get("direct-action") else 0


def _tc(commands: list[str], *options: str) -> str:
    argv = ["/usr/sbin/tc", *options, "-batch", "-"]
    text = "\n".join(commands) + "\n"
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HookError(str(error)) from error
    if done.returncode:
        raise HookError(f"tc: {done.stderr.strip() or done.returncode}")
    return done.stdout


def try_out(kind: str, pins: str) -> None:
    """Attach every program to `lo` of this network namespace, and look for it; raises HookError or OSError."""
    programs = Programs(pins)
    for hooks in (POD, BRIDGE, TUNNEL):
        attach(kind, ["lo"], hooks, programs)
        if without(kind, ["lo"], hooks, programs):
            raise HookError(f"what was attached by {kind} is not there")


if __name__ == "__main__":
    try:
        try_out(*sys.argv[1:])
    except (HookError, OSError) as error:
        sys.exit(str(error))
