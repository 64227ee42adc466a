"""networks-present: the cluster has exactly the NetworkAttachmentDefinitions that lab.yml describes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from provision.checks.result import Figure, Outcome, failed, passed
from provision.cluster.api import NetworkAttachment, Object
from provision.networks.manifests import networks
from provision.traffic.testbed import Testbed


def run(testbed: Testbed) -> Outcome:
    rendered = networks(testbed.lab)
    if not rendered:
        return failed("The lab has no networks, so no pod can have a second interface")
    problems = differences(rendered, testbed.kube.network_attachments())
    if problems:
        return failed("; ".join(problems), Figure("as_rendered", len(rendered) - len(problems), "networks"))
    count = len(rendered)
    verb = "is" if count == 1 else "are"
    return passed(f"{count} of {count} networks {verb} as rendered", Figure("as_rendered", count, "networks"))


def differences(rendered: Sequence[Object], found: Sequence[NetworkAttachment]) -> list[str]:
    """One sentence for each rendered network that is missing or has another configuration; others are no concern."""
    present = {(nad.namespace, nad.name): nad.config for nad in found}
    problems = []
    for manifest in rendered:
        key = (manifest["metadata"].get("namespace", "default"), manifest["metadata"]["name"])
        if key not in present:
            problems.append(f"Network '{'/'.join(key)}' is missing")
        elif _plain(present[key]) != _plain(manifest["spec"]["config"]):
            problems.append(
                f"Network '{'/'.join(key)}' is not as rendered: its configuration is {present[key].strip()}"
            )
    return problems


def _plain(config: str) -> object:
    """The meaning of a CNI configuration, whatever its white space; text that is no JSON is itself."""
    try:
        return json.loads(config)
    except ValueError:
        return config
