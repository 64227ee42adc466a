"""What attachments left behind: freed by a unit of the node's own, whichever meta-plug-in made them.

    netattach reconcile [--grace SECONDS] [--every SECONDS] [--once] [--tell KUBECONFIG] -- COMMAND

COMMAND prints the ids of the containers that the runtime knows, sandboxes among them. A record of netattach's or of
Multus', or an address that host-local holds, is stale once its container has been unknown, and its network namespace
gone, for the grace: an ADD that failed is never taken back by the runtime, nor is what a power cut left. Records get
their DEL, again and again with growing pauses where it fails; addresses that no record knows are given back.
What is damaged is told and passed over, and nothing of its container is freed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable

from . import leases, multus_cache
from .context import detach, runner, settle
from .errors import CniError, Damaged
from .settings import Settings
from .store import Record, Store

_LONGEST_PAUSE = 600.0
_COMMAND_SECONDS = 30


class Unknown(Exception):
    """The runtime does not say which containers it has: nothing can be told stale."""


class Reconciler:
    """One node; `known` gives the ids of the runtime's containers, `say` is told a sentence for all that is freed."""

    def __init__(
        self, settings: Settings, known: Callable[[], set[str]], say: Callable[[str], None], grace: float
    ) -> None:
        self.settings = settings
        self.store = Store(settings.cache_dir)
        self._known = known
        self._say = say
        self._grace = grace
        self._since: dict[str, float] = {}  # container to the moment from which on it was seen stale
        self._faults: set[str] = set()
        self._after: dict[str, tuple[float, float]] = {}  # container to when its DEL is tried again, and the pause

    def look(self, now: float) -> list[str]:
        """Free what is stale at `now`; what was done, in sentences."""
        self.store.prepare()
        known = self._known()
        records, spoilt = self.store.survey()
        held, faults = leases.holders(self.settings.leases_dir)
        multus = multus_cache.containers(self.settings.multus_cache_dir)
        living = {record.container_id for record in records if record.netns and os.path.exists(record.netns)}
        dead = ({record.container_id for record in records} | set(held) | multus) - known - living
        dead -= {container_id for container_id, _ in spoilt}  # its pod may run: what it has, its record cannot say
        self._since = {one: self._since.get(one, now) for one in dead}
        self._after = {one: after for one, after in self._after.items() if one in dead}
        due = {one for one, since in self._since.items() if now - since >= self._grace}
        faults += [fault for one in sorted(due & multus) for fault in self._adopt(one)]
        done = self._news([*spoilt.values(), *faults]) + (self._free(due, held, now) if due else [])
        for text in done:
            self._say(text)
        return done

    def _news(self, faults: list[Damaged]) -> list[str]:
        """A sentence for each of `faults` that the last look did not find."""
        before, self._faults = self._faults, {str(fault) for fault in faults}
        return [f"Passed over, and kept as it is: {fault}" for fault in sorted(self._faults - before)]

    def _free(self, due: set[str], held: dict[str, list[str]], now: float) -> list[str]:
        done = [
            text for record in self.store.records() if record.container_id in due for text in self._delete(record, now)
        ]
        # What Multus keeps of a container that could not be adopted is a record as well.
        owned = {record.container_id for record in self.store.records()}
        owned |= multus_cache.containers(self.settings.multus_cache_dir)
        for one in sorted(due & set(held) - owned):
            done += leases.free(one, held[one])
        return done

    def _adopt(self, container_id: str) -> list[Damaged]:
        """Take what Multus kept of a container for a record of netattach's, whose DEL needs no daemon."""
        try:
            with self.store.lock(container_id, "eth0", 0):
                multus_cache.adopt(self.store, self.settings.multus_cache_dir, Record(container_id, "eth0", "", None))
        except Damaged as error:
            return [error]
        except CniError:
            return []  # another call is at work on it
        return []

    def _delete(self, record: Record, now: float) -> list[str]:
        after, _ = self._after.get(record.container_id, (0.0, 0.0))
        if now < after:
            return []
        try:
            lock = self.store.lock(record.container_id, record.ifname, 0)
        except Damaged as error:
            return self._later(record, now, [error])
        except CniError:
            return []  # another call is at work on it
        with lock:
            fresh = self.store.load(record.container_id, record.ifname)
            if fresh is None:
                return []
            titles = ", ".join(attachment.title for attachment in fresh.attachments)
            failures = detach(fresh, runner(self.settings, [], fresh.container_id, ""))
            try:
                settle(self.store, fresh)
            except CniError as error:  # a full disk: the others go on
                failures.append(error)
        if not failures:
            self._after.pop(record.container_id, None)
            return [f"Freed what {_whose(fresh)}, which is gone, had of the networks {titles}"]
        return self._later(record, now, failures)

    def _later(self, record: Record, now: float, failures: list[CniError]) -> list[str]:
        _, pause = self._after.get(record.container_id, (0.0, self._grace or 1.0))
        pause = min(2 * pause, _LONGEST_PAUSE)
        self._after[record.container_id] = (now + pause, pause)
        told = "; ".join(str(failure) for failure in failures)
        return [f"What {_whose(record)}, which is gone, had is not freed yet, next try in {pause:.0f} s: {told}"]


def _whose(record: Record) -> str:
    return f"pod '{record.pod}'" if record.pod else f"container {record.container_id[:12]}"


def containers(command: list[str]) -> set[str]:
    """What `command` prints, a container's id a line; raises Unknown where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unknown(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Unknown(f"{command[0]} ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
    return set(done.stdout.split())


def main(words: list[str]) -> int:
    """The unit's program: look at once, then every so often, until it is ended."""
    wanted = _arguments().parse_args(words)
    teller = None
    if wanted.tell:
        from .node_events import NodeEvents

        teller = NodeEvents(wanted.tell)

    def say(text: str) -> None:
        print(text, flush=True)
        if teller:
            teller.tell(text)

    reconciler = Reconciler(Settings(wanted.set), lambda: containers(wanted.command), say, wanted.grace)
    why = ""
    while True:
        try:
            reconciler.look(time.monotonic())
            why = ""
        except (Unknown, CniError, OSError) as error:
            if str(error) != why:
                print(f"Nothing is freed meanwhile: {error}", file=sys.stderr, flush=True)
            why = str(error)
        if wanted.once:
            return 1 if why else 0
        time.sleep(wanted.every)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="netattach reconcile")
    parser.add_argument("--grace", type=float, default=600.0)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--tell", default="")
    parser.add_argument("--set", type=_json, default={})
    parser.add_argument("command", nargs="+")
    return parser


def _json(text: str) -> dict[str, object]:
    import json

    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(text)
    return found
