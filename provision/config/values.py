"""The values that lab.yml may hold: addresses, subnets and names, each refused with a sentence of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr

_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"  # RFC 1123, section 2.1, in the lower case that Kubernetes asks for
_INTERFACE = "^[A-Za-z0-9][A-Za-z0-9_.-]*$"
_PLUGIN = "^[a-z][a-z0-9-]*$"
_PLUGIN_KEY = r"^[a-z][a-z0-9-]*\.[A-Za-z][A-Za-z0-9]*$"
_BOX = "^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?$"
_INTERFACE_LENGTH = 15  # IFNAMSIZ - 1, linux/if.h
_LABEL_LENGTH = 63
_LAB_NAME_LENGTH, _HOST_NAME_LENGTH = 20, 30  # `mcastlab-LAB-HOST` stays within a DNS label
# Switches flood this block to every port whoever has joined (RFC 5771, section 4; RFC 4541, section 2.1.2).
_LOCAL_CONTROL = IPv4Network("224.0.0.0/24")
_LINK_LOCAL_GROUPS = IPv6Network("ff02::/16")
_FAMILIES = {4: "an IPv4", 6: "an IPv6"}


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"Value {value} is not {what}; put text in quotes")
    return value


def _address(kind: type[IPv4Address | IPv6Address], version: int) -> Callable[[object], object]:
    what = f"{_FAMILIES[version]} address"

    def parse(value: object) -> object:
        if value is None or isinstance(value, kind):
            return value
        text = _text(value, what)
        try:
            found = ip_address(text)
        except ValueError:
            raise ValueError(f"'{text}' is not {what}") from None
        if found.version != version:
            raise ValueError(f"'{text}' is {_FAMILIES[found.version]} address, and {what} belongs here")
        if "%" in text:
            raise ValueError(f"'{text}' names an interface, and a plain address belongs here")
        return found

    return parse


def _network(kind: type[IPv4Network | IPv6Network], version: int) -> Callable[[object], object]:
    example = "10.0.0.0/24" if version == 4 else "fd00:10::/64"
    what = f"{_FAMILIES[version]} subnet"

    def parse(value: object) -> object:
        if value is None or isinstance(value, kind):
            return value
        text = _text(value, what)
        try:
            found = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"'{text}' is not {what} such as {example}") from None
        if found.version != version:
            raise ValueError(f"'{text}' is {_FAMILIES[found.version]} subnet, and {what} belongs here")
        if "/" not in text:
            raise ValueError(f"'{text}' has no prefix length; a subnet is written such as {example}")
        if ip_address(text.partition("/")[0]) != found.network_address:
            raise ValueError(f"'{text}' is an address in a subnet; the subnet itself is {found}")
        return found

    return parse


def _group(value: IPv4Address) -> IPv4Address:
    if not value.is_multicast:
        raise ValueError(f"'{value}' is not a multicast group: those are 224.0.0.0 to 239.255.255.255")
    if value in _LOCAL_CONTROL:
        raise ValueError(
            f"Group '{value}' is in {_LOCAL_CONTROL}, which reaches everyone, member or not; take one of 239.0.0.0/8"
        )
    return value


def _group_text(value: object) -> object:
    """Say of an IPv6 address more than that it is not an IPv4 one."""
    try:
        found = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return value
    if not isinstance(found, IPv6Address):
        return value
    if found.is_multicast:
        raise ValueError(f"Group '{value}' is an IPv6 one, and the checks send to an IPv4 group for now")
    raise ValueError(f"'{value}' is not a multicast group: those of IPv6 are in ff00::/8, and an IPv4 one belongs here")


def _node_group(value: object) -> object:
    text = _text(value, "a group's address")
    try:
        found = ip_address(text)
    except ValueError:
        raise ValueError(f"'{text}' is not an IP address") from None
    if not found.is_multicast:
        raise ValueError(f"'{text}' is not a multicast group: those are 224.0.0.0/4 and ff00::/8")
    if found in (_LOCAL_CONTROL if found.version == 4 else _LINK_LOCAL_GROUPS):
        raise ValueError(f"Group '{text}' is one that nodes use among themselves; take one of 239.0.0.0/8 or ff1e::/16")
    return found


def _label(length: int) -> Any:
    def check(value: str) -> str:
        if not re.fullmatch(_LABEL, value) or value.endswith("\n"):
            raise ValueError(
                f"'{value}' is not a valid name (RFC 1123): lower-case letters, digits and '-', no '-' at either end"
            )
        if len(value) > length:
            raise ValueError(f"Name '{value}' has {len(value)} characters, and {length} are the most here")
        return value

    return Annotated[
        StrictStr, AfterValidator(check), Field(json_schema_extra={"pattern": _LABEL, "maxLength": length})
    ]


def _interface(value: str) -> str:
    if len(value) > _INTERFACE_LENGTH:
        raise ValueError(
            f"Interface name '{value}' has {len(value)} characters, and Linux takes {_INTERFACE_LENGTH} at most"
        )
    if not re.fullmatch(_INTERFACE, value) or value.endswith("\n"):
        raise ValueError(
            f"'{value}' is no interface name: letters, digits, '_', '.' and '-', with a letter or digit first"
        )
    return value


def _box(value: str) -> str:
    if not re.fullmatch(_BOX, value) or value.endswith("\n"):
        raise ValueError(f"'{value}' is no name of a Vagrant box: that is auto, a NAME or an OWNER/NAME")
    return value


def _subnet(value: object) -> object:
    text = _text(value, "a subnet")
    six = ":" in text
    return _network(IPv6Network, 6)(text) if six else _network(IPv4Network, 4)(text)


def _plugin(value: str) -> str:
    if not re.fullmatch(_PLUGIN, value) or value.endswith("\n"):
        raise ValueError(f"'{value}' is no name of a CNI plug-in: lower-case letters, digits and '-'")
    return value


def _plugin_key(value: str) -> str:
    if not re.fullmatch(_PLUGIN_KEY, value) or value.endswith("\n"):
        raise ValueError(f"'{value}' is no option: that is TYPE.KEY, such as macvlan.linkInContainer")
    return value


V4Address = Annotated[IPv4Address, BeforeValidator(_address(IPv4Address, 4))]
V6Address = Annotated[IPv6Address, BeforeValidator(_address(IPv6Address, 6))]
V4Subnet = Annotated[IPv4Network, BeforeValidator(_network(IPv4Network, 4))]
V6Subnet = Annotated[IPv6Network, BeforeValidator(_network(IPv6Network, 6))]
Subnet = Annotated[IPv4Network | IPv6Network, BeforeValidator(_subnet)]
PluginType = Annotated[StrictStr, AfterValidator(_plugin), Field(json_schema_extra={"pattern": _PLUGIN})]
PluginKey = Annotated[StrictStr, AfterValidator(_plugin_key), Field(json_schema_extra={"pattern": _PLUGIN_KEY})]
Group = Annotated[V4Address, AfterValidator(_group), BeforeValidator(_group_text)]
NodeGroup = Annotated[IPv4Address | IPv6Address, BeforeValidator(_node_group)]
Label = _label(_LABEL_LENGTH)
LabName = _label(_LAB_NAME_LENGTH)
HostName = _label(_HOST_NAME_LENGTH)
Interface = Annotated[
    StrictStr,
    AfterValidator(_interface),
    Field(json_schema_extra={"pattern": _INTERFACE, "maxLength": _INTERFACE_LENGTH}),
]
BoxName = Annotated[StrictStr, AfterValidator(_box), Field(json_schema_extra={"pattern": _BOX})]
