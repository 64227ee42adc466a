"""The tenants' policy as regular expressions of RE2, of a configuration's text without white space."""

from __future__ import annotations

import re

from .tenants import ANY, FIRST, IPAM, NEXT, SCALAR, TOP, Choice, Grant, Json

_FLAT = r"\{[^{}]*\}"
NESTED = rf"\{{(?:[^{{}}]|{_FLAT})*\}}"  # an object with objects in it: any `ipam`
_DEEP = rf"(?:[^{{}}]|\{{(?:[^{{}}]|{NESTED})*\}})*"  # what may stand between two keys of one object


def form(grant: Grant) -> str:
    """The pattern of a whole configuration: one plug-in, or a chain; each `ipam` any object."""
    single = "|".join(_typed(kind, {**TOP, **keys}) for kind, keys in grant.first().items())
    first = "|".join(_typed(kind, keys) for kind, keys in grant.first().items())
    following = "|".join(_typed(kind, keys) for kind, keys in grant.following().items())
    top = _pairs(TOP)
    chain = rf'\{{(?:{top},)*"plugins":\[(?:{first})(?:,(?:{following}))*\](?:,{top})*\}}'
    return f"{single}|{chain}"


def pattern(schema: object) -> str:
    """What `schema` has, as text without white space."""
    if isinstance(schema, Choice):
        return f"(?:{'|'.join(_typed(kind, keys) for kind, keys in schema.items())})"
    if isinstance(schema, dict):
        return rf"\{{(?:{_pairs(schema)}(?:,{_pairs(schema)})*)?\}}" if schema else r"\{\}"
    if isinstance(schema, list):
        return rf"\[(?:{pattern(schema[0])}(?:,{pattern(schema[0])})*)?\]"
    return str(schema)


def _typed(kind: str, keys: Json) -> str:
    """An object that has its type exactly once, anywhere among `keys`."""
    name = re.escape(kind.partition("/")[0])
    return rf'\{{(?:{_pairs(keys)},)*"type":"{name}"(?:,{_pairs(keys)})*\}}' if keys else rf'\{{"type":"{name}"\}}'


def _pairs(keys: Json) -> str:
    inner = {key: NESTED if key == "ipam" else pattern(schema) for key, schema in keys.items()}
    return "(?:" + "|".join(f"{_name(key)}:{value}" for key, value in inner.items()) + ")"


def scalars(grant: Grant) -> list[str]:
    """Every key and value that is neither list nor object, wherever it may stand."""
    found: dict[str, None] = {}
    for choice in (grant.first(), grant.following(), grant.ipam()):
        for kind, keys in choice.items():
            found[f'"type":"{re.escape(kind.partition("/")[0])}"'] = None
            _collect(keys, found)
    _collect(TOP, found)
    return list(found)


def _collect(schema: object, found: dict[str, None]) -> None:
    if isinstance(schema, list):
        _collect(schema[0], found)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if isinstance(value, str):
                found[f"{_name(key)}:{SCALAR if value == ANY else value}"] = None
            if not isinstance(value, Choice):
                _collect(value, found)


def keys(grant: Grant) -> list[str]:
    """Every key that a namespace's networks may have, wherever it may stand."""
    return _listed(TOP, grant.first(), grant.following())


def known_keys() -> list[str]:
    """Every key that the policy knows by name."""
    return [key for key in _listed(TOP, Choice(FIRST), Choice(NEXT), IPAM) if "[" not in key]


def twice() -> str:
    """One of these keys twice in one object."""
    return "|".join(f"{key}:{_DEEP}{key}:" for key in known_keys())


def _listed(*schemas: object) -> list[str]:
    return list(dict.fromkeys(['"type"', '"plugins"', *(key for schema in schemas for key in _all_keys(schema))]))


def _name(key: str) -> str:
    return key if key.startswith('"') else f'"{key}"'


def _all_keys(schema: object) -> list[str]:
    if isinstance(schema, list):
        return _all_keys(schema[0])
    if not isinstance(schema, dict):
        return []
    named = [] if isinstance(schema, Choice) else [_name(key) for key in schema]
    return [*named, *(key for value in schema.values() for key in _all_keys(value))]
