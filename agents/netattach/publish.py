"""What the cluster is told: the pod's network status (NPWG 1.3, section 5), and an event when attaching failed."""

from __future__ import annotations

import json
import time

from .annotation import Selection
from .api import Api
from .attachment import Attachment
from .errors import CniError
from .events import event
from .request import Pod
from .results import default_gateways, pod_addresses, sandbox_interface

STATUS = "k8s.v1.cni.cncf.io/network-status"
_CONFIG_HASH = "kubernetes.io/config.hash"
_STATUS_TIMEOUT = 10.0
_EVENT_TIMEOUT = 3.0
# An event that says the same within this time is the same event: kubelet tries a pod every few seconds.
_SAME_EVENT_SECONDS = 600


def status_of(attachments: list[Attachment]) -> list[dict[str, object]]:
    """The status map of every attachment, in the order of their ADD, the default network first."""
    return [_entry(attachment) for attachment in attachments]


def _entry(attachment: Attachment) -> dict[str, object]:
    result = attachment.newest_result()
    entry: dict[str, object] = {"name": attachment.title, "interface": attachment.ifname}
    inside = sandbox_interface(result)
    if inside is not None:
        entry["interface"] = inside[1].get("name")
    addresses = [address.partition("/")[0] for address in pod_addresses(result)]
    if addresses:
        entry["ips"] = addresses
    if inside is not None and inside[1].get("mac"):
        entry["mac"] = inside[1]["mac"]
    entry["default"] = attachment.default
    dns = result.get("dns")
    known = (
        {key: dns[key] for key in ("nameservers", "domain", "search") if dns.get(key)} if isinstance(dns, dict) else {}
    )
    if known:
        entry["dns"] = known
    gateways = default_gateways(result)
    if gateways and (attachment.default or attachment.default_route is not None):
        entry["default-route"] = gateways
    return entry


def write_status(api: Api, pod: Pod, attachments: list[Attachment]) -> bool:
    """Put the status on the pod; whether the API server has that very pod.

    The UID in the patch makes the server refuse it for a later pod of that name.
    """
    metadata: dict[str, object] = {"annotations": {STATUS: _text(attachments)}}
    if pod.uid:
        metadata["uid"] = pod.uid
    return _patch(api, pod, {"metadata": metadata}, "merge-patch+json")


def write_mirror_status(api: Api, pod: Pod, attachments: list[Attachment]) -> bool:
    """The same for a static pod, whose mirror has a UID of its own, and the runtime's in an annotation (kubelet)."""
    annotations = "/metadata/annotations/"
    patch = [
        {"op": "test", "path": f"{annotations}{_CONFIG_HASH.replace('/', '~1')}", "value": pod.uid},
        {"op": "add", "path": f"{annotations}{STATUS.replace('/', '~1')}", "value": _text(attachments)},
    ]
    return _patch(api, pod, patch, "json-patch+json")


def _text(attachments: list[Attachment]) -> str:
    return json.dumps(status_of(attachments), indent=1)


def _patch(api: Api, pod: Pod, body: object, kind: str) -> bool:
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status"
    status, _ = api.call("PATCH", path, body, kind=kind, timeout=_STATUS_TIMEOUT)
    return status not in (404, 409, 422)  # 422: the UID is another one, or the test of a patch failed


def write_lost_cluster(api: Api, pod: Pod, families: list[str]) -> None:
    """Tell that services and other nodes' pods are out of reach since the default route was moved."""
    text = (
        f"the default route of {' and '.join(families)} left the pod network, whose IPAM names no other route: "
        "services, the cluster's DNS and pods of other nodes are not reached"
    )
    _tell(api, pod, "ClusterNetworkLost", text)


def write_event(api: Api, pod: Pod, error: CniError) -> None:
    """Tell the pod's reader why it has no network; a failure to tell is a line on standard error."""
    _tell(api, pod, "FailedNetworkAttachment", str(error))


def write_passed_over(api: Api, pod: Pod, selections: list[Selection]) -> None:
    """Tell which keys of the annotation said nothing to netattach, if there are any."""
    named = [f'"{key}" of "{selection.title}"' for selection in selections for key in selection.passed_over]
    if named:
        _tell(api, pod, "NetworkKeysPassedOver", f"netattach knows nothing of {', '.join(named)} and passed it over")


def _tell(api: Api, pod: Pod, reason: str, text: str) -> None:
    from zlib import crc32

    same = crc32(f"{pod.uid} {text} {int(time.time()) // _SAME_EVENT_SECONDS}".encode())
    metadata = {"name": f"{pod.name[:200]}.netattach.{same:08x}", "namespace": pod.namespace}
    about = {"kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
    body = event(metadata, about, reason, text, "netattach")
    try:
        api.call("POST", f"/api/v1/namespaces/{pod.namespace}/events", body, timeout=_EVENT_TIMEOUT)
    except CniError as failure:
        warn(f'no event for the pod "{pod}": {failure}')


def warn(text: str) -> None:
    """A line on standard error, which the runtime keeps."""
    import sys

    sys.stderr.write(f"netattach: {text}\n")
