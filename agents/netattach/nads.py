"""NetworkAttachmentDefinitions: from a selection to the network that it means (NPWG 3.4)."""

from __future__ import annotations

from .annotation import Selection
from .api import Api
from .errors import INVALID_CONFIG, NAD_MISSING, NAMESPACE_REFUSED, CniError
from .network import Network, find_on_disk, parse
from .settings import Settings

_COLLECTION = "network-attachment-definitions"


def resolve(
    api: Api, settings: Settings, selection: Selection, pod_namespace: str, known: dict[str, Network]
) -> Network:
    """The network of `selection`; CniError 101 for another namespace's, 100 for one that does not exist.

    `known` keeps what was read: a pod may select one network several times (NPWG 4.2).
    """
    allowed = (pod_namespace, *settings.shared_namespaces)
    if selection.namespace not in allowed:
        raise CniError(
            NAMESPACE_REFUSED,
            f'a pod of namespace "{pod_namespace}" may not use the network "{selection.title}"',
            f"netattach allows the networks of: {', '.join(allowed)}",
        )
    network = known.get(selection.title) or _look_up(api, settings, selection)
    known[selection.title] = network
    _require_capabilities(network, selection)
    return network


def _look_up(api: Api, settings: Settings, selection: Selection) -> Network:
    text = _read(api, selection)
    subject = f'the NetworkAttachmentDefinition "{selection.title}"'
    if text.strip():
        return parse(subject, text, selection.name)
    return _by_name(settings, subject, selection.name)


def _read(api: Api, selection: Selection) -> str:
    """`spec.config` of the NetworkAttachmentDefinition, empty where it has none."""
    path = f"/apis/k8s.cni.cncf.io/v1/namespaces/{selection.namespace}/{_COLLECTION}/{selection.name}"
    status, found = api.call("GET", path)
    if status == 200:
        spec = found.get("spec")
        config = spec.get("config") if isinstance(spec, dict) else None
        return config if isinstance(config, str) else ""
    # A real API server names the object that it does not have, and names nothing when it does not know the kind.
    details = found.get("details")
    if isinstance(details, dict) and details.get("name") == selection.name:
        raise CniError(NAD_MISSING, f'the NetworkAttachmentDefinition "{selection.title}" does not exist')
    raise CniError(
        NAD_MISSING,
        f'the NetworkAttachmentDefinition "{selection.title}" cannot be read: the API server does not serve its kind',
        f"the CustomResourceDefinition {_COLLECTION}.k8s.cni.cncf.io is not installed; status {status}",
    )


def _by_name(settings: Settings, subject: str, name: str) -> Network:
    network = find_on_disk(settings.conf_dir, name)
    if network is None:
        raise CniError(
            INVALID_CONFIG,
            f'{subject} has no configuration, and no file in "{settings.conf_dir}" has its name, "{name}"',
        )
    return network


def _require_capabilities(network: Network, selection: Selection) -> None:
    """NPWG 4.1.2.1: what the pod asks for must be a capability of a plug-in of the chain. An IPAM claim is the
    exception (4.1.2.1.11.1): plug-ins that do not know it ignore it."""
    for capability in selection.capability_args:
        if capability != "ipam-claim-reference" and not network.capable(capability):
            raise CniError(
                INVALID_CONFIG,
                f'the network "{selection.title}" cannot take "{capability}"',
                f'no plug-in of it declares {{"capabilities": {{"{capability}": true}}}}',
            )
