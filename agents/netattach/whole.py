"""Whether pods still have the interfaces that they asked for: seen by looking into their network namespaces.

    netattach whole [--set SETTINGS] -- CTR…

prints one JSON object: {"whole": [POD, …], "broken": [{"pod": POD, "faults": [TEXT, …]}, …]}, a POD as NAMESPACE/NAME.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time

from . import multus_cache
from .attachment import Attachment
from .errors import CniError, Damaged
from .request import FIRST_INTERFACE
from .results import pod_addresses
from .runtime import Runtime, Sandbox
from .settings import Settings, from_json
from .store import Record, Store

_SECONDS = 20
_AGAIN_SECONDS = 2.0


class Broken:
    """A sandbox that lacks something; `gone` are the interfaces that are not there at all, by name.

    Their attachments are None where nobody ever made them.
    """

    def __init__(self, sandbox: Sandbox, faults: list[str], gone: dict[str, Attachment | None]) -> None:
        self.sandbox = sandbox
        self.faults = faults
        self.gone = gone


def examine(settings: Settings, sandbox: Sandbox) -> Broken | None:
    """What the sandbox lacks; None where it is whole, has ended, or asked for what nobody could understand."""
    found = _inside(sandbox.netns)
    if found is None:
        return None
    made = {attachment.ifname: attachment for attachment in _record(settings, sandbox).attachments}
    faults, gone = [], {}
    for ifname, title in _asked_for(sandbox).items():
        attachment = made.get(ifname)
        if ifname not in found:
            gone[ifname] = attachment
            never = "" if attachment else ": it was never attached"
            faults.append(f"interface '{ifname}' of network '{title}' is not there{never}")
        elif fault := _fault(found[ifname], attachment):
            faults.append(f"interface '{ifname}' of network '{title}' {fault}")
    return Broken(sandbox, faults, gone) if faults else None


def _asked_for(sandbox: Sandbox) -> dict[str, str]:
    """The names of the interfaces that the pod asked for, each with its network."""
    from .add import interface_names
    from .annotation import parse

    try:
        selections = parse(sandbox.networks, sandbox.pod.namespace)
        names = interface_names(selections, FIRST_INTERFACE)
    except CniError:
        return {}  # told when it was attached
    return {name: selection.title for name, selection in zip(names, selections, strict=True)}


def _record(settings: Settings, sandbox: Sandbox) -> Record:
    """What netattach or Multus remembers of the sandbox; nothing where neither does, or a record is damaged.

    The reconciler tells of damaged ones; that the interface is there can be seen without.
    """
    empty = Record(sandbox.id, FIRST_INTERFACE, sandbox.netns, sandbox.pod)
    try:
        mine = Store(settings.cache_dir).load(sandbox.id, FIRST_INTERFACE)
        return mine or multus_cache.read(settings.multus_cache_dir, empty) or empty
    except Damaged:
        return empty


def _fault(link: dict[str, object], attachment: Attachment | None) -> str:
    """What an interface lacks that is there."""
    flags, info = link.get("flags"), link.get("addr_info")
    if not isinstance(flags, list) or "UP" not in flags:
        return "is down"
    listed = info if isinstance(info, list) else []
    has = {f"{item.get('local')}/{item.get('prefixlen')}" for item in listed if isinstance(item, dict)}
    given = pod_addresses(attachment.newest_result()) if attachment else []
    lacking = [address for address in given if address not in has]
    return f"has lost {', '.join(lacking)}" if lacking else ""


def _inside(netns: str) -> dict[str, dict[str, object]] | None:
    """The interfaces of a network namespace by name, as `ip -json address` describes them; None where it has ended."""
    argv = ["nsenter", f"--net={netns}", "ip", "-json", "address", "show"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
        listed = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        listed = None
    if listed is None or not os.path.exists(netns):
        return None
    return {str(link.get("ifname")): link for link in listed}


def main(words: list[str]) -> int:
    """Look at all sandboxes, and again at those that lack something: one that is just ending is no broken one."""
    parser = argparse.ArgumentParser(prog="netattach whole")
    parser.add_argument("--set", type=from_json, default={})
    parser.add_argument("command", nargs="+")
    wanted = parser.parse_args(words)
    settings, runtime = Settings(wanted.set), Runtime(wanted.command)
    runtime.look()
    sandboxes = {sandbox.id: sandbox for sandbox in runtime.sandboxes() if os.path.exists(sandbox.netns)}
    broken = [one for one in sandboxes.values() if examine(settings, one)]
    if broken:
        time.sleep(_AGAIN_SECONDS)
    still = [found for one in broken if (found := examine(settings, one))]
    lacking = {found.sandbox.id for found in still}
    answer = {
        "whole": sorted(str(sandbox.pod) for sandbox in sandboxes.values() if sandbox.id not in lacking),
        "broken": [{"pod": str(found.sandbox.pod), "faults": found.faults} for found in still],
    }
    print(json.dumps(answer))
    return 0
