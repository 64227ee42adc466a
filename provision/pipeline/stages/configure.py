"""Configure: one Ansible run over all hosts, and the kubeconfig that comes out of it."""

from __future__ import annotations

from provision.cluster.kubeconfig import reachable
from provision.configure import playbook as ansible
from provision.configure.inventory import inventory
from provision.core.files import write_whole
from provision.hosts.remote import Remotes
from provision.pipeline.proof import begin_early
from provision.pipeline.run import Done, Run

_ADMIN_CONF = "/etc/kubernetes/admin.conf"


class Configure:
    name = "configure"

    def run(self, run: Run) -> Done:
        """The checks begin beside it: on a lab that is up, Ansible only looks the hosts over."""
        lab, facts, progress = run.lab, run.provider.node_facts(), run.progress
        source = "" if facts and facts.in_container else str(run.bundle.path)
        hosts = inventory(lab, run.machines, run.bundle.document, facts, run.attacher, source)
        run.early = begin_early(run)
        run.early.head_start()
        recap = ansible.play("site.yml", hosts, run.directory, progress.report, progress.now)
        with Remotes(run.machines) as remotes:
            kubeconfig = remotes.get(lab.control_plane.name).read(_ADMIN_CONF)
        node = run.machine(lab.control_plane.name)
        write_whole(run.directory.kubeconfig, reachable(kubeconfig, f"{node.address}:{node.api_port}", node.name))
        return Done(recap.summary(), recap.changed_anything)

    def plan(self, run: Run) -> str:
        return "ansible-playbook playbooks/site.yml on all hosts; write the kubeconfig (0600)"
