"""Moving the pod's default route to the attachment that asks for it (NPWG 4.1.2.1.9).

Done after all attachments, by iproute2 inside the pod's network namespace: every default route of the families
concerned goes, then the gateways asked for are set, in their order of preference. The results are changed to say the
same, for the runtime, the status and CHECK.
"""

from __future__ import annotations

import os

from .attachment import Attachment
from .delegate import spawn
from .errors import DELEGATE_FAILED, INVALID_CONFIG, CniError
from .results import DEFAULT_ROUTES, Result, default_gateways, family, items

_TIMEOUT = 10
# Linux gives an IPv6 route without a metric 1024 (IP6_RT_PRIO_USER), an IPv4 route 0.
_FIRST_METRIC = {"4": 0, "6": 1024}


def move(attachments: list[Attachment], owner: Attachment, netns: str) -> None:
    """Give the default route to `owner`, which has a `default_route`; an empty one means its own gateways."""
    gateways = owner.default_route or [*_own_gateways(owner.result or {}, "4"), *_own_gateways(owner.result or {}, "6")]
    if not gateways:
        raise CniError(
            INVALID_CONFIG,
            f'the network "{owner.title}" was given the default route, and neither names a gateway',
        )
    for version in ("4", "6"):
        wanted = [gateway for gateway in gateways if family(gateway) == version]
        if wanted:
            _set(netns, version, owner, wanted)
            for attachment in attachments:
                _clear(attachment, version, keep_gateway=attachment is owner)
            _record(owner, version, wanted)


def stay(attachment: Attachment, netns: str) -> None:
    """Take the default routes off an attachment that was not asked for them: its network may name some all the same."""
    result = attachment.result or {}
    found = [route.get("dst") for route in items(result, "routes")]
    for version in ("4", "6"):
        if DEFAULT_ROUTES[version] in found:
            # Each by its gateway: IPv6 joins routes of one metric to one with several next hops.
            lines = [
                f"route del default via {gateway} dev {attachment.ifname}" for gateway in _own_gateways(result, version)
            ]
            if err := _batch(netns, version, lines):
                raise CniError(DELEGATE_FAILED, f'the default route of "{attachment.ifname}" cannot be removed', err)
            _clear(attachment, version, keep_gateway=True)


def _own_gateways(result: Result, version: str) -> list[str]:
    """The gateways of a family that the attachment's plug-ins gave: of its default routes, or else of its addresses."""
    listed = [str(item["gateway"]) for item in items(result, "ips") if item.get("gateway")]
    routed = [gateway for gateway in default_gateways(result) if family(gateway) == version]
    return routed or [gateway for gateway in listed if family(gateway) == version]


def _set(netns: str, version: str, owner: Attachment, gateways: list[str]) -> None:
    lines = [f"route flush exact {DEFAULT_ROUTES[version]}"]
    for position, gateway in enumerate(gateways):
        metric = _FIRST_METRIC[version] + position
        lines.append(f"route add default via {gateway} dev {owner.ifname} metric {metric}")
    if err := _batch(netns, version, lines):
        _explain_off_link(owner, gateways, err)
        raise CniError(
            DELEGATE_FAILED, f'the default route via {", ".join(gateways)} cannot be set on "{owner.ifname}"', err
        )


def _explain_off_link(owner: Attachment, gateways: list[str], err: str) -> None:
    """CniError 7 where a gateway is of no subnet that the interface has: the kernel cannot send to it."""
    from ipaddress import ip_address, ip_interface

    addresses = [str(item["address"]) for item in items(owner.result or {}, "ips") if item.get("address")]
    for gateway in map(ip_address, gateways):
        if not gateway.is_link_local and not any(gateway in ip_interface(address).network for address in addresses):
            raise CniError(
                INVALID_CONFIG,
                f'the network "{owner.title}" cannot have the default route via {gateway}: it is not on the link of '
                f'"{owner.ifname}", whose addresses are {", ".join(addresses) or "none"}',
                err,
            )


def lost_cluster(attachments: list[Attachment]) -> list[str]:
    """The families whose default route left the default network while that names no other route: services are lost."""
    named, moved = set(), set()
    for attachment in attachments:
        result = attachment.result or {}
        if attachment.default:
            named |= {family(str(route.get("dst"))) for route in items(result, "routes")}
        if attachment.default_route is not None:
            moved |= {family(gateway) for gateway in default_gateways(result)}
    return [f"IPv{version}" for version in sorted(moved - named)]


def _batch(netns: str, version: str, lines: list[str]) -> str:
    """Run lines of iproute2's in the pod's network namespace; what it said against them."""
    argv = ["nsenter", f"--net={netns}", "ip", f"-{version}", "-batch", "-"]
    status, _, err = spawn(argv, dict(os.environ), "\n".join([*lines, ""]).encode(), _TIMEOUT)
    return (err.strip()[-500:] or f"ended with status {status}") if status != 0 else ""


def _clear(attachment: Attachment, version: str, *, keep_gateway: bool) -> None:
    result = attachment.result or {}
    if "routes" in result:
        result["routes"] = [r for r in items(result, "routes") if r.get("dst") != DEFAULT_ROUTES[version]]
    if not keep_gateway:
        for address in items(result, "ips"):
            if family(str(address.get("address"))) == version:
                address.pop("gateway", None)


def _record(owner: Attachment, version: str, gateways: list[str]) -> None:
    routes: list[object] = list(items(owner.result or {}, "routes"))
    routes += [{"dst": DEFAULT_ROUTES[version], "gw": gateway} for gateway in gateways]
    if owner.result is not None:
        owner.result["routes"] = routes
