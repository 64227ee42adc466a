"""Multus' memory of what it attached, read and written, so that the attacher of a node can change under running pods.

Multus keeps for each container the file `/var/lib/cni/multus/ID` with its delegates (v4.3.0, pkg/multus: saveDelegates;
pkg/types: DelegateNetConf), and libcni's cache of their results beside it. Its DEL reads that, and where there is none,
asks for the pod, which may be gone. netattach takes such a file over at the DEL of a pod that Multus attached, and
`netattach hand-over` writes one for each of its own records.
"""

from __future__ import annotations

import base64
import json
import os
import sys

from . import runtime_cache
from .attachment import Attachment
from .errors import DECODING_FAILURE, CniError, Damaged
from .files import damaged, forget, read_json, write_whole
from .network import OWN_TYPE, Network
from .request import FIRST_INTERFACE
from .settings import DEFAULTS
from .store import RECORD_REMEDY, Pair, Record, Store

_RESULTS = "results"  # the one folder among Multus' files: libcni's cache
_NAME = "multus-cni-network"  # of Multus' own network, in the runtime's cache
_LOCK_WAIT = 30.0


def adopt(store: Store, folder: str, record: Record) -> Record | None:
    """Fill the empty `record` with what Multus attached, save it and remove Multus' file; None where there is none.

    Raises Damaged, and leaves all as it is, where the file is not what Multus writes.
    """
    if read(folder, record) is None:
        return None
    store.save(record, durable=True)
    _forget(folder, record)
    return record


def read(folder: str, record: Record) -> Record | None:
    """Fill the empty `record` with what Multus attached; None where there is nothing, Damaged where it is no record."""
    path = f"{folder}/{record.container_id}"
    try:
        delegates = read_json(path, RECORD_REMEDY)
    except FileNotFoundError:
        return None
    try:
        if not isinstance(delegates, list) or not delegates:
            raise TypeError("no list of delegates")
        record.attachments = [_attachment(folder, record, delegate, place) for place, delegate in enumerate(delegates)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, CniError) as error:
        raise damaged(DECODING_FAILURE, path, f"is not a record of Multus': {error!r}", RECORD_REMEDY) from error
    return record


def containers(folder: str) -> set[str]:
    """The containers of which Multus keeps something, whatever that is."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return {name for name in names if name != _RESULTS}


def adopt_all(store: Store, folder: str) -> dict[Pair, Damaged]:
    """Adopt every container that Multus attached: GC must know the live ones and free the others.

    What is wrong with those that cannot be adopted, by container.
    """
    spoilt: dict[Pair, Damaged] = {}
    for name in sorted(containers(folder)):
        try:
            with store.lock(name, FIRST_INTERFACE, 0):
                adopt(store, folder, Record(name, FIRST_INTERFACE, "", None))
        except Damaged as error:
            spoilt[name, FIRST_INTERFACE] = error
        except CniError:
            continue  # another call is at work on it, and adopts it
    return spoilt


def _attachment(folder: str, record: Record, delegate: dict[str, object], place: int) -> Attachment:
    """The attachment of a delegate; the first one is the default network, on the runtime's interface."""
    whole = delegate.get("CNINetworkConfigList")
    # Of a list, v4.3.0 keeps in `Bytes` only what every plug-in has, without bridge, gateway or masquerading.
    encoded = (whole.get("Bytes") if isinstance(whole, dict) else None) or delegate["Bytes"]
    config = json.loads(base64.b64decode(str(encoded)))
    network = Network(f"Multus' delegate {place}", config)
    default = place == 0
    ifname = str(delegate.get("ifnameRequest") or (record.ifname if default else f"net{place}"))
    attachment = Attachment(str(delegate.get("Name") or network.name), network, ifname, default=default)
    entry = runtime_cache.entry(f"{folder}/{_RESULTS}", network.name, record.container_id, ifname)
    args, result = entry.get("capabilityArgs"), entry.get("result")
    attachment.capability_args = args if isinstance(args, dict) else {}
    attachment.result = result if isinstance(result, dict) else None
    return attachment


def _forget(folder: str, record: Record) -> None:
    """Remove what Multus and, for its network, the runtime keep of the container."""
    for attachment in record.attachments:
        runtime_cache.forget(f"{folder}/{_RESULTS}", attachment.network.name, record.container_id, attachment.ifname)
    runtime_cache.forget(str(DEFAULTS["runtimeCacheDir"]), _NAME, record.container_id, record.ifname)
    forget(f"{folder}/{record.container_id}")


def main(_: list[str]) -> int:
    """`hand-over`: make every record Multus'; prints the containers. 0, or 1 when one could not be handed over."""
    store, folder = Store(str(DEFAULTS["cacheDir"])), str(DEFAULTS["multusCacheDir"])
    if not os.path.isdir(store.folder):
        return 0
    status = 0
    for name in sorted(os.listdir(store.folder)):
        container_id, _, ifname = name.removesuffix(".json").partition("@")
        if name.endswith(".json"):
            try:
                with store.lock(container_id, ifname, _LOCK_WAIT):  # not in the middle of an ADD or DEL
                    record = store.load(container_id, ifname)
                    if record is not None:
                        hand_over(store, folder, record)
                        print(container_id)
            except (CniError, OSError) as error:
                sys.stderr.write(f"netattach: container {container_id} is not handed over: {error}\n")
                status = 1
    return status


def hand_over(store: Store, folder: str, record: Record) -> None:
    """Write `record` as Multus' file and libcni's cache, and forget it."""
    os.makedirs(f"{folder}/{_RESULTS}", mode=0o700, exist_ok=True)
    for attachment in record.attachments:
        if attachment.result is not None:
            name = f"{attachment.network.name}-{record.container_id}-{attachment.ifname}"
            _write(f"{folder}/{_RESULTS}/{name}", _cached(record, attachment))
    _write(f"{folder}/{record.container_id}", [_delegate(attachment) for attachment in record.attachments])
    store.remove(record)
    runtime_cache.forget(str(DEFAULTS["runtimeCacheDir"]), OWN_TYPE, record.container_id, record.ifname)


def _config(attachment: Attachment) -> dict[str, object]:
    return {**attachment.network.to_dict(), "cniVersion": attachment.network.version}


def _encoded(config: dict[str, object]) -> str:
    return base64.b64encode(json.dumps(config).encode()).decode()


def _delegate(attachment: Attachment) -> dict[str, object]:
    """As much of DelegateNetConf as its DEL reads: a list where there are `ConfList.plugins`, else one plug-in."""
    config, network = _config(attachment), attachment.network
    named: dict[str, object] = {"cniVersion": network.version, "name": network.name}
    listed = "plugins" in network.config
    return {
        "Conf": {} if listed else {**named, "type": network.plugins[0]["type"]},
        "ConfList": {**named, "plugins": [{"type": plugin["type"]} for plugin in network.plugins]} if listed else {},
        "Name": "" if attachment.default else attachment.title,
        "ifnameRequest": "" if attachment.default else attachment.ifname,
        "Bytes": _encoded(config),
    }


def _cached(record: Record, attachment: Attachment) -> dict[str, object]:
    """An entry of libcni's cache (v1.3, libcni/api.go, cachedInfo)."""
    return {
        "kind": runtime_cache.KIND,
        "containerId": record.container_id,
        "config": _encoded(_config(attachment)),
        "ifName": attachment.ifname,
        "networkName": attachment.network.name,
        "capabilityArgs": attachment.capability_args,
        "result": attachment.result,
    }


def _write(path: str, content: object) -> None:
    write_whole(path, json.dumps(content).encode(), durable=True)
