"""The list of checks: reading it tells what a lab is proved to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from provision.checks import (
    cluster_dns,
    host_network_pod,
    host_to_host,
    networks_present,
    nodes_ready,
    pod_to_pod_macvlan,
    source_to_pod,
    system_pods_ready,
)
from provision.checks.context import Bench
from provision.checks.result import Outcome
from provision.errors import InputError, McastlabError, Problems


@dataclass(frozen=True)
class Check:
    """A named proof; `summary` is one line for `mcastlab check --list`.

    One that `prepares` makes what it needs first and then waits for the bench's start by itself.
    """

    name: str
    summary: str
    run: Callable[[Bench], Outcome]
    prepares: bool = False


CHECKS: tuple[Check, ...] = (
    Check("nodes-ready", "every host that should be a node is one, and is Ready", nodes_ready.run),
    Check("system-pods-ready", "every pod of kube-system runs and is ready", system_pods_ready.run),
    Check(
        "cluster-dns", "a pod resolves kubernetes.default.svc through the DNS service's address", cluster_dns.run, True
    ),
    Check("networks-present", "every NetworkAttachmentDefinition is there and as rendered", networks_present.run),
    Check("host-to-host", "the node receives multicast from the source host", host_to_host.run, True),
    Check(
        "source-to-pod", "a pod receives multicast from the source host by macvlan: the seed", source_to_pod.run, True
    ),
    Check("pod-to-pod-macvlan", "a pod receives multicast from another pod by macvlan", pod_to_pod_macvlan.run, True),
    Check(
        "host-network-pod",
        "a pod with its node's network receives multicast from the source host",
        host_network_pod.run,
        prepares=True,
    ),
)


def select(names: Sequence[str]) -> list[Check]:
    """The checks `names` in the registry's order, all of them if there are none; raises InputError or Problems."""
    known = [check.name for check in CHECKS]
    unknown: list[McastlabError] = [_unknown(name, known) for name in dict.fromkeys(names) if name not in known]
    if len(unknown) == 1:
        raise unknown[0]
    if unknown:
        raise Problems(unknown)
    return [check for check in CHECKS if not names or check.name in names]


def _unknown(name: str, known: Sequence[str]) -> InputError:
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    return InputError(f"There is no check '{name}'", remedy=f"Nearest: '{near[0]}'; `mcastlab check --list` shows all")
