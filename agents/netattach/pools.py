"""whereabouts' pools in the cluster, whose addresses all nodes share: what is taken, by whom, and giving it back.

whereabouts, pkg/storage/kubernetes/ipam.go: an IPPool for each range, in it an allocation for each address by
its place in the range; beside each an OverlappingRangeIPReservation with the address for a name. Whose node an
allocation is they do not say, so the node itself notes it in that reservation: its name as a label, and the container,
which the plug-in leaves empty. A note holds as long as the allocation is that container's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from .api import Api
from .errors import API_REFUSED, TRY_AGAIN, Away, CniError
from .tenants import Json, at

NODE = "mcastlab.io/node"
GIVEN_BY = "mcastlab.io/given-by"  # host-local, where the allocation is but put down after it
_GROUP = "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/kube-system"
_POOLS, _NOTES = f"{_GROUP}/ippools", f"{_GROUP}/overlappingrangeipreservations"
_ANSWER_SECONDS = 3.0
_WRITER = "whereabouts"  # the DaemonSet that writes its credentials

Address = IPv4Address | IPv6Address
Range = IPv4Network | IPv6Network


class Note:
    """A reservation: whose it is, by the node's own word, and empty texts where no node has said so."""

    def __init__(self, found: Json) -> None:
        metadata, spec = at(found, "metadata"), at(found, "spec")
        self.name = str(metadata.get("name"))
        self.version = str(metadata.get("resourceVersion"))
        self.node = str(at(found, "metadata", "labels").get(NODE) or "")
        self.container = str(spec.get("containerid") or "")
        self.by_host_local = GIVEN_BY in at(found, "metadata", "labels")


class Taken:
    """An allocation: an address of a pool, and the container, pod and interface that have it."""

    def __init__(self, pool: Pool, key: str, entry: Json) -> None:
        self.pool = pool
        self.key = key
        self.address = pool.first + int(key)
        self.container, self.pod, self.ifname = (str(entry.get(name) or "") for name in ("id", "podref", "ifname"))
        self.note: Note | None = None

    def __str__(self) -> str:
        return f"{self.address} of pool '{self.pool.name}'"

    @property
    def node(self) -> str:
        """The node that says the container is its own; empty where none does."""
        return self.note.node if self.note and self.note.container == self.container else ""

    @property
    def note_name(self) -> str:
        return self.pool.note_name(self.address)


class Pool:
    """An IPPool; ValueError where it is none."""

    def __init__(self, found: Json) -> None:
        spec = at(found, "spec")
        self.name = str(at(found, "metadata").get("name"))
        self.range: Range = ip_network(str(spec.get("range")))
        self.first: Address = self.range[0]
        entries = at(spec, "allocations")
        self.taken = [Taken(self, key, at(entries, key)) for key in entries if key.isdecimal()]

    def note_name(self, address: Address) -> str:
        """What whereabouts calls the reservation of an address; a `network_name` is before it, as before the pool's."""
        prefix = self.name.removesuffix(pool_name(str(self.range)))
        return prefix + pool_name(str(address))


class Pools:
    """All of them, by the credentials in the file `kubeconfig`; every call raises CniError where the server does not
    answer or refuses."""

    def __init__(self, kubeconfig: str, seconds: float = _ANSWER_SECONDS) -> None:
        self.kubeconfig = kubeconfig
        self._api = Api(kubeconfig, seconds, _WRITER)

    @property
    def there(self) -> bool:
        """Whether this node shares addresses at all."""
        return os.path.exists(self.kubeconfig)

    def survey(self) -> tuple[list[Pool], dict[str, Note]]:
        """The pools, each allocation with its note, and all notes by name."""
        pools = []
        for found in self._items(_POOLS):
            try:
                pools.append(Pool(found))
            except ValueError:
                continue  # nothing that whereabouts writes, and nothing it could read
        notes = {note.name: note for note in map(Note, self._items(_NOTES))}
        for taken in [one for pool in pools for one in pool.taken]:
            taken.note = notes.get(taken.note_name)
        return pools, notes

    def note(self, taken: Taken, node: str, *, by_host_local: bool = False) -> bool:
        """Say that the allocation is of `node`; whether that was written, for somebody else may have been first."""
        labels = {NODE: node, **({GIVEN_BY: "host-local"} if by_host_local else {})}
        metadata: Json = {"name": taken.note_name, "labels": labels}
        spec = {"podref": taken.pod, "ifname": taken.ifname, "containerid": taken.container}
        if taken.note is None:
            made = {**_kind("OverlappingRangeIPReservation", metadata), "spec": spec}
            status, _ = self._api.call("POST", _NOTES, made)
        else:
            metadata["resourceVersion"] = taken.note.version
            path = f"{_NOTES}/{taken.note_name}"
            status, _ = self._api.call("PATCH", path, {"metadata": metadata, "spec": spec}, kind="merge-patch+json")
        return status < 300

    def free(self, taken: Taken) -> bool:
        """Give an allocation back, if it is still that container's; whether it was, and is free now."""
        path = f"/spec/allocations/{taken.key}"
        test: Json = {"op": "test", "path": f"{path}/id", "value": taken.container}
        status = self._patch(taken.pool.name, [test, {"op": "remove", "path": path}])
        if status < 300 and taken.note:
            self.forget(taken.note)
        return status < 300

    def forget(self, note: Note) -> bool:
        """Delete a reservation, if it is as it was seen."""
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": note.version}}
        return self._api.call("DELETE", f"{_NOTES}/{note.name}", body)[0] < 300

    def make(self, subnet: str) -> None:
        """The pool of a range, where there is none yet."""
        spec = {"range": subnet, "allocations": {}}
        self._api.call("POST", _POOLS, {**_kind("IPPool", {"name": pool_name(subnet)}), "spec": spec})

    def take(self, pool: Pool, address: Address, container: str, pod: str, ifname: str) -> Taken | None:
        """Put an address down as taken; None where it has been meanwhile."""
        key, entry = str(int(address) - int(pool.first)), {"id": container, "podref": pod, "ifname": ifname}
        path = f"/spec/allocations/{key}"
        # whereabouts' own way: what is not there is null to a test.
        steps: list[Json] = [{"op": "test", "path": path, "value": None}, {"op": "add", "path": path, "value": entry}]
        return Taken(pool, key, dict(entry)) if self._patch(pool.name, steps) < 300 else None

    def _items(self, path: str) -> list[Json]:
        items = self._api.call("GET", path)[1].get("items")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    def _patch(self, name: str, steps: list[Json]) -> int:
        return self._api.call("PATCH", f"{_POOLS}/{name}", steps, kind="json-patch+json")[0]

    def answer(self) -> None:
        """Raise CniError where the API server does not answer; its refusal is an answer."""
        self._api.call("GET", "/readyz")


def must_answer(kubeconfig: str) -> None:
    """Raise Away where whereabouts could not give an address back: it tries for a minute, then says it has."""
    try:
        Pools(kubeconfig).answer()
    except CniError as error:
        if error.code != API_REFUSED:
            raise Away(TRY_AGAIN, f"its address is kept by whereabouts, and {error.msg}", error.details) from error


def pool_name(text: str) -> str:
    """An address or a range as whereabouts has it in names."""
    return f"{text}0".replace(":", "-") if text.endswith(":") else text.replace(":", "-").replace("/", "-")


def of_pools(path: str, pools: list[Pool]) -> list[tuple[Pool, Address]]:
    """The pools that the address is of for which host-local has the file `path`, with the address."""
    return [(pool, address) for pool in pools if (address := within(path, [pool.range]))]


def within(path: str, ranges: Sequence[Range]) -> Address | None:
    """The address for which host-local has the file `path`, if it is of one of the ranges."""
    try:
        address = ip_address(path.rpartition("/")[2])
    except ValueError:
        return None
    return address if any(address in one for one in ranges) else None


def _kind(kind: str, metadata: Json) -> Json:
    return {"apiVersion": "whereabouts.cni.cncf.io/v1alpha1", "kind": kind, "metadata": metadata}
