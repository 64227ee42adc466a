"""From lab.yml to a Lab: laid over the defaults, validated whole, every problem reported at once."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from provision.config import rules, rules_subnets, rules_tenants
from provision.config.from_inventory import with_inventory
from provision.config.messages import describe
from provision.config.models import HostSsh, Lab
from provision.config.source import Fault, KeyPath, Source, read
from provision.config.tenants import Tenant
from provision.core.errors import Problems
from provision.core.paths import ROOT

DEFAULTS_FILE = ROOT / "provision" / "config" / "defaults.yml"

# What a network takes over from the LAN where it says nothing itself.
FROM_LAN: dict[KeyPath, KeyPath] = {("master",): ("lan", "interface"), ("ipam", "subnet"): ("lan", "subnet")}
# What it has by the number of nodes: host-local knows of its own node's pods only.
IPAM_TYPE: KeyPath = ("ipam", "type")

RULES = (*rules.RULES, *rules_subnets.RULES, *rules_tenants.RULES)


def load(path: Path | None) -> Lab:
    """The lab that the file at `path` describes; nothing, or an empty file, gives the Spectric lab.

    Raises Problems with one InputError for everything that is wrong, in the order of the file, or InputError when the
    file cannot be read at all.
    """
    source = with_inventory(read(path), path)
    lab, findings = _validate(source)
    errors = sorted((source.error(finding) for finding in findings), key=lambda pair: pair[0])
    if lab is None or errors:
        raise Problems([error for _, error in errors])
    return lab


@cache
def _defaults_file() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(DEFAULTS_FILE.read_text())
    return content


def item_defaults() -> dict[str, Any]:
    """What each item of a list has unless it says otherwise, by the list's key."""
    items: dict[str, Any] = copy.deepcopy(_defaults_file()["item_defaults"])
    return items


def defaults() -> dict[str, Any]:
    """The data of the lab that an empty file gives, with every key that there is."""
    return _complete({})[0]


def _every_key() -> dict[str, Any]:
    """`defaults`, and the keys of items that have no default."""
    known = defaults()
    known["hosts"][0]["ssh"] = dict.fromkeys(HostSsh.model_fields)
    known["tenants"]["namespaces"] = [dict.fromkeys(Tenant.model_fields)]
    return known


def _complete(data: Mapping[Any, Any]) -> tuple[dict[Any, Any], dict[KeyPath, KeyPath]]:
    """`data` over the defaults, and which of its values were taken over from which others."""
    base = {key: value for key, value in _defaults_file().items() if key != "item_defaults"}
    whole = _over(base, data)
    derived: dict[KeyPath, KeyPath] = {}
    for name, item in item_defaults().items():
        if isinstance(whole[name], list):
            whole[name] = [_over(item, entry) if isinstance(entry, dict) else entry for entry in whole[name]]
    kind = "whereabouts" if _nodes(whole["hosts"]) > 1 else "host-local"
    for index, network in enumerate(whole["networks"] if isinstance(whole["networks"], list) else []):
        if isinstance(ipam := _at(network, IPAM_TYPE[:-1]), dict):
            ipam.setdefault(IPAM_TYPE[-1], kind)
        for target, origin in FROM_LAN.items():
            parent = _at(network, target[:-1])
            if isinstance(parent, dict) and target[-1] not in parent:
                value = _at(whole, origin)
                parent[target[-1]] = _at(base, origin) if value is None else value
                derived["networks", index, *target] = origin
    return whole, derived


def _nodes(hosts: Any) -> int:
    """How many of the hosts are nodes, as far as they can be read."""
    roles = [_at(host, ("role",)) for host in hosts] if isinstance(hosts, list) else []
    return sum(role in ("control-plane", "worker") for role in roles)


def _over(base: Mapping[Any, Any], data: Mapping[Any, Any]) -> dict[Any, Any]:
    """`data` over `base`: mappings are merged, anything else is replaced as a whole."""
    merged = copy.deepcopy(dict(base))
    for key, value in data.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else copy.deepcopy(value)
    return merged


def _validate(source: Source) -> tuple[Lab | None, list[Fault]]:
    """The lab and all findings.

    A value that is wrong in itself is replaced by the default one, so that the rules between values can be judged as
    well; what they say about a replaced value is left out, for it is not the user's.
    """
    findings = list(source.repeated)
    data, unknown = _known(source.data, _every_key())
    findings += unknown
    whole, derived = _complete(data)
    try:
        lab = Lab.model_validate(whole)
        replaced: list[KeyPath] = []
    except ValidationError as error:
        lab, wrong = _mended(whole, error)
        replaced = [finding.path for finding in wrong]
        findings += [finding for finding in wrong if finding.path not in derived]
    judged = [finding for rule in RULES for finding in rule(lab)]
    findings += [f for f in judged if not any(_related(path, other) for path in _judged_by(f) for other in replaced)]
    return lab, findings


def _known(data: Any, known: Any, path: KeyPath = ()) -> tuple[Any, list[Fault]]:
    """`data` without the keys that `known` has not, and a finding for each of those."""
    findings: list[Fault] = []
    if isinstance(data, dict) and isinstance(known, dict):
        kept: dict[Any, Any] = {}
        for key, value in data.items():
            if key in known:
                kept[key], inner = _known(value, known[key], (*path, key))
                findings += inner
            else:
                findings.append(_unknown((*path, key), list(known)))
        return kept, findings
    if isinstance(data, list) and isinstance(known, list) and known:
        pairs = [_known(item, known[0], (*path, index)) for index, item in enumerate(data)]
        return [item for item, _ in pairs], [finding for _, inner in pairs for finding in inner]
    return data, findings


def _unknown(path: KeyPath, known: Sequence[str]) -> Fault:
    nearest = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    remedy = (
        f"Write '{nearest[0]}', if that is meant" if nearest else f"Take one of the keys known here: {', '.join(known)}"
    )
    return Fault(path, f"Key '{path[-1]}' is not known", remedy)


def _mended(whole: dict[Any, Any], error: ValidationError) -> tuple[Lab, list[Fault]]:
    """`whole` as a lab, with the default in place of each value that is wrong in itself."""
    # A list whose items are wrong counts as too short as well, which is not true.
    errors = [item for item in error.errors() if not (item["type"] == "too_short" and item["input"])]
    findings = [describe(item) for item in errors]
    standard = defaults()
    for finding in findings:
        path = _replaceable(standard, finding.path)
        parent = _at(whole, path[:-1])
        parent[path[-1]] = copy.deepcopy(_at(standard, path, first_items=True))
    return Lab.model_validate(whole), findings


def _replaceable(standard: Any, path: KeyPath) -> KeyPath:
    """`path`, or that of the list in it whose default is empty: no item could stand in for one of its."""
    for length in range(1, len(path)):
        if _at(standard, path[:length], first_items=True) == []:
            return path[:length]
    return path


def _at(value: Any, path: KeyPath, *, first_items: bool = False) -> Any:
    """The value at `path`, None where there is none; with `first_items` any index means a list's first item."""
    for part in path:
        if isinstance(value, list) and isinstance(part, int):
            value = value[0 if first_items else part]
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


def _judged_by(finding: Fault) -> list[KeyPath]:
    """The values that a rule's finding stands on; it calls hosts and networks by their names."""
    items = [path for path in finding.paths if path[0] in {"hosts", "networks"} and len(path) > 1]
    return [*finding.paths, *((*path[:2], "name") for path in items)]


def _related(one: KeyPath, other: KeyPath) -> bool:
    """Whether one of two paths leads to the other."""
    return all(left == right for left, right in zip(one, other, strict=False))
