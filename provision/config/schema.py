"""The JSON schema of lab.yml for editors: `python -m provision.config.schema > docs/lab.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from provision.config.load import FROM_LAN, IPAM_TYPE, defaults, item_defaults
from provision.config.models import Lab


def schema() -> dict[str, Any]:
    """The schema of what a user writes: a key with a default may be left out, and the default is named."""
    made = Lab.model_json_schema()
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_untitled(made),
        "title": "lab.yml, the description of a mcastlab lab",
        "description": "Everything may be left out: an empty file is the Spectric walk-through.",
        "type": ["object", "null"],
    }
    definitions = made["$defs"]
    _relax(made, definitions, defaults())
    network = item_defaults()["networks"]
    _relax(definitions["Network"], definitions, network)
    for target in (*FROM_LAN, IPAM_TYPE):
        parent = definitions["Ipam" if len(target) > 1 else "Network"]
        parent["required"].remove(target[-1])
    return made


def text() -> str:
    """The schema as it stands in docs/."""
    return json.dumps(schema(), indent=2) + "\n"


def _untitled(value: Any) -> Any:
    """`value` without pydantic's titles, which only repeat the names."""
    if isinstance(value, dict):
        return {key: _untitled(inner) for key, inner in value.items() if key != "title" or isinstance(inner, dict)}
    return [_untitled(item) for item in value] if isinstance(value, list) else value


def _relax(node: dict[str, Any], definitions: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Make the keys of `given` optional in `node`, and name their defaults."""
    node["required"] = [key for key in node["required"] if key not in given]
    for key, value in given.items():
        entry = node["properties"][key]
        if isinstance(value, dict):
            _relax(definitions[entry["$ref"].rsplit("/", 1)[1]], definitions, value)
        elif not (value and isinstance(value, list) and isinstance(value[0], dict)):
            entry["default"] = value
    if "ipam" in given:  # its range has no default
        node["required"].append("ipam")
    if not node["required"]:
        del node["required"]


if __name__ == "__main__":
    print(text(), end="")
