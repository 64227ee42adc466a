"""NetworkAttachmentDefinitions of the lab's own networks, rendered from their template."""

from __future__ import annotations

from typing import Any

import yaml

from provision.config import Lab, Network
from provision.core.paths import ROOT
from provision.core.templating import render_file

_TEMPLATE = ROOT / "templates" / "nad.yml.j2"


def networks(lab: Lab) -> list[dict[str, Any]]:
    """A NetworkAttachmentDefinition for each network in each of its namespaces."""
    return [yaml.safe_load(text) for text in network_texts(lab)]


def network_texts(lab: Lab) -> list[str]:
    """The same, as text."""
    return [network_text(network, namespace) for network in lab.networks for namespace in network.namespaces]


def network_text(network: Network, namespace: str) -> str:
    """One network in one namespace."""
    return render_file(_TEMPLATE, {"network": network.model_dump(mode="json"), "namespace": namespace})
