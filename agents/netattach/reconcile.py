"""Attachments made good by a unit of the node's own, whichever meta-plug-in made them: what they left behind is freed,
what pods have lost is told (watch), and repaired where that is asked for.

    netattach reconcile [--grace SECONDS] [--every SECONDS] [--once] [--kubeconfig FILE] [--cluster FILE] [--repair]
                        -- CTR…

CTR… is containerd's `ctr` with its options (runtime). A record of netattach's or of
Multus', or an address that host-local holds, is stale once its container has been unknown, and its network namespace
gone, for the grace: an ADD that failed is never taken back by the runtime, nor is what a power cut left. Records get
their DEL, again and again with growing pauses where it fails; addresses that no record knows are given back.
What is damaged is told and passed over, and nothing of its container is freed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

from . import leases, multus_cache
from .context import detach, runner, settle
from .errors import CniError, Damaged
from .kubelet import Kubelet
from .pool_keeper import PoolKeeper
from .pools import Pools
from .repair import Repair
from .request import FIRST_INTERFACE, Pod
from .runtime import Runtime, Unknown
from .settings import Settings, from_json
from .store import Record, Store
from .watch import Watch

_LONGEST_PAUSE = 600.0
_API_SECONDS = 2.0


class Reconciler:
    """One node; `known` gives the ids of the runtime's containers, `say` is told a sentence for all that is freed.

    `cluster` sees all of the cluster, on the one node that frees in its pools what no other can (pool_keeper).
    """

    def __init__(
        self,
        settings: Settings,
        known: Callable[[], set[str]],
        say: Callable[[str], None],
        grace: float,
        cluster: Kubelet | None = None,
    ) -> None:
        self.settings = settings
        self.store = Store(settings.cache_dir)
        self._known = known
        self._say = say
        self._grace = grace
        self._keeper = PoolKeeper(Pools(settings.pools_kubeconfig), os.uname().nodename, grace, cluster)
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
        for record in records:
            if record.untold and record.container_id in known:
                self._tell_mirror(record)
        self._since = {one: self._since.get(one, now) for one in dead}
        self._after = {one: after for one, after in self._after.items() if one in dead}
        due = {one for one, since in self._since.items() if now - since >= self._grace}
        faults += [fault for one in sorted(due & multus) for fault in self._adopt(one)]
        done = self._news([*spoilt.values(), *faults]) + (self._free(due, held, now) if due else [])
        pods = {record.container_id: record.pod for record in records if record.pod}
        own = known | {record.container_id for record in records} | {one for one, _ in spoilt} | multus
        done += self._keeper.look(now, own, held, pods)
        for text in done:
            self._say(text)
        return done

    def _tell_mirror(self, record: Record) -> None:
        """Write the network status of a static pod to its mirror, if that is there by now."""
        from . import publish
        from .api import Api

        api = Api(self.settings.kubeconfig, _API_SECONDS)
        try:
            with self.store.lock(record.container_id, record.ifname, 0):
                fresh = self.store.load(record.container_id, record.ifname)
                if fresh and fresh.pod and publish.write_mirror_status(api, fresh.pod, fresh.attachments):
                    fresh.untold = False
                    self.store.save(fresh)
        except CniError:
            return  # another call is at work on it, or the API server is away: at the next look

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
            with self.store.lock(container_id, FIRST_INTERFACE, 0):
                record = Record(container_id, FIRST_INTERFACE, "", None)
                multus_cache.adopt(self.store, self.settings.multus_cache_dir, record)
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
            pod = fresh.pod or Pod("", fresh.container_id, "")
            failures = detach(fresh, runner(self.settings, [], fresh.container_id, "", pod), self.settings)
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


def main(words: list[str]) -> int:
    """The unit's program: look at once, then every so often, until it is ended."""
    wanted = _arguments().parse_args(words)
    settings, runtime = Settings(wanted.set), Runtime(wanted.command)
    kubelet = Kubelet(wanted.kubeconfig) if wanted.kubeconfig else None

    def say(text: str) -> None:
        print(text, flush=True)
        if kubelet:
            kubelet.tell_node(text)

    cluster = Kubelet(wanted.cluster) if wanted.cluster else None
    reconciler = Reconciler(settings, runtime.look, say, wanted.grace, cluster)
    watch = Watch(settings, runtime, kubelet)
    repair = Repair(settings, runtime, kubelet) if kubelet and wanted.repair else None
    why = ""
    while True:
        try:
            now = time.monotonic()
            reconciler.look(now)  # which looks at the runtime
            broken = watch.look()
            if repair:
                repair.step(broken, now)
            why = ""
        except (Unknown, CniError, OSError) as error:
            if str(error) != why:
                print(f"Nothing is freed or watched meanwhile: {error}", file=sys.stderr, flush=True)
            why = str(error)
        if wanted.once:
            return 1 if why else 0
        time.sleep(wanted.every)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="netattach reconcile")
    parser.add_argument("--grace", type=float, default=600.0)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--cluster", default="")
    parser.add_argument("--repair", action="store_true")
    parser.add_argument("--set", type=from_json, default={})
    parser.add_argument("command", nargs="+")
    return parser
