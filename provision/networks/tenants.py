"""The tenants' policy of a lab: as nodes and the API server get it, and asked about networks that are there.

What a network may be stands in agents/netattach/tenants.py, which runs on nodes; this takes it from there.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

from provision.cluster.api import Kube, NetworkAttachment
from provision.config import Lab
from provision.core.paths import ROOT
from provision.networks.manifests import networks, pools

_PACKAGE = "mcastlab_netattach"
# Networks that are none of the lab's, and whose names are taken all the same: on each node's disk.
_ON_NODES = ("pods", "netattach", "multus")
# Makes the lab's networks in enabled namespaces, as they were rendered: a policy of its own narrows it.
_CONTROLLER = "system:serviceaccount:mcastlab-system:multicast-controller"


def policy(lab: Lab) -> dict[str, Any]:
    """What the lab's nodes and its API server are told, in agents/netattach's form."""
    tenants = lab.tenants
    return {
        "networks": [*dict.fromkeys(network.name for network in lab.networks), *_ON_NODES],
        "masters": sorted({network.master for network in lab.networks}),
        "own": {manifest["metadata"]["name"]: manifest["spec"]["config"] for manifest in networks(lab)},
        "administrators": {
            "users": [*tenants.administrators.users, _CONTROLLER],
            "groups": list(tenants.administrators.groups),
        },
        "limits": tenants.limits.model_dump(),
        **({"pools": True} if pools(lab) else {}),
        "tenants": {
            tenant.namespace: {
                "ranges": [str(subnet) for subnet in tenant.ranges],
                "types": list(tenant.types),
                "masters": list(tenant.masters),
                "options": list(tenant.options),
            }
            for tenant in tenants.namespaces
        },
    }


def summary(lab: Lab) -> dict[str, Any]:
    """Who is trusted, and what tenants' networks may be, for people."""
    known, grant = _module("tenants"), _module("tenants").Grant(policy(lab), "")
    first = ", ".join(f"{kind} on {' or '.join(grant.masters[kind])}" for kind in grant.first())
    following, ipam = (
        ", ".join(dict.fromkeys(kind.partition("/")[0] for kind in choice))
        for choice in (grant.following(), grant.ipam())
    )
    return {
        "label": known.LABEL,
        "administrators": lab.tenants.administrators.model_dump(mode="json"),
        "everybody": f"{first}; then {following}; addresses by {ipam}, of the namespace's own ranges",
        "namespaces": [tenant.model_dump(mode="json") for tenant in lab.tenants.namespaces],
    }


def admission(lab: Lab) -> list[dict[str, Any]]:
    """The ValidatingAdmissionPolicy and its binding."""
    found: list[dict[str, Any]] = _module("admission").manifests(policy(lab))
    return found


def refusals(lab: Lab, found: Sequence[NetworkAttachment]) -> list[str]:
    """One sentence for each network that a tenant of its namespace may not have."""
    judge, given = _module("judge"), policy(lab)
    told = []
    for network in found:
        try:
            judge.judge(network.config, network.name, _module("tenants").Grant(given, network.namespace))
        except judge.Refused as refused:
            told.append(f"Network '{network.namespace}/{network.name}': {refused}")
    return told


def label() -> str:
    """The label by which tenants' networks are told from administrators'."""
    return str(_module("tenants").LABEL)


def name() -> str:
    """The admission policy's name, and its binding's."""
    return str(_module("tenants").ADMISSION)


def in_force(kube: Kube) -> bool:
    """Whether the cluster has the admission policy and its binding, as netattach wants them for its trust."""
    kinds = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    found = [kube.find(f"/apis/admissionregistration.k8s.io/v1/{kind}/{name()}") or {} for kind in kinds]
    return bool(_module("tenants").stands(*(item.get("spec", {}) for item in found)))


@cache
def _module(name: str) -> ModuleType:
    """A module of agents/netattach, which is no part of this package: it runs on nodes as it stands there."""
    if _PACKAGE not in sys.modules:
        folder = ROOT / "agents" / "netattach"
        spec = importlib.util.spec_from_file_location(
            _PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None:
            raise ImportError(f"{folder} is no package")
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{_PACKAGE}.{name}")
