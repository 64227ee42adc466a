"""What a NetworkAttachmentDefinition of a tenant may be: the policy, once, for all who ask.

`judge` asks it, for netattach before anything runs and for `mcastlab check` of what is there already, and `admission`
makes the API server's form of it. What is not listed is refused. The plug-ins are containernetworking's.

A schema is a pattern (of the JSON token that a scalar has to be), a list of one schema, an object of schemas by key, or
a `Choice` of objects by their `type`. Patterns use what Python's `re` and RE2 mean the same by.
"""

from __future__ import annotations

LABEL = "mcastlab.io/tenant"
ADMISSION = "tenant-networks"  # the ValidatingAdmissionPolicy's name, and its binding's
OCTETS = 4096  # of a network's configuration, at most: the API server bounds what a policy's patterns may cost

Json = dict[str, "object"]


class Choice(dict[str, Json]):
    """Objects by their `type`. Two forms of one type stand under `type` and `type/form`."""


NAME = r'"[A-Za-z0-9][A-Za-z0-9_.-]*"'
WORD = r'"[A-Za-z0-9_.-]+"'
INTERFACE = r'"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}"'
VERSION = r'"(?:0\.[12]\.0|0\.3\.[01]|0\.4\.0|1\.[01]\.0)"'
MAC = r'"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}"'
IP = r'"[0-9A-Fa-f.:]+"'
CIDR = r'"[0-9A-Fa-f.:]+/[0-9]{1,3}"'
NUMBER = r"(?:0|[1-9][0-9]{0,9})"
BOOLEAN = r"(?:true|false)"
SYSCTL = r'"net(?:[./](?:ipv4|ipv6|core))(?:[./][A-Za-z0-9_-]+)+"'
SCALAR = r'(?:"[^"\\\s{}\[\]]*"|-?[0-9]+|true|false)'
_PAIR = rf"{WORD}:{SCALAR}"
ANY = rf"(?:{SCALAR}|\[(?:{SCALAR}(?:,{SCALAR})*)?\]|\{{(?:{_PAIR}(?:,{_PAIR})*)?\}})"

ROUTE = {"dst": CIDR, "gw": IP}
DNS = {"nameservers": [IP], "domain": WORD, "search": [WORD], "options": [WORD]}
RANGE = {"subnet": CIDR, "rangeStart": IP, "rangeEnd": IP, "gateway": IP}
POOLED = "whereabouts"  # where the cluster has its pools
IPAM = Choice(
    {
        "dhcp": {},
        "static": {"addresses": [{"address": CIDR, "gateway": IP}], "routes": [ROUTE], "dns": DNS},
        "host-local": {**RANGE, "routes": [ROUTE]},
        "host-local/ranges": {"ranges": [[RANGE]], "routes": [ROUTE]},
        POOLED: {
            "range": CIDR,
            "range_start": IP,
            "range_end": IP,
            "exclude": [CIDR],
            "gateway": IP,
            "routes": [ROUTE],
        },
    }
)
_MAC_BY_POD = {"mac": "true"}
# Those that make an interface, one of which begins a chain, and those that may follow.
FIRST = {
    "macvlan": {
        "master": INTERFACE, "mode": '"(?:bridge|private|vepa)"', "mtu": NUMBER, "mac": MAC, "bcqueuelen": NUMBER,
        "linkInContainer": "false", "capabilities": _MAC_BY_POD, "ipam": IPAM,
    },
    "ipvlan": {
        "master": INTERFACE, "mode": '"(?:l2|l3|l3s)"', "mtu": NUMBER, "linkInContainer": "false", "ipam": IPAM,
    },
}  # fmt: skip
NEXT = {
    "tuning": {
        "sysctl": {SYSCTL: WORD}, "mac": MAC, "mtu": NUMBER, "promisc": BOOLEAN, "allmulti": BOOLEAN,
        "txQLen": NUMBER, "capabilities": _MAC_BY_POD,
    },
    "sbr": {"table": NUMBER},
}  # fmt: skip
TOP = {"cniVersion": VERSION, "cniVersions": [VERSION], "name": NAME, "disableCheck": BOOLEAN}
# What nobody is given, whatever lab.yml says: it binds the pod network's ports, or attaches in netattach's place.
NEVER = ("multicast-bind", "netattach")


class Grant:
    """What one namespace may have: what the policy gives to all, and what lab.yml adds for it."""

    def __init__(self, policy: Json, namespace: str) -> None:
        """`policy` is what `mcastlab` writes: `networks`, `masters`, `limits`, `tenants` by namespace, and
        `pools` where the cluster has whereabouts'."""
        self.namespace = namespace
        own = at(policy, "tenants", namespace)
        self.reserved = _texts(policy, "networks")
        self.ranges, self.types = _texts(own, "ranges"), _texts(own, "types")
        self.options = [option.partition(".")[::2] for option in _texts(own, "options")]
        self.pools = policy.get("pools") is True
        ipvlan = "ipvlan" in self.types
        # An interface carries macvlan or ipvlan, never both.
        self.masters: dict[str, list[str]] = {
            "macvlan": [*_texts(policy, "masters"), *([] if ipvlan else _texts(own, "masters"))],
            "ipvlan": _texts(own, "masters") if ipvlan else [],
        }

    def first(self) -> Choice:
        """The plug-ins that may begin a chain."""
        own = {kind: self._with(kind, keys) for kind, keys in FIRST.items() if self.masters[kind]}
        return Choice({**own, **self._added()})

    def following(self) -> Choice:
        """Those that may stand behind it."""
        return Choice({**{kind: self._with(kind, keys) for kind, keys in NEXT.items()}, **self._added()})

    def _added(self) -> dict[str, Json]:
        """Those that lab.yml adds: what their keys do is the administrator's to know, but for addresses and master."""
        added = [kind for kind in self.types if kind not in (*FIRST, *NEXT, *NEVER)]
        return {kind: {"master": INTERFACE, "ipam": self.ipam(), WORD: ANY} for kind in added}

    def ipam(self) -> Choice:
        """The ways to addresses, by type and form."""
        forms = {form: keys for form, keys in IPAM.items() if form != POOLED or self.pools}
        return Choice({form: self._with(form.partition("/")[0], keys) for form, keys in forms.items()})

    def _with(self, kind: str, keys: Json) -> Json:
        more = {key: ANY for owner, key in self.options if owner == kind}
        return {**keys, **({"ipam": self.ipam()} if "ipam" in keys else {}), **more}


def at(value: Json, *keys: str) -> Json:
    """The object in `value` by its keys; empty where there is none."""
    found: object = value
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _texts(value: Json, key: str) -> list[str]:
    found = value.get(key)
    return [str(item) for item in found] if isinstance(found, list) else []


def stands(policy: Json, binding: Json) -> bool:
    """Whether the admission policy is in force for everybody, by its `spec` and its binding's."""
    actions = binding.get("validationActions")
    bound = binding.get("policyName") == ADMISSION and not binding.get("matchResources")
    return policy.get("failurePolicy") == "Fail" and bound and isinstance(actions, list) and "Deny" in actions


def of_ranges(address: str, ranges: list[str]) -> bool:
    """Whether `address` is of one of the subnets `ranges`. An IPv4 address in the form of an IPv6 one is of none: Go
    takes it for the IPv4 one."""
    from ipaddress import ip_address, ip_network

    try:
        found = ip_address(address)
    except ValueError:
        return False
    return not getattr(found, "ipv4_mapped", None) and any(found in ip_network(item) for item in ranges)
