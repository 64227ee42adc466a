"""Keeps what must not change on the bridge: programs on every port, no routers' ports, snooping.

Others can change all of it (another CNI configuration, an administrator, a full table of groups). Netlink tells of new
ports and of filters that went, tcx tells of nothing: so it looks once a second, and at once when netlink has news.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import elf, files, hooks, loader, ports
from .enforcer import Enforcer

_LOG = logging.getLogger("multicast-policy")
_FOLDER = Path(hooks.FOLDER)
_LOOK_SECONDS, _SETTLE_SECONDS = 1.0, 0.05
# A pod's port has no record until its ADD is through.
_STRANGE_AFTER_SECONDS = 5.0
_LINKS_AND_FILTERS = 1 | 8  # RTMGRP_LINK, RTMGRP_TC of linux/rtnetlink.h


@dataclass
class Seen:
    """What the last look found, in sentences for the administrator."""

    notes: tuple[str, ...] = ()
    since: dict[str, float] = field(default_factory=dict)  # by port without a record: when it was first seen


class Keeper:
    """`told` is called when what was seen has changed."""

    def __init__(self, bridge: str, enforcer: Enforcer, told: Callable[[Seen], None]) -> None:
        self._bridge, self._enforcer, self._told = bridge, enforcer, told
        self._news = threading.Event()
        self._programs: hooks.Programs | None = None
        self._old: hooks.Programs | None = None
        self._floods = 0
        self.seen = Seen()
        self.beat = time.monotonic()

    def listen(self) -> None:
        """Wake `run` on netlink's news; never returns."""
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as news:
            news.bind((0, _LINKS_AND_FILTERS))
            while True:
                try:
                    news.recv(1 << 16)
                except OSError as error:
                    if error.errno != 105:  # ENOBUFS: some were lost, and looking is what they were for
                        raise
                self._news.set()

    def run(self) -> None:
        """Never returns."""
        while True:
            self.beat = time.monotonic()
            seen = self._look()
            if seen.notes != self.seen.notes:
                self._told(seen)
            self.seen = seen
            if self._news.wait(_LOOK_SECONDS):
                time.sleep(_SETTLE_SECONDS)  # a pod's start is many of them
                self._news.clear()

    def _look(self) -> Seen:
        notes: list[str] = []
        here = sorted(ports.on_bridge(self._bridge))
        try:
            self._give(self._current(), here, notes)
            ports.close_routers(here)
            if not ports.snoops(self._bridge):
                self._floods += 1
                _LOG.error("snooping was off on '%s', and is on again", self._bridge)
        except (OSError, ValueError, hooks.HookError, loader.LoadError) as error:
            _LOG.error("%s", error)
            notes.append(str(error))
        if reason := files.reason(str(_FOLDER / hooks.OLDER)):
            notes.append(
                f"this kernel does not take the newest programs of the policy, and the older ones go on: {reason}"
            )
        if self._floods:
            notes.append(
                f"snooping was lost on '{self._bridge}' and put back; times since the agent began: {self._floods}"
            )
        return self._strangers(here, notes)

    def _current(self) -> hooks.Programs:
        """The programs that are pinned; loaded again when they are not."""
        if not hooks.stamp():
            _LOG.error("the pins of the policy's programs were gone: loading them again")
            data = files.read_bytes(str(_FOLDER / loader.OBJECT), files.RESTART)
            loader.ensure(data, elf.parse(data), kind=hooks.kind_in_use())
        if self._programs is None or self._programs.stamp != hooks.stamp():
            if self._old:
                self._old.close()
            # Those before are still attached here and there, and are to make room.
            self._old, self._programs = self._programs, hooks.Programs()
            self._enforcer.reopen()
        return self._programs

    def _give(self, programs: hooks.Programs, here: list[str], notes: list[str]) -> None:
        """Programs to whoever lacks them; a port that cannot be given any is locked until it can."""
        kind = hooks.kind_in_use()
        for device in hooks.without(kind, [self._bridge], hooks.BRIDGE, programs):
            _LOG.error("bridge '%s' had lost its programs", device)
            try:
                hooks.attach(kind, [device], hooks.BRIDGE, programs, self._old)
            except hooks.HookError as error:
                notes.append(f"bridge '{device}' cannot be given the policy's programs: {error}")
        known = {port.name for port in self._enforcer.outcome.bound.values()}
        tunnels = [device for device in here if hooks.of(device) == hooks.TUNNEL]
        for device in hooks.without(kind, tunnels, hooks.TUNNEL, programs):
            _LOG.error("tunnel '%s' had lost its programs", device)
            hooks.attach(kind, [device], hooks.TUNNEL, programs, self._old)
        pods = [device for device in here if device not in tunnels]
        for device in hooks.without(kind, pods, hooks.POD, programs):
            try:
                hooks.attach(kind, [device], hooks.POD, programs, self._old)
            except hooks.HookError as error:
                if device in ports.on_bridge(self._bridge):
                    ports.lock(device)
                    notes.append(f"port '{device}' is locked, since it cannot be given the policy's programs: {error}")
                continue
            # A new one is on its way through ADD, most of the time.
            _LOG.log(logging.WARNING if device in known else logging.DEBUG, "port '%s' had no programs", device)
            ports.unlock(device)

    def _strangers(self, here: list[str], notes: list[str]) -> Seen:
        """Ports that no pod of the pod network has: they stay closed for groups, and are told."""
        now, outcome = time.monotonic(), self._enforcer.outcome
        bound = {port.name for port in outcome.bound.values()} | {one.device for one in outcome.tunnels.values()}
        # Before there is a policy all ports would be strangers.
        unknown = [name for name in here if name not in bound] if outcome.updates else []
        since = {name: self.seen.since.get(name, now) for name in unknown}
        for name in sorted(name for name, first in since.items() if now - first >= _STRANGE_AFTER_SECONDS):
            notes.append(f"port '{name}' of '{self._bridge}' is no pod's of the pod network: it is closed for groups")
        return Seen(tuple(notes), since)
