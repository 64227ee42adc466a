"""Configure: one Ansible run over all hosts, and the kubeconfig that comes out of it."""

from __future__ import annotations

import yaml

from provision.config import Lab
from provision.configure import playbook as ansible
from provision.configure.inventory import inventory
from provision.core.errors import HostError
from provision.core.files import write_whole
from provision.hosts.remote import Remotes
from provision.pipeline.early import EarlyChecks
from provision.pipeline.run import RunState

_ADMIN_CONF = "/etc/kubernetes/admin.conf"


class Configure:
    name = "configure"

    def run(self, lab: Lab, state: RunState) -> str:
        if state.bundle is None:
            raise HostError("The stage 'configure' ran before the stage 'artifacts'")
        facts = state.provider.node_facts()
        source = "" if facts.get("in_container") else str(state.bundle.path)
        hosts = inventory(lab, state.machines, state.bundle.document(), facts, state.attacher, source)
        state.early = EarlyChecks(lab, state)
        state.early.head_start()
        progress = state.progress
        recap = ansible.play("site.yml", hosts, state.directory, progress.report, progress.passing)
        if any(recap.changed.values()):
            state.withdraw_early()
        with Remotes(state.machines) as remotes:
            kubeconfig = remotes.get(lab.control_plane.name).read(_ADMIN_CONF)
        node = state.machine(lab.control_plane.name)
        write_whole(state.directory.kubeconfig, reachable(kubeconfig, f"{node.address}:{node.api_port}", node.name))
        return recap.summary()

    def plan(self, lab: Lab, state: RunState) -> str:
        return "ansible-playbook playbooks/site.yml on all hosts; write the kubeconfig (0600)"


def reachable(kubeconfig: str, place: str, name: str) -> str:
    """`kubeconfig` of the node `name` for use from here: at ADDRESS:PORT, with the certificate checked for `name`."""
    document = yaml.safe_load(kubeconfig)
    for item in document["clusters"]:
        item["cluster"]["server"] = f"https://{place}"
        item["cluster"]["tls-server-name"] = name
    return yaml.safe_dump(document, sort_keys=False)
