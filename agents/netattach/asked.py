"""The addresses that a pod asks for, `ips` and `mac`: handed on to its plug-ins, and looked for in the result.

A plug-in that declares the capability gets them by it. To the others they go as CNI_ARGS (`IP`, `MAC`), which macvlan,
tuning, static and host-local read without declaring anything, as users of Multus know it. Some plug-ins pass over what
they do not know, so the result decides.
"""

from __future__ import annotations

from ipaddress import ip_interface

from .errors import INVALID_CONFIG, CniError
from .network import Network
from .results import Result, items, sandbox_interface

_ARGUMENTS = {"ips": "IP", "mac": "MAC"}


def arguments(network: Network, wanted: dict[str, object]) -> str:
    """What of `wanted` no plug-in of the network has a capability for, as CNI_ARGS."""
    found = []
    for key, name in _ARGUMENTS.items():
        value = wanted.get(key)
        if value and not network.capable(key):
            found.append(f"{name}={','.join(str(item) for item in value) if isinstance(value, list) else value}")
    return ";".join(found)


def insist(title: str, network: Network, wanted: dict[str, object], result: Result) -> None:
    """Raise CniError 7 where the result lacks an address that was asked for; of a MAC it may tell nothing."""
    given = {str(ip_interface(str(item["address"])).ip) for item in items(result, "ips") if item.get("address")}
    asked = wanted.get("ips")
    for address in asked if isinstance(asked, list) else []:
        if str(ip_interface(str(address)).ip) not in given:
            raise _lacking(title, network, "ips", str(address), "static, host-local")
    inside = sandbox_interface(result)
    mac = str(inside[1].get("mac") or "") if inside else ""
    if wanted.get("mac") and mac and mac.lower() != str(wanted["mac"]).lower().replace("-", ":"):
        raise _lacking(title, network, "mac", str(wanted["mac"]), "macvlan, tuning")


def _lacking(title: str, network: Network, key: str, value: str, takers: str) -> CniError:
    kinds = []
    for plugin in network.plugins:
        ipam = plugin.get("ipam")
        kinds += [str(plugin["type"]), *([str(ipam["type"])] if isinstance(ipam, dict) and ipam.get("type") else [])]
    return CniError(
        INVALID_CONFIG,
        f'the network "{title}" did not give the pod {value}, which its "{key}" asks for',
        f"none of its plug-ins ({', '.join(kinds)}) took it: {takers} do, and those that declare "
        f'{{"capabilities": {{"{key}": true}}}}',
    )
