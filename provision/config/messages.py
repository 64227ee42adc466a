"""What pydantic finds, as sentences for the user."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from provision.config.source import Fault, dotted
from provision.core.text import named

_KINDS = {
    "string_type": "text (in quotes, where YAML takes it for something else)",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "finite_number": "a number",
}
_BOUNDS = {
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
}


def describe(error: ErrorDetails) -> Fault:
    """One error of pydantic's as a finding."""
    path, kind, value = error["loc"], error["type"], error["input"]
    if kind == "missing":
        return Fault(path, f"Key '{path[-1]}' is missing", "Add it")
    if value is None:
        return Fault(path, f"'{_name(path)}' has no value", "Give it one, or remove the key to have the default")
    if kind == "literal_error":
        return _choice(path, value, error["ctx"])
    if kind == "too_short":
        return Fault(path, f"List '{_name(path)}' is empty", "Give it at least one item, or remove the key")
    return Fault(path, _sentence(path, error))


def _sentence(path: tuple[int | str, ...], error: ErrorDetails) -> str:
    kind, value, context = error["type"], shown(error["input"]), error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        return f"Value {value} of '{_name(path)}' is out of range: it must be {_BOUNDS[kind].format(**context)}"
    if kind in _KINDS:
        return f"'{_name(path)}' must be {_KINDS[kind]}; it is {value}"
    return f"'{_name(path)}' cannot be {value}: {error['msg']}"


def _name(path: tuple[int | str, ...]) -> str:
    """The last key of `path`, and where it is a list's item, which one."""
    last = next(index for index, part in reversed(list(enumerate(path))) if isinstance(part, str))
    return dotted(path[last:])


def _choice(path: tuple[int | str, ...], value: object, context: Mapping[str, Any]) -> Fault:
    known = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
    nearest = difflib.get_close_matches(str(value), known, n=1, cutoff=0.85)
    remedy = f"Write '{nearest[0]}', if that is meant" if nearest else ""
    choices = named(known)
    return Fault(path, f"Value {shown(value)} is not known for '{_name(path)}'; known: {choices}", remedy)


def shown(value: object) -> str:
    """`value` as a user would write it, on one line and not without end."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:56]} ..."
