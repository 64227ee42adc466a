"""Networks: a NetworkAttachmentDefinition for each in each of its namespaces, and what the switch is to know."""

from __future__ import annotations

from provision.cluster.api import Kube
from provision.config import Lab
from provision.networks.manifests import multicast, namespaces, networks
from provision.pipeline.run import RunState


class Networks:
    name = "networks"

    def run(self, lab: Lab, state: RunState) -> str:
        kube = Kube(state.directory.kubeconfig)
        applied = [kube.apply(manifest) for manifest in [*namespaces(lab), *networks(lab), *multicast(lab)]]
        if any(item.change != "unchanged" for item in applied):
            state.withdraw_early()
        return ", ".join(str(item) for item in applied) or "none"

    def plan(self, lab: Lab, state: RunState) -> str:
        names = [f"{namespace}/{network.name}" for network in lab.networks for namespace in network.namespaces]
        return f"apply NetworkAttachmentDefinitions: {', '.join(names) or 'none'}"
