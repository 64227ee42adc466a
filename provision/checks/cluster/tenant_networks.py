"""tenant-networks: no network is one that its namespace may not have, but for administrators'."""

from __future__ import annotations

from provision.checks.result import Figure, Outcome, failed, passed
from provision.cluster.api import NetworkAttachment
from provision.networks import tenants
from provision.networks.manifests import networks
from provision.traffic.testbed import Testbed


def run(testbed: Testbed) -> Outcome:
    if not tenants.in_force(testbed.kube):
        return failed(
            f"The cluster has no admission policy '{tenants.name()}' in force: whoever may write networks may have any",
        )
    own = {(made["metadata"]["namespace"], made["metadata"]["name"]) for made in networks(testbed.lab)}
    found = [nad for nad in testbed.kube.network_attachments() if (nad.namespace, nad.name) not in own]
    judged = [nad for nad in found if tenants.label() in nad.labels]
    if refused := tenants.refusals(testbed.lab, judged):
        return failed("; ".join(refused), Figure("refused", len(refused), "networks"))
    trusted = [nad for nad in found if tenants.label() not in nad.labels and not _made_by_switch(nad)]
    text = f"{len(judged)} of {len(judged)} networks of tenants are allowed" if judged else "No tenant has networks"
    if wider := tenants.refusals(testbed.lab, trusted):
        text += f"; trusted as administrators', and more than their namespaces may have: {'; '.join(wider)}"
    return passed(text, Figure("judged", len(judged), "networks"), Figure("trusted", len(trusted), "networks"))


def _made_by_switch(nad: NetworkAttachment) -> bool:
    """Whether multicast-controller made it, which a policy of its own keeps to the lab's networks."""
    return nad.labels.get("mcastlab.io/by") == "multicast-controller"
