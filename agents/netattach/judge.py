"""Whether a network is one that a tenant may have, by the policy in `tenants`; what it is, written anew.

It reads as the plug-ins do: Go takes keys without regard to case, and the last of those that are alike. So what is
there twice is refused, and plug-ins get a document made of what was understood, never the tenant's own text.
"""

from __future__ import annotations

import json
import re

from .tenants import OCTETS, POOLED, TOP, Choice, Grant, Json, of_ranges


class Refused(Exception):
    """Why a network is none that a tenant may have: `key` in it, and the rule."""

    def __init__(self, key: str, rule: str) -> None:
        super().__init__(f'"{key}": {rule}')


def judge(text: str, name: str, grant: Grant) -> Json:
    """The network in `text` of the NetworkAttachmentDefinition `name`; raises Refused.

    All of a namespace's networks share one CNI name, by which host-local counts: no address is given twice.
    """
    if not text.strip():
        raise Refused("config", "a tenant's network has one; files on nodes are the administrator's")
    if len(text.encode(errors="replace")) > OCTETS:
        raise Refused("config", f"longer than {OCTETS} octets")
    found = _read(text)
    chain = _key(found, "plugins")
    listed = _plugins(found.pop(chain), grant) if chain else []
    top = {} if chain else _form(found, grant.first(), "")
    whole = _object(found, {**TOP, **top}, "")
    for title in (name, str(whole.get("name", name))):
        if title in grant.reserved:
            raise Refused("name", f'"{title}" is a network of the lab\'s own')
    first = listed[0] if chain else whole
    _master(first, grant)
    _addresses(first.get("ipam"), grant.ranges)
    return {**whole, **({"plugins": listed} if chain else {}), "name": f"tenant.{grant.namespace}"}


def _read(text: str) -> Json:
    try:
        found = json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except RecursionError:
        raise Refused("config", "nested too deeply") from None
    except ValueError as error:
        raise Refused("config", f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused("config", "not a JSON object")
    return found


def _pairs(pairs: list[tuple[str, object]]) -> Json:
    seen: set[str] = set()
    for key, _ in pairs:
        if key.casefold() in seen:
            raise Refused(key, "it is there twice; capitals make no difference to plug-ins")
        seen.add(key.casefold())
    return dict(pairs)


def _constant(text: str) -> object:
    raise ValueError(f"{text} is no value")


def _key(value: Json, wanted: str) -> str:
    """The key of `value` that Go would take for `wanted`; empty where there is none."""
    return next((key for key in value if key.casefold() == wanted.casefold()), "")


def _plugins(listed: object, grant: Grant) -> list[Json]:
    if not isinstance(listed, list) or not listed:
        raise Refused("plugins", "a list of at least one plug-in belongs here")
    kinds = [grant.first(), *[grant.following()] * (len(listed) - 1)]
    pairs = enumerate(zip(listed, kinds, strict=True))
    return [_chosen(item, kind, f"plugins[{place}]") for place, (item, kind) in pairs]


def _checked(value: object, schema: object, path: str) -> object:
    """`value` as `schema` has it, with keys as that spells them; raises Refused at the first thing that it has not."""
    if isinstance(schema, Choice):
        return _chosen(value, schema, path)
    if isinstance(schema, dict):
        return _object(value, schema, path)
    if isinstance(schema, list):
        if not isinstance(value, list):
            raise Refused(path, "a list belongs here")
        return [_checked(item, schema[0], f"{path}[{place}]") for place, item in enumerate(value)]
    if not re.fullmatch(str(schema), _token(value)):
        raise Refused(path, f"the value {_token(value)[:60]} is not allowed")
    return value


def _token(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _chosen(value: object, choice: Choice, path: str) -> Json:
    return _object(value, _form(value, choice, path), path)


def _form(value: object, choice: Choice, path: str) -> Json:
    """The schema of the object `value` by its type."""
    found = value if isinstance(value, dict) else {}
    kind = found.get(_key(found, "type"))
    form = f"{kind}/ranges" if _key(found, "ranges") and f"{kind}/ranges" in choice else str(kind)
    if not isinstance(kind, str) or "/" in kind or form not in choice:
        known = ", ".join(dict.fromkeys(one.partition("/")[0] for one in choice)) or "none"
        raise Refused(f"{path}.type".lstrip("."), f"{_token(kind)[:60]} may not stand here; allowed: {known}")
    return {"type": re.escape(f'"{kind}"'), **choice[form]}


def _object(value: object, schema: Json, path: str) -> Json:
    if not isinstance(value, dict):
        raise Refused(path, "an object belongs here")
    named = {key.casefold(): key for key in schema if not key.startswith('"')}
    pattern = next((key for key in schema if key.startswith('"')), None)
    out: Json = {}
    for written, inner in value.items():
        key, here = named.get(written.casefold()), f"{path}.{written}".lstrip(".")
        if key:
            out[key] = _checked(inner, schema[key], here)
        elif pattern and re.fullmatch(pattern, _token(written)):
            out[written] = _checked(inner, schema[pattern], here)
        else:
            raise Refused(here, "no key that may stand here")
    return out


def _master(plugin: Json, grant: Grant) -> None:
    kind, master = str(plugin["type"]), plugin.get("master")
    allowed = grant.masters.get(kind, grant.masters["macvlan"])
    if master is None and kind in grant.masters:
        raise Refused("master", f"none, which means the default route's interface; allowed: {', '.join(allowed)}")
    if master is not None and master not in allowed:
        raise Refused("master", f'"{master}" is not allowed; allowed: {", ".join(allowed) or "none"}')


def _addresses(ipam: object, ranges: list[str]) -> None:
    """Every address that the plug-ins could give is of the namespace's own ranges."""
    if not isinstance(ipam, dict):
        return
    for item in _objects(ipam.get("addresses")):
        address = str(item.get("address", "")).partition("/")[0]
        if not of_ranges(address, ranges):
            raise Refused("ipam.addresses", f"{address} is not within {_listed(ranges)}")
    if ipam.get("type") == "host-local":
        sets = ipam.get("ranges")
        for one in [item for some in sets for item in _objects(some)] if isinstance(sets, list) else [ipam]:
            _range(one, ranges)
    if ipam.get("type") == POOLED:
        # The whole of it: whereabouts passes over a start or an end that does not suit it.
        _range({"subnet": ipam.get("range", "")}, ranges, "ipam.range")


def _objects(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _range(one: Json, ranges: list[str], key: str = "ipam.subnet") -> None:
    from ipaddress import ip_network

    subnet, first, last = (str(one.get(key, "")) for key in ("subnet", "rangeStart", "rangeEnd"))
    try:
        whole = ip_network(subnet)
    except ValueError as error:
        raise Refused(key, f"no subnet: {error}") from None
    edges = [first or str(whole[0]), last or str(whole[-1])]
    if not any(all(of_ranges(edge, [item]) for edge in edges) for item in ranges):
        raise Refused(key, f"{edges[0]} to {edges[1]} is not within {_listed(ranges)}")


def _listed(ranges: list[str]) -> str:
    return f"the namespace's ranges, {', '.join(ranges)}" if ranges else "the namespace's ranges: it has none"
