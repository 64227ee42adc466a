"""The annotation `k8s.v1.cni.cncf.io/networks` in both its forms (NPWG 1.3, section 4.1)."""

from __future__ import annotations

import json
from collections.abc import Callable

from .errors import INVALID_CONFIG, CniError
from .names import INTERFACE_RULE, interface_name, mac_address, object_name
from .request import NETWORKS


class Selection:
    """One network that a pod asks for. `interface` is empty and `default_route` None where the pod does not say."""

    def __init__(self, namespace: str, name: str, interface: str = "") -> None:
        self.namespace = namespace
        self.name = name
        self.interface = interface
        self.capability_args: dict[str, object] = {}
        self.cni_args: dict[str, object] = {}
        self.default_route: list[str] | None = None
        self.passed_over: list[str] = []  # keys that say nothing to netattach

    @property
    def title(self) -> str:
        """The reference in full, as the status names it."""
        return f"{self.namespace}/{self.name}"


def parse(value: str, pod_namespace: str) -> list[Selection]:
    """The networks that the annotation's `value` selects, in its order; CniError 7 names what is wrong in it."""
    text = value.strip()
    if not text:
        return []
    if text[0] in "[{":
        selections = _parse_json(text, pod_namespace)
    else:
        selections = [_parse_short(item.strip(), pod_namespace) for item in text.split(",")]
    owners = [selection for selection in selections if selection.default_route is not None]
    if len(owners) > 1:
        raise _invalid(f'"default-route" stands on {len(owners)} networks; only one may have it')
    return selections


def _invalid(problem: str) -> CniError:
    return CniError(INVALID_CONFIG, f'the annotation "{NETWORKS}" is not valid: {problem}')


def _parse_short(item: str, pod_namespace: str) -> Selection:
    """`[namespace/]name[@interface]`"""
    reference, at, interface = item.partition("@")
    namespace, slash, name = reference.rpartition("/")
    if not slash:
        namespace = pod_namespace
    if not object_name(name) or not object_name(namespace):
        raise _invalid(f'"{item}" is not of the form [namespace/]name[@interface]')
    if at and not interface_name(interface):
        raise _invalid(f'"{item}" asks for the interface "{interface}", which is not a valid name: {INTERFACE_RULE}')
    return Selection(namespace, name, interface)


def _parse_json(text: str, pod_namespace: str) -> list[Selection]:
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise _invalid(f"it begins like JSON and is not: {error}") from error
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise _invalid("its JSON form is a list of objects")
    return [_selection(item, pod_namespace) for item in listed]


def _selection(item: dict[str, object], pod_namespace: str) -> Selection:
    name, namespace = item.get("name"), item.get("namespace") or pod_namespace
    if not isinstance(name, str) or not object_name(name):
        raise _invalid(f'an element needs the "name" of a network, not "{name}"')
    if not isinstance(namespace, str) or not object_name(namespace):
        raise _invalid(f'"namespace" of "{name}" is not a namespace: "{namespace}"')
    selection = Selection(namespace, name)
    for key, value in item.items():
        if "." in key or key in ("name", "namespace") or _is_nothing(key, value):
            continue  # keys with a period are other implementations' own
        if key not in _KEYS:
            selection.passed_over.append(key)
        elif not _KEYS[key](selection, value):
            raise _invalid(f'"{key}" of "{name}" is not valid: {json.dumps(value)}')
    if "ips" in selection.capability_args and "ipam-claim-reference" in selection.capability_args:
        raise _invalid(f'"{name}" has both "ips" and "ipam-claim-reference"')
    return selection


def _is_nothing(key: str, value: object) -> bool:
    """Whether a template left the value empty: none at all, as Multus has it. An empty default route is one."""
    return value is None or (value in ("", [], {}) and (key, value) != ("default-route", []))


def _ips(selection: Selection, value: object) -> bool:
    from ipaddress import ip_interface

    try:
        good = isinstance(value, list) and bool(value) and all(ip_interface(_text(ip)) for ip in value)
    except ValueError:
        return False
    selection.capability_args["ips"] = value
    return good


def _text(value: object) -> str:
    """`value`, when it is a string: ip_interface would take a number for an address."""
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _mac(selection: Selection, value: object) -> bool:
    selection.capability_args["mac"] = value
    if not isinstance(value, str) or not mac_address(value):
        return False
    if int(value[:2], 16) & 1 or not any(int(value[place : place + 2], 16) for place in range(0, 17, 3)):
        raise _invalid(
            f'"mac" of "{selection.name}" is {value}, which is a group\'s or nobody\'s: an interface cannot have it'
        )
    return True


def _interface(selection: Selection, value: object) -> bool:
    """By `interface`, or by `interfaceRequest`, its older name; not by both, if they differ."""
    if selection.interface not in ("", value):
        return False
    selection.interface = str(value)
    if isinstance(value, str) and not interface_name(value):
        raise _invalid(
            f'"{selection.name}" asks for the interface "{value}", which is not a valid name: {INTERFACE_RULE}'
        )
    return isinstance(value, str)


def _cni_args(selection: Selection, value: object) -> bool:
    if not isinstance(value, dict):
        return False
    selection.cni_args = value
    return True


def _default_route(selection: Selection, value: object) -> bool:
    from ipaddress import ip_address

    if not isinstance(value, list):
        return False
    try:
        selection.default_route = [str(ip_address(_text(gateway))) for gateway in value]
    except ValueError:
        return False
    return True


def _port_mappings(selection: Selection, value: object) -> bool:
    if not isinstance(value, list) or not value:
        return False
    mappings = [_port_mapping(item) for item in value]
    selection.capability_args["portMappings"] = mappings
    return all(mappings)


def _port_mapping(item: object) -> dict[str, object]:
    """The mapping as CNI's conventions have it; empty when it is not valid."""
    if not isinstance(item, dict) or not set(item) <= {"hostPort", "containerPort", "protocol"}:
        return {}
    protocol = str(item.get("protocol", "tcp")).lower()
    ports = (item.get("hostPort"), item.get("containerPort"))
    if protocol not in ("tcp", "udp", "sctp") or not all(_whole(port, 65535) for port in ports):
        return {}
    return {"hostPort": ports[0], "containerPort": ports[1], "protocol": protocol}


# What containerd gives where a pod sets a rate alone: the reference plug-in refuses a rate without a burst.
_BURST = 2**32 - 1


def _bandwidth(selection: Selection, value: object) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    known = {"ingressRate", "ingressBurst", "egressRate", "egressBurst"}
    if not set(value) <= known or not all(_whole(rate) for rate in value.values()):
        return False
    shaped = dict(value)
    for way in ("ingress", "egress"):
        if f"{way}Burst" in value and f"{way}Rate" not in value:
            return False
        if f"{way}Rate" in value:
            shaped.setdefault(f"{way}Burst", _BURST)
    selection.capability_args["bandwidth"] = shaped
    return True


def _whole(value: object, most: int | None = None) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return whole and (most is None or int(str(value)) <= most)


def _claim(selection: Selection, value: object) -> bool:
    selection.capability_args["ipam-claim-reference"] = value
    return isinstance(value, str) and object_name(value)


def _infiniband(selection: Selection, value: object) -> bool:
    raise _invalid(
        f'"infiniband-guid" of "{selection.name}" is not supported: netattach attaches Ethernet networks only'
    )


_KEYS: dict[str, Callable[[Selection, object], bool]] = {
    "ips": _ips,
    "mac": _mac,
    "interface": _interface,
    "interfaceRequest": _interface,
    "cni-args": _cni_args,
    "default-route": _default_route,
    "portMappings": _port_mappings,
    "bandwidth": _bandwidth,
    "ipam-claim-reference": _claim,
    "infiniband-guid": _infiniband,
}
