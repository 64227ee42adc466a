"""NetworkAttachmentDefinitions: from a selection to the network that it means (NPWG 3.4)."""

from __future__ import annotations

from .annotation import Selection
from .api import Api
from .errors import INVALID_CONFIG, NAD_MISSING, NAMESPACE_REFUSED, CniError
from .network import Network, find_on_disk, parse
from .settings import Settings
from .tenants import Grant, of_ranges
from .trust import Definition, Trust

_COLLECTION = "network-attachment-definitions"


class Networks:
    """The networks that the selections of one pod mean; each is read once, however often it is selected (NPWG 4.2)."""

    def __init__(self, api: Api, settings: Settings, trust: Trust) -> None:
        self._api = api
        self._settings = settings
        self._trust = trust
        self._known: dict[str, tuple[Network, bool]] = {}

    def resolve(self, selection: Selection, pod_namespace: str) -> Network:
        """The network of `selection`; CniError 101 for another namespace's, 100 for one that does not exist."""
        allowed = (pod_namespace, *self._settings.shared_namespaces)
        if selection.namespace not in allowed:
            raise CniError(
                NAMESPACE_REFUSED,
                f'a pod of namespace "{pod_namespace}" may not use the network "{selection.title}"',
                f"netattach allows the networks of: {', '.join(allowed)}",
            )
        if selection.title not in self._known:
            self._known[selection.title] = self._look_up(selection)
        network, judged = self._known[selection.title]
        _require_capabilities(network, selection, () if judged else ("ips", "mac"))
        if judged:
            _require_own(selection, self._trust.grant(selection.namespace))
        return network

    def _look_up(self, selection: Selection) -> tuple[Network, bool]:
        """The network, and whether it was judged by the tenants' policy."""
        definition = _read(self._api, selection)
        if self._trust.judges(definition):
            return self._trust.network(definition), True
        if definition.text.strip():
            return parse(definition.subject, definition.text, definition.name), False
        return _by_name(self._settings, definition.subject, definition.name), False


def _read(api: Api, selection: Selection) -> Definition:
    path = f"/apis/k8s.cni.cncf.io/v1/namespaces/{selection.namespace}/{_COLLECTION}/{selection.name}"
    status, found = api.call("GET", path)
    if status == 200:
        return Definition(selection.namespace, selection.name, found)
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


def _require_capabilities(network: Network, selection: Selection, free: tuple[str, ...]) -> None:
    """NPWG 4.1.2.1: what the pod asks for must be a capability of a plug-in of the chain.

    Exceptions: an IPAM claim, which plug-ins that do not know it ignore (4.1.2.1.11.1), and what is `free`: addresses,
    which some take without (`asked`), but for tenants' networks, where that is an administrator's to give.
    """
    for capability in selection.capability_args:
        if capability not in ("ipam-claim-reference", *free) and not network.capable(capability):
            raise CniError(
                INVALID_CONFIG,
                f'the network "{selection.title}" cannot take "{capability}"',
                f'no plug-in of it declares {{"capabilities": {{"{capability}": true}}}}',
            )


def _require_own(selection: Selection, grant: Grant) -> None:
    """What a pod asks a tenant's network for is no more than that network could give by itself."""
    if selection.cni_args:
        raise CniError(
            INVALID_CONFIG,
            f'the network "{selection.title}" takes no "cni-args": it is a tenant\'s, and they are not judged',
        )
    wanted = selection.capability_args.get("ips")
    for address in wanted if isinstance(wanted, list) else []:
        if not of_ranges(str(address).partition("/")[0], grant.ranges):
            ranges = ", ".join(grant.ranges) or "none"
            raise CniError(
                INVALID_CONFIG,
                f'the network "{selection.title}" cannot give {address}',
                f'the ranges of namespace "{grant.namespace}": {ranges}',
            )
