"""What host-local gave to pods, put down in whereabouts' pools: a lab that gets its first worker renumbers nobody.

    netattach reserve [--wait SECONDS] RANGE…
    netattach reserve --to-host-local

Run by the role before networks change their plug-in; the reconciler does the same for what comes in between. Pods
that run keep host-local's file until their end; the pool's allocation is freed as any other whose container is gone.
The second form is the way back, for a lab that loses its last worker.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from ipaddress import ip_network

from . import leases
from .errors import TRY_AGAIN, CniError
from .pools import Pool, Pools, of_pools, within
from .request import Pod
from .results import pod_addresses
from .settings import Settings, from_json
from .store import Store

_PAUSE = 0.5


def reserve(
    api: Pools, pools: list[Pool], held: Mapping[str, list[str]], pods: Mapping[str, Pod], node: str
) -> tuple[list[str], set[str]]:
    """Put down in the pools what host-local gave to containers of `node`: what was, and what somebody else has."""
    told, clashes = [], set()
    for container, paths in sorted(held.items()):
        for path in paths:
            network = path.split("/")[-2]
            for pool, address in of_pools(path, pools):
                there = next((one for one in pool.taken if one.address == address), None)
                pod, ifname = str(pods.get(container, "")), leases.interface(path)
                if there is None and (made := api.take(pool, address, container, pod, ifname)):
                    pool.taken.append(made)
                    api.note(made, node, by_host_local=True)
                    told.append(f"Reserved {address} in pool '{pool.name}': host-local of network '{network}' gave it")
                elif there is not None and there.container != container:
                    clashes.add(
                        f"Two have {there}: pod '{there.pod}' by whereabouts, "
                        f"and container {container[:12]} by host-local of network '{network}'"
                    )
    return told, clashes


def main(words: list[str]) -> int:
    """The role's program; it says what it has reserved. 1 where the API server cannot be told."""
    wanted = _arguments().parse_args(words)
    settings = Settings(wanted.set)
    if wanted.to_host_local:
        return _to_host_local(settings)
    held, faults = leases.holders(settings.leases_dir)
    ranges = [ip_network(one) for one in wanted.ranges]
    mine = {one: found for one, paths in held.items() if (found := [path for path in paths if within(path, ranges)])}
    for fault in faults:
        print(f"Passed over: {fault}", file=sys.stderr)
    if not mine:
        return 0
    store, deadline = Store(settings.cache_dir), time.monotonic() + wanted.wait
    store.prepare()
    pods = {record.container_id: record.pod for record in store.records() if record.pod}
    while True:
        try:
            return _put_down(Pools(settings.pools_kubeconfig), wanted.ranges, mine, pods)
        except CniError as error:
            if time.monotonic() >= deadline:
                print(f"What host-local gave is not in whereabouts' pools yet: {error}", file=sys.stderr)
                return 1
            time.sleep(_PAUSE)


def _to_host_local(settings: Settings) -> int:
    """Have host-local hold what pods of this node have of whereabouts. No DEL of theirs gives that back: the reconciler
    does, as what no record knows."""
    store = Store(settings.cache_dir)
    store.prepare()
    for record in store.records():
        for one in [one for one in record.attachments if one.network.shares_addresses]:
            for address in (own.partition("/")[0] for own in pod_addresses(one.newest_result())):
                path = f"{settings.leases_dir}/{one.network.name}/{address}"
                if leases.take(path, record.container_id, one.ifname):
                    print(f"Reserved {address} of network '{one.network.name}' by host-local: whereabouts gave it")
    return 0


def _put_down(api: Pools, ranges: list[str], held: Mapping[str, list[str]], pods: Mapping[str, Pod]) -> int:
    for subnet in ranges:
        api.make(subnet)
    found = api.survey()[0]
    if missing := [one for one in ranges if ip_network(one) not in [pool.range for pool in found]]:
        raise CniError(TRY_AGAIN, f"the cluster has no pool of {', '.join(missing)}, and takes none yet")
    told, clashes = reserve(api, found, held, pods, os.uname().nodename)
    for text in told:
        print(text)
    for text in sorted(clashes):
        print(text, file=sys.stderr)
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="netattach reserve")
    parser.add_argument("--wait", type=float, default=0.0)
    parser.add_argument("--set", type=from_json, default={})
    parser.add_argument("--to-host-local", action="store_true")
    parser.add_argument("ranges", nargs="*")
    return parser
