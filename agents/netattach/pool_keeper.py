"""whereabouts' pools, looked at by each node: what its own containers have is noted as its own, and given back once
they are gone. One node of the cluster also gives back what nobody else can: what nodes had that are no more, and what
pods had that went before their node could note it.

What host-local gave to pods that run is put down in the pools, so that the first worker of a lab renumbers nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from .errors import CniError
from .kubelet import Kubelet
from .pools import Note, Pools, Taken
from .request import Pod
from .reserve import reserve

_CLUSTER_SECONDS = 60.0  # what the cluster has is asked no more often


class PoolKeeper:
    """`node` is this one's name in the cluster; `cluster` sees all nodes and pods, on the one that has the duty."""

    def __init__(self, pools: Pools, node: str, grace: float, cluster: Kubelet | None = None) -> None:
        self._pools = pools
        self._node = node
        self._grace = grace
        self._cluster = cluster
        self._asked: float | None = None
        self._nodes: set[str] | None = None
        self._pods: set[str] | None = None
        self._since: dict[tuple[str, str], float] = {}  # reservation and container to when it was first seen stale
        self._unnoted: set[tuple[str, str]] = set()  # allocations that had no reservation at the last look
        self._twice: set[str] = set()
        self._why = ""

    def look(self, now: float, alive: set[str], held: Mapping[str, list[str]], pods: Mapping[str, Pod]) -> list[str]:
        """What was done at `now`, in sentences. `alive` are the containers that this node has, or still is to detach;
        `held` are host-local's files by container, `pods` whose pods containers are."""
        if not self._pools.there:
            return []
        try:
            done = self._look(now, alive, held, pods)
            self._why = ""
            return done
        except CniError as error:
            if str(error) != self._why:
                print(f"The pools of whereabouts are not looked at meanwhile: {error}", file=sys.stderr, flush=True)
            self._why = str(error)
            return []

    def _look(self, now: float, alive: set[str], held: Mapping[str, list[str]], pods: Mapping[str, Pod]) -> list[str]:
        pools, notes = self._pools.survey()
        running = {one: paths for one, paths in held.items() if one in alive}
        _, clashes = reserve(self._pools, pools, running, pods, self._node)
        done = sorted(clashes - self._twice)
        self._twice = clashes
        files = {path.rpartition("/")[2] for paths in held.values() for path in paths}
        taken = [one for pool in pools for one in pool.taken if not self._followed(one, alive, files)]
        self._note([one for one in taken if one.container in alive])
        if self._cluster:
            self._ask(self._cluster, now, taken)
        stale = {(one.note_name, one.container): one for one in taken if one.container not in alive and self._gone(one)}
        names = {one.note_name for one in taken}
        lost = {(one.name, one.version): one for one in notes.values() if one.name not in names and self._lost(one)}
        self._since = {key: self._since.get(key, now) for key in [*stale, *lost]}
        due = {key for key, since in self._since.items() if now - since >= self._grace}
        done += [self._told(one) for key, one in stale.items() if key in due and self._pools.free(one)]
        for key, note in lost.items():
            if key in due:
                self._pools.forget(note)
        return done

    def _followed(self, one: Taken, alive: set[str], files: set[str]) -> bool:
        """Whether an allocation was but put down after host-local's file, and has gone with it."""
        after = one.node == self._node and one.note is not None and one.note.by_host_local
        return after and one.container not in alive and str(one.address) not in files and self._pools.free(one)

    def _note(self, own: list[Taken]) -> None:
        """Note what is this node's own. A reservation that is not there yet is whereabouts' to make, which would fail
        if it came second; so it is made only for an allocation that goes without for two looks."""
        without = {(one.note_name, one.container) for one in own if one.note is None}
        for one in own:
            waits = one.note is None and (one.note_name, one.container) not in self._unnoted
            if one.node != self._node and not waits:
                self._pools.note(one, self._node)
        self._unnoted = without

    def _ask(self, cluster: Kubelet, now: float, taken: list[Taken]) -> None:
        """See which nodes there are, and which pods where that is needed; None where the server does not say."""
        if self._asked is not None and now - self._asked < min(_CLUSTER_SECONDS, self._grace):
            return
        self._asked = now
        self._nodes = cluster.nodes()
        self._pods = cluster.pods() if any(not one.node for one in taken) else None

    def _gone(self, one: Taken) -> bool:
        """Whether an allocation, whose container this node does not have, is this node's to give back."""
        if one.node:
            return one.node == self._node or self._left(one.node)
        return self._pods is not None and one.pod not in self._pods

    def _lost(self, note: Note) -> bool:
        """Whether a reservation without an allocation is this node's to delete."""
        return note.node == self._node or (self._cluster is not None and (not note.node or self._left(note.node)))

    def _left(self, node: str) -> bool:
        return self._nodes is not None and node not in self._nodes

    def _told(self, one: Taken) -> str:
        if one.node == self._node:
            return f"Freed {one}: pod '{one.pod}' had it in container {one.container[:12]}, which is gone"
        where = f" on node '{one.node}', which the cluster no longer has" if one.node else ", which is gone"
        return f"Freed {one}: pod '{one.pod}' had it{where}"
