"""GC: free what belongs to containers that the runtime no longer has, and nothing else (CNI 1.1).

The runtime names the live attachments of netattach's own network. Each delegate must be given those of *its* network,
second interfaces included, or it would free live addresses; the records know them.
"""

from __future__ import annotations

import json

from . import multus_cache, runtime_cache
from .attachment import plugin_configuration
from .context import Context
from .delete import delete_stale, join
from .errors import INVALID_CONFIG, IO_FAILURE, CniError, Damaged
from .network import Network
from .request import Request
from .store import Pair, Record


class Inventory:
    """The networks that exist, by CNI name, with their live attachments.

    Delegates keep their state by network name, so live attachments are joined by name: two NetworkAttachmentDefinitions
    of one name never free each other's addresses.
    """

    def __init__(self) -> None:
        self.live: dict[str, set[Pair]] = {}
        self.networks: dict[str, dict[str, Network]] = {}

    def note(self, network: Network) -> None:
        """Remember a configuration of the network."""
        self.networks.setdefault(network.name, {})[json.dumps(network.to_dict(), sort_keys=True)] = network
        self.live.setdefault(network.name, set())

    def keep(self, network: Network, pairs: set[Pair]) -> None:
        """Remember live attachments of the network."""
        self.note(network)
        self.live[network.name] |= pairs


def collect(request: Request) -> None:
    """Delete stale attachments, then forward GC; goes on after failures and reports them all at the end."""
    context = Context(request)
    valid = _valid(request)
    context.store.prepare()
    inventory = Inventory()
    spoilt = multus_cache.adopt_all(context.store, context.settings.multus_cache_dir)
    records, own_spoilt = context.store.survey()
    spoilt |= own_spoilt
    failures: list[CniError] = list(spoilt.values())
    for record in records:
        if (record.container_id, record.ifname) in valid:
            _keep(inventory, record)
        else:
            failures += _collect_stale(context, inventory, record)
    default = context.default_attachment().network
    older, faults = runtime_cache.attachments(context.settings.runtime_cache_dir, default.name)
    inventory.keep(default, valid | older)
    failures += faults
    if spoilt:
        # Nobody can say of which networks such a container has interfaces: a delegate would free what is in use.
        failures.append(CniError(IO_FAILURE, "no plug-in is asked to free anything while a record is damaged"))
    else:
        failures += _forward(context, inventory)
    if failures:
        raise join(failures)


def _valid(request: Request) -> set[Pair]:
    """The live attachments that the runtime names. Without the list nothing can be told stale, so it must be there."""
    listed = request.config.get("cni.dev/valid-attachments", request.config.get("cni.dev/attachments"))
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise CniError(INVALID_CONFIG, 'GC needs the list "cni.dev/valid-attachments" in the configuration')
    return {(str(item.get("containerID")), str(item.get("ifname"))) for item in listed}


def _keep(inventory: Inventory, record: Record) -> None:
    for attachment in record.attachments:
        inventory.keep(attachment.network, {(record.container_id, attachment.ifname)})


def _collect_stale(context: Context, inventory: Inventory, record: Record) -> list[CniError]:
    """DEL a stale record's attachments; one that another call is working on is live."""
    try:
        lock = context.store.lock(record.container_id, record.ifname, 0)
    except CniError as error:
        _keep(inventory, record)
        return [error] if isinstance(error, Damaged) else []
    with lock:
        for attachment in record.attachments:
            inventory.note(attachment.network)
        return delete_stale(context, record)


def _forward(context: Context, inventory: Inventory) -> list[CniError]:
    """GC every plug-in of every network at 1.1.0; older ones have no GC, their stale attachments had their DEL."""
    runner = context.runner("", "")
    failures = []
    for name, configurations in inventory.networks.items():
        attachments = [{"containerID": one, "ifname": other} for one, other in sorted(inventory.live[name])]
        for network in configurations.values():
            for plugin in network.plugins if network.has("1.1.0") and not network.disable_gc else []:
                config = plugin_configuration(network, plugin)
                config["cni.dev/valid-attachments"] = attachments
                config["cni.dev/attachments"] = attachments  # what plug-ins built with libcni 1.2.0 read
                try:
                    runner.run("GC", "", config)
                except CniError as error:
                    failures.append(error.about(f'network "{name}"'))
    return failures
