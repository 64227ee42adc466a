"""CNI results, and their conversion between specification versions.

Up to 0.2.0 a result holds `ip4` and `ip6`; from 0.3.0 lists of interfaces, ips and routes; 1.0.0 dropped the `version`
of an address; 1.1.0 added keys to interfaces and routes. All that a result of one version cannot express is left out.
"""

from __future__ import annotations

from .errors import DECODING_FAILURE, CniError
from .versions import KNOWN, at_least

Result = dict[str, "object"]

DEFAULT_ROUTES = {"4": "0.0.0.0/0", "6": "::/0"}

_INTERFACE = ("name", "mac", "sandbox")
_INTERFACE_110 = (*_INTERFACE, "mtu", "socketPath", "pciID")
_ROUTE = ("dst", "gw")
_ROUTE_110 = (*_ROUTE, "mtu", "advmss", "priority", "table", "scope")


def items(result: Result, key: str) -> list[dict[str, object]]:
    """The list under `key` of a result, empty when it is absent or null."""
    found = result.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def convert(result: Result, version: str) -> Result:
    """`result` as a result of `version` (0.3.0 or later), whatever version it says it has.

    Raises CniError 6 when the result's own version is not known.
    """
    own = str(result.get("cniVersion") or version)
    if own not in KNOWN:
        raise CniError(DECODING_FAILURE, f'a result has CNI version "{own}", which netattach does not know')
    if own == version:
        return result
    wide = result if at_least(own, "0.3.0") else _from_02(result)
    interface_keys, route_keys = (_INTERFACE_110, _ROUTE_110) if at_least(version, "1.1.0") else (_INTERFACE, _ROUTE)
    out: Result = {"cniVersion": version}
    if items(wide, "interfaces"):
        out["interfaces"] = [_only(item, interface_keys) for item in items(wide, "interfaces")]
    if items(wide, "ips"):
        out["ips"] = [_address(item, version) for item in items(wide, "ips")]
    if items(wide, "routes"):
        out["routes"] = [_only(item, route_keys) for item in items(wide, "routes")]
    out["dns"] = wide.get("dns") or {}
    return out


def _only(item: dict[str, object], keys: tuple[str, ...]) -> dict[str, object]:
    return {key: item[key] for key in keys if key in item}


def _address(item: dict[str, object], version: str) -> dict[str, object]:
    address = _only(item, ("interface", "address", "gateway"))
    if not at_least(version, "1.0.0"):
        address["version"] = family(str(item.get("address")))
    return address


def _from_02(result: Result) -> Result:
    """A result of 0.1.0 or 0.2.0 in the form of 1.1.0: it knows addresses and routes, and no interfaces."""
    ips: list[object] = []
    routes: list[object] = []
    for key in ("ip4", "ip6"):
        family = result.get(key)
        if isinstance(family, dict):
            address = {"address": family.get("ip")}
            if family.get("gateway"):
                address["gateway"] = family["gateway"]
            ips.append(address)
            routes += items(family, "routes")
    return {"ips": ips, "routes": routes, "dns": result.get("dns") or {}}


def sandbox_interface(result: Result) -> tuple[int, dict[str, object]] | None:
    """The first interface inside the container and its index (NPWG 5.3.2.1), or None."""
    for index, interface in enumerate(items(result, "interfaces")):
        if interface.get("sandbox"):
            return index, interface
    return None


def pod_addresses(result: Result) -> list[str]:
    """The addresses of the container's own interface in CIDR form (NPWG 5.3.3.1)."""
    inside = sandbox_interface(result)
    wanted = None if inside is None else inside[0]
    found = []
    for item in items(result, "ips"):
        index = item.get("interface")
        unassigned = index is None or (isinstance(index, int) and index < 0)
        if index == wanted or (wanted is None and unassigned):
            found.append(str(item.get("address")))
    return found


def family(address: str) -> str:
    """The address family of `address`: "4" or "6"."""
    return "6" if ":" in address else "4"


def default_gateways(result: Result) -> list[str]:
    """The next hops of the default routes; a route without its own has the gateway of its family's address."""
    found = []
    for route in items(result, "routes"):
        if route.get("dst") in DEFAULT_ROUTES.values():
            of_family = [
                item["gateway"]
                for item in items(result, "ips")
                if item.get("gateway") and family(str(item["gateway"])) == family(str(route["dst"]))
            ]
            found += [route["gw"]] if route.get("gw") else of_family
    return list(dict.fromkeys(str(gateway) for gateway in found))
