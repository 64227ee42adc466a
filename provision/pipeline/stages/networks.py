"""Networks: a NetworkAttachmentDefinition for each in each of its namespaces, and what the switch is to know."""

from __future__ import annotations

from provision.cluster.api import Kube
from provision.hosts.remote import Remotes
from provision.networks.attachments import give_to_host_local
from provision.networks.manifests import back_at_host_local, multicast, namespaces, networks
from provision.pipeline.run import Done, Run


class Networks:
    name = "networks"

    def run(self, run: Run) -> Done:
        lab, kube = run.lab, Kube(run.directory.kubeconfig)
        if back_at_host_local(lab, kube.network_attachments()):
            with Remotes(run.machines) as remotes:
                for host in lab.nodes:
                    give_to_host_local(remotes.get(host.name))
        applied = [kube.apply(manifest) for manifest in [*namespaces(lab), *networks(lab), *multicast(lab)]]
        changed = any(item.change != "unchanged" for item in applied)
        return Done(", ".join(str(item) for item in applied) or "none", changed)

    def plan(self, run: Run) -> str:
        names = [f"{namespace}/{network.name}" for network in run.lab.networks for namespace in network.namespaces]
        return f"apply NetworkAttachmentDefinitions: {', '.join(names) or 'none'}"
