"""Hosts from an Ansible inventory, in the words of lab.yml."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from provision.config.source import Source
from provision.core.errors import CommandError, InputError, Problems
from provision.core.run import run
from provision.core.text import named

GROUPS = {"control_plane": "control-plane", "workers": "worker", "sources": "source"}
_TIMEOUT_SECONDS = 60
# Ansible's variable and our key of hosts[].ssh; the older names are Ansible's own.
_CONNECTION = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_ssh_private_key_file": "key",
    "ansible_private_key_file": "key",
    "ansible_become": "become",
}
# What Ansible would do by these, mcastlab cannot: it opens SSH connections of its own as well.
_UNSUPPORTED = (
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_args",
)
_PLAIN = "mcastlab needs an SSH key, no password, and the way that ansible_host and ansible_port name"


def with_inventory(source: Source, path: Path | None) -> Source:
    """`source` with the hosts of its `ssh.inventory` in place of `hosts`, where the provider is ssh and it names one.

    Raises Problems with an InputError for everything that a host lacks, or InputError when there is no such inventory
    or it has not the groups `control_plane` and `sources`.
    """
    name = _named(source.data)
    if not name:
        return source
    line = source.line(("ssh", "inventory"))
    if "hosts" in source.data:
        raise InputError(
            "Both 'hosts' and 'ssh.inventory' say which hosts there are",
            where=f"{source.name}:{line}: ssh.inventory",
            remedy="Remove one of them",
        )
    place = (path.parent if path else Path()) / Path(name).expanduser()
    if not place.exists():
        where = f"{source.name}:{line}: ssh.inventory"
        raise InputError(
            f"There is no inventory '{name}'", where=where, remedy="Correct the path; it begins at lab.yml"
        )
    content = _listed(place, name)
    members = {group: content.get(group, {}).get("hosts", []) for group in GROUPS}
    _insist_on_groups(name, content, members)
    hosts, problems = [], []
    for group, role in GROUPS.items():
        for host in members[group]:
            given = content["_meta"]["hostvars"].get(host, {})
            found = list(_wrong(given))
            problems += [InputError(text, where=f"{name}: host '{host}'", remedy=remedy) for text, remedy in found]
            hosts.append(_host(host, role, given))
    if problems:
        raise Problems([*problems])
    return replace(source, data={**source.data, "hosts": hosts}, inventory=name)


def _named(data: Mapping[Any, Any]) -> str:
    ssh = data.get("ssh")
    name = ssh.get("inventory") if isinstance(ssh, dict) and data.get("provider") == "ssh" else None
    return name if isinstance(name, str) else ""


def _listed(place: Path, name: str) -> dict[str, Any]:
    """What `ansible-inventory --list` makes of it: a file in any of its formats, a folder or a program."""
    argv = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(place), "--list"]
    # Its warnings about formats that it tries in turn say what is wrong only when none of them fits.
    strict = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1", "ANSIBLE_NOCOLOR": "1"}
    try:
        done = run(argv, timeout=_TIMEOUT_SECONDS, env=strict)
        content: dict[str, Any] = json.loads(done.stdout)
    except (CommandError, json.JSONDecodeError) as error:
        raise InputError(
            "Ansible cannot read this inventory",
            where=name,
            detail=(getattr(error, "detail", "") or str(error)).replace(str(place.resolve()), name),
            remedy=f"Mend it until `ansible-inventory -i {name} --list` shows its hosts",
        ) from error
    return content


def _insist_on_groups(name: str, content: Mapping[str, Any], members: Mapping[str, list[str]]) -> None:
    missing = [f"'{group}'" for group, hosts in members.items() if not hosts and group != "workers"]
    if missing:
        there = named(group for group in content if group not in {"_meta", "all", "ungrouped"}) or "none"
        raise InputError(
            f"The inventory has no host in group {' and '.join(missing)}; groups that it has: {there}",
            where=name,
            remedy="Put the Kubernetes node into group 'control_plane' and the hosts that send into 'sources'",
        )
    if len(members["control_plane"]) > 1:
        names = named(members["control_plane"])
        raise InputError(
            f"Group 'control_plane' has {len(members['control_plane'])} hosts, and a lab has one: {names}",
            where=name,
            remedy="Leave one of them in it",
        )
    for one, other in combinations(GROUPS, 2):
        if twice := sorted({*members[one]} & {*members[other]}):
            raise InputError(
                f"The host is in both groups, '{one}' and '{other}'",
                where=f"{name}: host '{twice[0]}'",
                remedy="Take it out of one of them: a host has one role, and cannot send to its own macvlan pods",
            )


def _wrong(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a host's variables, and the remedy of each."""
    if "mcastlab_address" not in given:
        example = "Write mcastlab_address=10.0.0.11 with its IPv4 address on the multicast LAN"
        yield "The host has no variable 'mcastlab_address'", example
    if given.get("ansible_connection", "ssh") not in {"ssh", "smart", "paramiko", "ansible.builtin.ssh"}:
        yield f"Connection '{given['ansible_connection']}' is not SSH", "Remove ansible_connection"
    for name in _UNSUPPORTED:
        if name in given:
            yield f"Variable '{name}' is not supported", f"Remove it: {_PLAIN}"
    for name in (*_CONNECTION, "mcastlab_address", "mcastlab_address6"):
        if "{{" in str(given.get(name, "")):
            yield f"Variable '{name}' is a template, which is not evaluated here", "Write its value"


def _host(name: str, role: str, given: Mapping[str, Any]) -> dict[str, Any]:
    host: dict[str, Any] = {"name": name, "role": role, "address": given.get("mcastlab_address")}
    if six := given.get("mcastlab_address6"):
        host["address6"] = six
    host["ssh"] = {key: _typed(key, given[name]) for name, key in _CONNECTION.items() if name in given}
    return host


def _typed(key: str, value: Any) -> Any:
    """`value` with the type of its key: INI inventories give some numbers and truths as text."""
    text = str(value).strip()
    if key == "port" and text.isdecimal():
        return int(text)
    if key == "become" and text.lower() in {"true", "yes", "1", "false", "no", "0"}:
        return text.lower() in {"true", "yes", "1"}
    return value
